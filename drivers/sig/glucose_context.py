"""
Glucose Measurement Context (0x2A34): the meal, exercise and medication noted beside a measurement.

Source: Bluetooth SIG, Glucose Service 1.0.1; GATT Specification Supplement. Names: IEEE 11073-10417.
Amounts are kg or L as the field says, whatever a meter meant: one sends 90 for 90 g.
"""

from collections.abc import Iterator
from decimal import Decimal

from drivers.fields import Fields
from gateway.core.observation import KG, LITRE, PERCENT, SECOND, Absent, Kind, Measured, Observation, Why
from gateway.core.reading import Frame, Origin, Sample, SampleKind

_HAS_CARB, _HAS_MEAL, _HAS_HEALTH, _HAS_EXERCISE, _HAS_MEDICATION, _IN_LITRES, _HAS_HBA1C, _HAS_MORE = (
    1 << bit for bit in range(8)
)
_CARB = dict(enumerate(("BREAKFAST", "LUNCH", "DINNER", "SNACK", "DRINK", "SUPPER", "BRUNCH"), 1))
_MEDICATION = dict(enumerate(("RAPIDACTING", "SHORTACTING", "INTERMEDIATEACTING", "LONGACTING", "PREMIX"), 1))
_MEAL = dict(enumerate(("meal_before", "meal_after", "meal_fasting", "meal_casual", "meal_bedtime"), 1))
_TESTER = dict(enumerate(("tester_self", "tester_professional", "tester_laboratory"), 1))
_HEALTH = dict(
    enumerate(("health_minor_issues", "health_major_issues", "health_menses", "health_stress", "health_no_issues"), 1)
)
_HBA1C = Kind("MDC_CONC_HBA1C", "glucose_context", "4548-4")
_EXERCISE = Kind("MDC_CTXT_GLU_EXERCISE", "glucose_context")
_EXERCISE_TIME = Kind("VG_EXERCISE_DURATION", "glucose_context")
_OVERRUN = 0xFFFF


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One notification of 0x2A34: what the person or meter noted beside the record of the same number."""
    fields = Fields(frame.payload)
    bits = fields.u8()
    number = fields.u16le()
    if bits & _HAS_MORE:
        fields.u8()
    seen = [*_carbohydrate(fields)] if bits & _HAS_CARB else []
    words = [_MEAL.get(fields.u8())] if bits & _HAS_MEAL else []
    if bits & _HAS_HEALTH:
        both = fields.u8()
        words += [_TESTER.get(both & 0x0F), _HEALTH.get(both >> 4)]
    if bits & _HAS_EXERCISE:
        seen += _exercise(fields)
    if bits & _HAS_MEDICATION:
        name = _MEDICATION.get(fields.u8(), "OTHER")
        kind = Kind(f"MDC_CTXT_MEDICATION_{name}", "glucose_context")
        seen.append(fields.sfloat_of(kind, LITRE if bits & _IN_LITRES else KG))
    if bits & _HAS_HBA1C:
        seen.append(fields.sfloat_of(_HBA1C, PERCENT))
    return (
        Sample(
            observations=tuple(seen),
            kind=SampleKind.STATUS,
            origin=Origin.STORED,
            message_id=str(number),
            status=tuple(word for word in words if word),
        ),
    )


def _carbohydrate(fields: Fields) -> Iterator[Observation]:
    name = _CARB.get(fields.u8(), "OTHER")
    yield fields.sfloat_of(Kind(f"MDC_CTXT_GLU_CARB_{name}", "glucose_context"), KG)


def _exercise(fields: Fields) -> tuple[Observation, ...]:
    raw_s, intensity = fields.u16le(), Measured(_EXERCISE, Decimal(fields.u8()), PERCENT)
    if raw_s == _OVERRUN:
        return Absent(_EXERCISE_TIME, Why.ABOVE_RANGE), intensity
    return Measured(_EXERCISE_TIME, Decimal(raw_s), SECOND), intensity
