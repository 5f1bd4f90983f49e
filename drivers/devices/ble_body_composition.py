"""
Scales that speak the Bluetooth Body Composition Service.

Source:  Bluetooth SIG, Body Composition Service 1.0.1 (0x181B), characteristic 0x2A9C; captures of Beurer BF720, BF788.
Units:   percent in steps of 0.1; kJ (Beurer's paper says kcal, its bytes say kJ); kg in steps of 0.005 or lb in steps
         of 0.01; ohm in steps of 0.1; m in steps of 0.001 or inches in steps of 0.1.
Order:   flags, body fat, [time], [user], [basal metabolism], [muscle percentage], [muscle mass], [fat-free mass],
         [soft lean mass], [body water mass], [impedance], [weight], [height]
Quirks:  Body fat FFFF: the measurement failed. Flag bit 12: the rest follows in another indication, which has the bit
         too; each is a sample here. Beurer sends, with every weighing it stored, a frame whose measured fields are all
         0: nothing was measured, so it is a status and never a reading. The weight itself comes as 0x2A9D.
"""

from collections.abc import Iterator
from dataclasses import replace

from drivers.contract import Driver, Grade, Link
from drivers.fields import UNSTAMPED, Fields, counted
from drivers.sig.mass import IMPERIAL, SI, UNKNOWN_USER, UNSUCCESSFUL, System, slot, weight
from gateway.core.observation import (
    BASAL_METABOLISM,
    BODY_FAT,
    BODY_IMPEDANCE,
    BODY_WATER_MASS,
    FAT_FREE_MASS,
    HEIGHT,
    KILOJOULE,
    MUSCLE_MASS,
    MUSCLE_PERCENT,
    OHM,
    PERCENT,
    SOFT_LEAN_MASS,
    Absent,
    Measured,
    Observation,
    Why,
)
from gateway.core.reading import Frame, Sample, SampleKind, Signal

_IMPERIAL, _HAS_TIME, _HAS_USER = 1 << 0, 1 << 1, 1 << 2
_HAS_BASAL, _HAS_MUSCLE_PERCENT, _HAS_IMPEDANCE = 1 << 3, 1 << 4, 1 << 9
_HAS_WEIGHT, _HAS_HEIGHT, _IN_PARTS = 1 << 10, 1 << 11, 1 << 12
_MASSES = ((1 << 5, MUSCLE_MASS), (1 << 6, FAT_FREE_MASS), (1 << 7, SOFT_LEAN_MASS), (1 << 8, BODY_WATER_MASS))


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One indication of 0x2A9C."""
    fields = Fields(frame.payload)
    bits = fields.u16le()
    fat = _fat(fields.u16le())
    stamp = fields.date_time() if bits & _HAS_TIME else UNSTAMPED
    user = fields.u8() if bits & _HAS_USER else UNKNOWN_USER
    seen = (fat, *_optional(fields, bits, IMPERIAL if bits & _IMPERIAL else SI))
    sample = Sample(
        observations=seen,
        device_time=stamp.time,
        slot=slot(user),
        status=(("in_parts",) if bits & _IN_PARTS else ()) + stamp.status,
    )
    return (_stub(sample) if _is_stub(seen) else sample,)


def _fat(raw: int) -> Observation:
    if raw == UNSUCCESSFUL:
        return Absent(BODY_FAT, Why.UNSUCCESSFUL)
    return counted(BODY_FAT, raw, PERCENT, "0.1")


def _optional(fields: Fields, bits: int, system: System) -> Iterator[Observation]:
    """Every field after the user, in wire order, where its bit is set."""
    if bits & _HAS_BASAL:
        yield counted(BASAL_METABOLISM, fields.u16le(), KILOJOULE)
    if bits & _HAS_MUSCLE_PERCENT:
        yield counted(MUSCLE_PERCENT, fields.u16le(), PERCENT, "0.1")
    for bit, kind in _MASSES:
        if bits & bit:
            yield counted(kind, fields.u16le(), system.mass, system.mass_step)
    if bits & _HAS_IMPEDANCE:
        yield counted(BODY_IMPEDANCE, fields.u16le(), OHM, "0.1")
    if bits & _HAS_WEIGHT:
        yield weight(fields.u16le(), system)
    if bits & _HAS_HEIGHT:
        yield counted(HEIGHT, fields.u16le(), system.height, system.height_step)


def _is_stub(seen: tuple[Observation, ...]) -> bool:
    """Basal metabolism is worked out from age and height, so a stub has it; it has nothing that was measured."""
    return all(isinstance(o, Measured) and not o.value for o in seen if o.kind is not BASAL_METABOLISM)


def _stub(sample: Sample) -> Sample:
    return replace(sample, kind=SampleKind.STATUS, quality=Signal.INVALID, status=(*sample.status, "not_measured"))


DRIVER = Driver(
    name="ble-body-composition",
    version=1,
    link=Link.BLE,
    sources={"2A9C": decode},
    models=("Beurer BF720", "Beurer BF105", "Beurer BF788", "Beurer BF600", "any scale with service 0x181B"),
    reads=("body_composition", "weight"),
    grade=Grade.A,
    documented="Bluetooth SIG Body Composition Service 1.0.1 and GATT Specification Supplement; captures",
)
