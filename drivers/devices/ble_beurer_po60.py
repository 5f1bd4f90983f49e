"""
Beurer's PO60 oximeter, which keeps a hundred spot checks.

Source:  Beurer's "PO60 transmission protocol" rev01 with its examples; where the pulse's top bits lie, an open client.
Units:   percent; beats per minute; seconds.
Order:   E9, number, start (6 bytes), end (6 bytes), top bits, two bytes of duration, SpO2 highest, lowest, mean, pulse
         highest, lowest, mean, check; 24 bytes in two notifications, joined before they come here
Quirks:  Seven bits a byte: only a header has its top bit set, and the check is the sum's low seven bits. The value of a
         record is its mean. Every record is reported as unread, always (Beurer says so). Other answers of the device,
         and the hub's own commands in a capture, hold no values. 99 7F erases its memory: never sent.
"""

from drivers.checks import hold, sum7
from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields, Stamp, civil
from drivers.oximetry import either, pulse_rate, spo2
from gateway.core.errors import UnknownLayout
from gateway.core.observation import PER_MINUTE, PERCENT, Kind
from gateway.core.reading import Frame, Origin, Sample

_RECORD = 0xE9
_ANSWERS = frozenset({0xE0, 0xF2, 0xF3, 0xF9})  # storage, version, clock set, clock
_COMMANDS = frozenset({0x82, 0x83, 0x89, 0x90, 0x99})
_TOP_HIGHEST, _TOP_LOWEST, _TOP_MEAN = 1 << 5, 1 << 4, 1 << 3
_SPO2_HIGHEST, _SPO2_LOWEST = Kind("VG_SPO2_HIGHEST", "spo2"), Kind("VG_SPO2_LOWEST", "spo2")
_PULSE_HIGHEST, _PULSE_LOWEST = (Kind(f"VG_PULSE_RATE_{end}", "heart_rate") for end in ("HIGHEST", "LOWEST"))


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One whole message; a sample where it is a record."""
    whole = Fields(frame.payload)
    body = whole.take(max(whole.left() - 1, 1))
    hold(whole.u8(), sum7(body))
    fields = Fields(body)
    header = fields.u8()
    if header in _ANSWERS or header in _COMMANDS:
        return ()
    if header != _RECORD:
        raise UnknownLayout(f"What a PO60 says in a message {header:02X} is not known.")
    return (_record(fields),)


def _record(fields: Fields) -> Sample:
    fields.u8()  # the number within this transfer, not of the record
    start, _end = _time(fields), _time(fields)
    top = fields.u8()
    duration_s = fields.u8() << 7 | fields.u8()
    highest, lowest, mean = fields.u8(), fields.u8(), fields.u8()
    pulse_highest, pulse_lowest, pulse_mean = (
        fields.u8() | (0x80 if top & bit else 0) for bit in (_TOP_HIGHEST, _TOP_LOWEST, _TOP_MEAN)
    )
    fields.end()
    return Sample(
        observations=(
            spo2(mean, 0),
            either(_SPO2_HIGHEST, highest, (0,), PERCENT),
            either(_SPO2_LOWEST, lowest, (0,), PERCENT),
            pulse_rate(pulse_mean, 0),
            either(_PULSE_HIGHEST, pulse_highest, (0,), PER_MINUTE),
            either(_PULSE_LOWEST, pulse_lowest, (0,), PER_MINUTE),
        ),
        device_time=start.time,
        origin=Origin.STORED,
        status=start.status,
        technical=(("duration_s", str(duration_s)),),
    )


def _time(fields: Fields) -> Stamp:
    year, month, day, hour, minute, second = (fields.u8() for _ in range(6))
    return civil(2000 + year, month, day, hour, minute, second)


DRIVER = Driver(
    name="ble-beurer-po60",
    version=1,
    link=Link.BLE,
    sources={"FF02": decode},
    models=("Beurer PO60",),
    reads=("spo2", "heart_rate"),
    grade=Grade.A,
    documented="Beurer PO60 transmission protocol rev01 (2019-08-02)",
)
