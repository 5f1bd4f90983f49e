"""
TaiDoc's glucose meters TD-4277 and TD-4235, sold as GlucoRx Nexus, GlucoMen Nexus and FORA, over their USB bridge.

Source:  glucometers-tech/glucometer-protocols src/taidoc/td42xx.md @777b03281276; glucometerutils test_td42xx.py
Line:    19200 8N1; the bridge is a CP2110, which is a HID device and no tty
Units:   mg/dL always, whatever the display shows
Time:    a record's time comes in an answer of its own (25), its value in the next (26): both must stand in one frame
         for the value to have a time. By the meter's clock, to the minute, no zone; the answer to 23 is that clock:
         `device_now`.
Order:   51, command, four bytes, A5 from the device or A3 from the host, sum of the seven
         23, 33  the clock: day of 7, 4 and 5 bits, minute, hour
         25      a record's time, likewise
         26      a record's value: concentration, -, meal
Quirks:  A record's number counts back from the newest and is no name for it. A meal mark other than none, before and
         after is refused: related meters use the fourth for control solutions.
Never:   52 erases the memory and 33 sets the clock: neither is sent.
"""

from collections.abc import Iterator

from drivers.checks import hold, sum8
from drivers.contract import Driver, Grade, Link
from drivers.fields import UNSTAMPED, Fields, Stamp, civil, counted
from drivers.framing import SerialLine, fixed, frames_in
from drivers.meters import UNSTATED
from drivers.text_lines import clock_only, settled
from gateway.core.errors import BadValue, UnknownLayout
from gateway.core.observation import MG_PER_DL, Absent, Observation, Why
from gateway.core.reading import Frame, Origin, Sample

_SIZE = 8
_START, _FROM_HOST, _FROM_DEVICE = 0x51, 0xA3, 0xA5
_CLOCK, _CLOCK_SET, _TIME, _VALUE = 0x23, 0x33, 0x25, 0x26
# connecting, model, serial number, count, switching off
_WITHOUT_VALUES = frozenset({0x22, 0x24, 0x27, 0x28, 0x2B, 0x50, 0x54})
_MEALS = {0x00: (), 0x40: ("meal_before",), 0x80: ("meal_after",)}
_NONE = (0, 0xFFFF)


def _holds(packet: bytes) -> bool:
    return packet[6] in (_FROM_HOST, _FROM_DEVICE) and packet[7] == sum8(packet[:7])


_PACKETS = fixed(rb"\x51", _SIZE, _holds)


def decode(frame: Frame) -> tuple[Sample, ...]:
    """Every record whose answers are in the frame; raises BadChecksum, Truncated or UnknownLayout."""
    packets = frames_in(frame.payload, _PACKETS)
    if not packets:
        fields = Fields(frame.payload)
        body, check = fields.take(_SIZE - 1), fields.u8()
        if body[0] != _START or body[6] not in (_FROM_HOST, _FROM_DEVICE):
            raise UnknownLayout("A TaiDoc packet begins with 51 and ends with A3 or A5 before its check.")
        hold(check, sum8(body))
    return tuple(_answers(packet for packet in packets if packet[6] == _FROM_DEVICE))


def _answers(packets: Iterator[bytes]) -> Iterator[Sample]:
    stamp = UNSTAMPED
    for packet in packets:
        command, fields = packet[1], Fields(packet[2:6])
        if command == _VALUE:
            yield _record(fields, stamp)
        elif command in (_CLOCK, _CLOCK_SET):
            yield from clock_only(_stamp(fields))
        elif command != _TIME and command not in _WITHOUT_VALUES:
            raise UnknownLayout(f"What a TaiDoc meter answers to command {command:02X} is not known for certain.")
        stamp = _stamp(fields) if command == _TIME else UNSTAMPED


def _stamp(fields: Fields) -> Stamp:
    day, minute, hour = fields.u16le(), fields.u8(), fields.u8()
    return civil(2000 + (day >> 9), day >> 5 & 0x0F, day & 0x1F, hour, minute)


def _record(fields: Fields, stamp: Stamp) -> Sample:
    raw, _, meal = fields.u16le(), fields.u8(), fields.u8()
    if meal not in _MEALS:
        raise BadValue("The record's meal mark is none of the three that are known; it may be a control solution.")
    return settled(
        Sample(
            observations=(_glucose(raw),),
            device_time=stamp.time,
            origin=Origin.STORED,
            status=_MEALS[meal] + stamp.status,
        )
    )


def _glucose(raw: int) -> Observation:
    return Absent(UNSTATED, Why.NOT_AVAILABLE) if raw in _NONE else counted(UNSTATED, raw, MG_PER_DL)


DRIVER = Driver(
    name="serial-taidoc",
    version=1,
    link=Link.SERIAL,
    sources={"td42": decode},
    lines={"td42": SerialLine(19_200, _PACKETS)},
    models=("TaiDoc TD-4277", "TaiDoc TD-4235", "GlucoRx Nexus", "GlucoMen Nexus"),
    reads=("glucose",),
    grade=Grade.B,
    documented="glucometer-protocols td42xx.md; glucometerutils with tests",
)
