"""
What was measured: kinds, units and values as the device sent them.

Codes are IEEE 11073-10101 reference ids (MDC); LOINC is derived from the code and the unit, never the reverse
(HL7 PHD Implementation Guide, ProfileConsumers). Units are UCUM. What the nomenclature has no term for carries a code
of our own, which begins with `VG_`.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from gateway.core.errors import BadValue

Unit = NewType("Unit", str)

MMHG = Unit("mm[Hg]")
KPA = Unit("kPa")
PA = Unit("Pa")
PER_MINUTE = Unit("/min")
PERCENT = Unit("%")
KG = Unit("kg")
GRAM = Unit("g")
POUND = Unit("[lb_av]")
CATTY = Unit("[VG_catty]")  # jin, 0.5 kg: Chinese scales; not in UCUM
METRE = Unit("m")
CENTIMETRE = Unit("cm")
INCH = Unit("[in_i]")
KG_PER_M2 = Unit("kg/m2")
MG_PER_DL = Unit("mg/dL")
MMOL_PER_L = Unit("mmol/L")
KG_PER_L = Unit("kg/L")
MOL_PER_L = Unit("mol/L")
CELSIUS = Unit("Cel")
FAHRENHEIT = Unit("[degF]")
LITRE = Unit("L")
LITRE_PER_MINUTE = Unit("L/min")
OHM = Unit("Ohm")
KILOJOULE = Unit("kJ")
SECOND = Unit("s")
STEPS = Unit("{steps}")
ONE = Unit("1")

_MASS_CONCENTRATION = frozenset({MG_PER_DL, KG_PER_L})
_MOLAR_CONCENTRATION = frozenset({MMOL_PER_L, MOL_PER_L})


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that can be measured. `loinc_molar` is its LOINC where the unit is an amount of substance."""

    code: str
    modality: str
    loinc: str | None = None
    loinc_molar: str | None = None

    def loinc_for(self, unit: Unit) -> str | None:
        """The LOINC of this kind in this unit; None where the unit leaves it open."""
        if self.loinc_molar is None:
            return self.loinc
        if unit in _MOLAR_CONCENTRATION:
            return self.loinc_molar
        return self.loinc if unit in _MASS_CONCENTRATION else None


def _glucose(code: str) -> Kind:
    return Kind(code, "glucose", "2339-0", "15074-8")


SYSTOLIC = Kind("MDC_PRESS_BLD_NONINV_SYS", "blood_pressure", "8480-6")
DIASTOLIC = Kind("MDC_PRESS_BLD_NONINV_DIA", "blood_pressure", "8462-4")
MEAN_ARTERIAL = Kind("MDC_PRESS_BLD_NONINV_MEAN", "blood_pressure", "8478-0")
PULSE_RATE = Kind("MDC_PULS_RATE_NON_INV", "heart_rate", "8867-4")
OXIMETER_PULSE_RATE = Kind("MDC_PULS_OXIM_PULS_RATE", "heart_rate", "8867-4")
HEART_RATE = Kind("MDC_ECG_HEART_RATE", "heart_rate", "8867-4")
SPO2 = Kind("MDC_PULS_OXIM_SAT_O2", "spo2", "59408-5")
PERFUSION_INDEX = Kind("MDC_PULS_OXIM_PERF_REL", "spo2", "61006-3")
WEIGHT = Kind("MDC_MASS_BODY_ACTUAL", "weight", "29463-7")
HEIGHT = Kind("MDC_LEN_BODY_ACTUAL", "height", "8302-2")
BODY_MASS_INDEX = Kind("MDC_RATIO_MASS_BODY_LEN_SQ", "weight", "39156-5")
BODY_FAT = Kind("MDC_BODY_FAT", "body_composition", "41982-0")
FAT_FREE_MASS = Kind("MDC_MASS_BODY_FAT_FREE", "body_composition")
SOFT_LEAN_MASS = Kind("MDC_MASS_BODY_SOFT_LEAN", "body_composition")
BODY_WATER_MASS = Kind("MDC_BODY_WATER", "body_composition")
MUSCLE_PERCENT = Kind("VG_MUSCLE_PERCENT", "body_composition")
MUSCLE_MASS = Kind("VG_MUSCLE_MASS", "body_composition")
BASAL_METABOLISM = Kind("VG_BASAL_METABOLISM", "body_composition")
BODY_IMPEDANCE = Kind("VG_BODY_IMPEDANCE", "body_composition")
GLUCOSE = _glucose("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD")
TEMPERATURE = Kind("MDC_TEMP_BODY", "temperature", "8310-5")
RESPIRATION_RATE = Kind("MDC_RESP_RATE", "respiration", "9279-1")
PEAK_FLOW = Kind("MDC_FLOW_AWAY_EXP_FORCED_PEAK", "spirometry", "33452-4")
FEV1 = Kind("MDC_VOL_AWAY_EXP_FORCED_1S", "spirometry", "20150-9")
FVC = Kind("MDC_VOL_AWAY_EXP_FORCED_CAPACITY", "spirometry", "19868-9")
ROOM_TEMPERATURE = Kind("VG_ROOM_TEMPERATURE", "environment")  # never body temperature
ROOM_HUMIDITY = Kind("VG_ROOM_HUMIDITY", "environment")
STEP_COUNT = Kind("VG_STEP_COUNT", "activity")
INR = Kind("MDC_RATIO_INR_COAG", "coagulation", "34714-6")

# A cloud that writes a double out in full (77.5643875134944 kg) is inside these; they keep 1e999 out of the ledger.
_DIGITS_MAX = 18
_EXPONENT_MAX = 18


def is_plain(value: Decimal) -> bool:
    """Whether a number is finite and can be written out in plain digits."""
    if not value.is_finite() or abs(value.adjusted()) > _EXPONENT_MAX:
        return False
    # what is written short has few digits; only the rest is taken apart
    return len(str(value)) <= _DIGITS_MAX or len(value.as_tuple().digits) <= _DIGITS_MAX


class Why(StrEnum):
    """Why a device that measured gave no number."""

    NOT_AVAILABLE = "not_available"  # NaN
    NOT_AT_RESOLUTION = "not_at_resolution"  # NRes
    ABOVE_RANGE = "above_range"  # +INF, "HI"
    BELOW_RANGE = "below_range"  # -INF, "LO"
    RESERVED = "reserved"
    UNSUCCESSFUL = "unsuccessful"  # the device says the measurement failed
    NOT_SUPPORTED = "not_supported"  # a filler in a field this model cannot measure
    UNIT_NOT_STATED = "unit_not_stated"  # a number without a unit is not a value; the frame keeps it


@dataclass(frozen=True, slots=True)
class Measured:
    """One value, exactly as the device sent it. Raises BadValue for what no device can mean (NaN, 1e999)."""

    kind: Kind
    value: Decimal
    unit: Unit
    # The value in plain digits with the device's own precision, never in exponent form.
    text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what is no number or could not be written out in plain digits."""
        if not is_plain(self.value):
            raise BadValue(f"{self.kind.code} holds a number no device can mean.")
        object.__setattr__(self, "text", format(self.value, "f"))


@dataclass(frozen=True, slots=True)
class Absent:
    """The device measured this and gave no number: not zero, not missing."""

    kind: Kind
    why: Why


Observation = Measured | Absent
