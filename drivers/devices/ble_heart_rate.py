"""
Chest straps and other sensors that speak the Bluetooth Heart Rate Service.

Source:  Bluetooth SIG, Heart Rate Service 1.0 (0x180D), characteristic 0x2A37; unit tests of Nordic's libraries.
Units:   beats per minute; energy expended since the last reset in kJ.
Order:   flags, rate in one or two bytes, [energy], [intervals between beats in 1/1024 s to the end of the frame]
Quirks:  A strap that lost the skin goes on sending, with the contact bit clear. The intervals are checked to be there
         and stay in the frame: they are a wave, not a reading. Energy FFFF: more than the field can hold.
"""

from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields, counted
from gateway.core.observation import HEART_RATE, KILOJOULE, PER_MINUTE, Absent, Kind, Observation, Why
from gateway.core.reading import Frame, Sample, Signal

_WIDE, _CONTACT, _KNOWS_CONTACT, _HAS_ENERGY, _HAS_INTERVALS = (1 << bit for bit in range(5))
_ENERGY = Kind("VG_ENERGY_EXPENDED", "activity")
_SATURATED = 0xFFFF


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One notification of 0x2A37."""
    fields = Fields(frame.payload)
    bits = fields.u8()
    seen: list[Observation] = [counted(HEART_RATE, fields.u16le() if bits & _WIDE else fields.u8(), PER_MINUTE)]
    if bits & _HAS_ENERGY:
        seen.append(_energy(fields.u16le()))
    if bits & _HAS_INTERVALS:
        fields.u16le()
    lost = bits & _KNOWS_CONTACT and not bits & _CONTACT
    return (
        Sample(
            observations=tuple(seen),
            status=("no_skin_contact",) if lost else (),
            quality=Signal.CAUTION if lost else Signal.OK,
        ),
    )


def _energy(raw: int) -> Observation:
    return Absent(_ENERGY, Why.ABOVE_RANGE) if raw == _SATURATED else counted(_ENERGY, raw, KILOJOULE)


DRIVER = Driver(
    name="ble-heart-rate",
    version=1,
    link=Link.BLE,
    sources={"2A37": decode},
    models=("any sensor with service 0x180D",),
    reads=("heart_rate",),
    grade=Grade.A,
    documented="Bluetooth SIG Heart Rate Service 1.0 and GATT Specification Supplement",
)
