"""
Health o meter Professional (Pelstar) scales and Rice Lake 160-10-7N, the ESC protocol.

Source:  Health o meter Pro Plus manual, page 33; Rice Lake 160-10-7N manual, 5.2.1
Line:    9600 8N1 as usual
Units:   N names them: m kilograms, c pounds. It comes last, so a packet without its end has no unit.
Time:    none
Order:   ESC R, then ESC and a letter each: I patient id, W weight, H height, T tare, B body mass index, N units, ESC E
Quirks:  999.99 (999.9 on the 160) is an over- or underload. There is no check and no flag of stability: a packet is
         sent once the weight is locked. I may be a patient's number typed on the scale and is never read. Height, and
         with it the index, may be typed in as well and is left in the frame.
Never:   the scale sends on its own; commands to it are not sent.
"""

import re

from drivers.contract import Driver, Grade, Link
from drivers.framing import SerialLine, between, frames_in
from drivers.text_lines import ascii_text, number, settled
from gateway.core.errors import BadValue, Truncated, UnknownLayout
from gateway.core.observation import KG, POUND, WEIGHT, Absent, Measured, Observation, Unit, Why
from gateway.core.reading import Frame, Sample

_START, _END = b"\x1bR", b"\x1bE"
_PACKETS = between(_START, _END, 256)
_UNITS: dict[str, tuple[Unit, str]] = {"m": (KG, "tare_kg"), "c": (POUND, "tare_lb")}
_LETTERS = frozenset("IWHTBN")
_WEIGHT = re.compile(r"[0-9]{1,4}(\.[0-9]{1,2})?")
_NO_WEIGHT = re.compile(r"0*999\.9{1,2}")


def decode(frame: Frame) -> tuple[Sample, ...]:
    """Every packet; raises Truncated where none is whole."""
    packets = frames_in(frame.payload, _PACKETS)
    if not packets:
        if frame.payload and _START not in frame.payload:
            raise UnknownLayout("A packet begins with ESC R.")
        raise Truncated("The packet ends before ESC E, and its unit with it.")
    return tuple(_packet(packet) for packet in packets)


def _packet(packet: bytes) -> Sample:
    text = ascii_text(packet[len(_START) : -len(_END)])
    before, *pieces = text.split("\x1b")
    fields = {piece[:1]: piece[1:] for piece in pieces}
    if before or len(fields) != len(pieces) or not fields.keys() <= _LETTERS:
        raise UnknownLayout("The packet has a field that no manual names, or one twice.")
    if "W" not in fields or fields.get("N") not in _UNITS:
        raise Truncated("The packet lacks its weight or its unit.")
    unit, tare = _UNITS[fields["N"]]
    technical = ((tare, format(number(fields["T"]), "f")),) if "T" in fields else ()
    return settled(Sample(observations=(_weight(fields["W"], unit),), technical=technical))


def _weight(text: str, unit: Unit) -> Observation:
    if not _WEIGHT.fullmatch(text):
        raise BadValue("The weight is not written in digits.")
    value = number(text)
    if _NO_WEIGHT.fullmatch(text) or not value:
        return Absent(WEIGHT, Why.UNSUCCESSFUL)
    return Measured(WEIGHT, value, unit)


DRIVER = Driver(
    name="serial-health-o-meter",
    version=1,
    link=Link.SERIAL,
    sources={"esc": decode},
    lines={"esc": SerialLine(9600, _PACKETS)},
    models=("Health o meter Pro Plus", "Rice Lake 160-10-7N"),
    reads=("weight",),
    grade=Grade.A,
    documented="Health o meter Pro Plus manual, page 33; Rice Lake 160-10-7N manual, 5.2.1",
)
