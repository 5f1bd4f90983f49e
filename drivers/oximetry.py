"""What the small oximeters' own protocols share: two numbers, each with its own stand-in for "none"."""

from drivers.fields import counted
from gateway.core.observation import (
    OXIMETER_PULSE_RATE,
    PER_MINUTE,
    PERCENT,
    SPO2,
    Absent,
    Kind,
    Observation,
    Unit,
    Why,
)


def either(kind: Kind, raw: int, none: tuple[int, ...], unit: Unit, scale: str = "1") -> Observation:
    """A value, or Absent where the number is one that stands for "none"."""
    return Absent(kind, Why.NOT_AVAILABLE) if raw in none else counted(kind, raw, unit, scale)


def spo2(raw: int, *none: int) -> Observation:
    """SpO2 in whole percent."""
    return either(SPO2, raw, none, PERCENT)


def pulse_rate(raw: int, *none: int) -> Observation:
    """The oximeter's pulse rate."""
    return either(OXIMETER_PULSE_RATE, raw, none, PER_MINUTE)
