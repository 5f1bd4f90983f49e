"""What the glucose meters with a cable share: which sample was measured, and a value with what stands for none."""

from decimal import Decimal

from gateway.core.errors import BadValue
from gateway.core.observation import GLUCOSE, MG_PER_DL, Absent, Kind, Measured, Observation, Unit, Why

# A blood sample is referenced to plasma or whole blood; a control solution is no blood (IEEE 11073-10101).
PLASMA = Kind("MDC_CONC_GLU_CAPILLARY_PLASMA", "glucose", "2345-7", "14749-6")
WHOLE_BLOOD = GLUCOSE
UNSTATED = Kind("MDC_CONC_GLU_GEN", "glucose", "2339-0", "15074-8")
CONTROL = Kind("MDC_CONC_GLU_CONTROL", "glucose")

MEALS = {"B": ("meal_before",), "A": ("meal_after",)}


def glucose(kind: Kind, value: Decimal, unit: Unit = MG_PER_DL) -> Observation:
    """A concentration; Absent for zero. Raises BadValue below it."""
    if value < 0:
        raise BadValue("A concentration is below zero.")
    return Measured(kind, value, unit) if value else Absent(kind, Why.NOT_AVAILABLE)
