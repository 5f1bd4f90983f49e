"""
The fields of the Blood Pressure Service that several cuffs share.

Source: Bluetooth SIG, Blood Pressure Service 1.1.1; GATT Specification Supplement, "Blood Pressure Measurement".
"""

from typing import NamedTuple

from drivers.fields import UNSTAMPED, Fields, Stamp, flags
from gateway.core.errors import UnknownLayout
from gateway.core.observation import (
    DIASTOLIC,
    KPA,
    MEAN_ARTERIAL,
    MMHG,
    PER_MINUTE,
    PULSE_RATE,
    SYSTOLIC,
    Absent,
    Measured,
    Observation,
    Unit,
    Why,
)
from gateway.core.reading import Sample, Signal

IN_KPA, HAS_TIME, HAS_PULSE, HAS_USER, HAS_STATUS = (1 << bit for bit in range(5))
_STATUS = ("body_movement", "cuff_loose", "irregular_pulse", None, None, "improper_position")
_PULSE_RANGE = {1: "pulse_above_range", 2: "pulse_below_range"}  # bits 3 and 4; 3 is reserved
# An irregular pulse is a finding about a person; these are about the measurement.
_CAUTION = frozenset({"body_movement", "cuff_loose", "improper_position"})
UNKNOWN_USER = 0xFF
# Only a positive exponent reaches five digits before the point, and no cuff sends one: then these bytes are another
# layout (seen: a cuff that puts its own header before the fields).
_DIGITS_MAX = 4


class Finding(NamedTuple):
    """What follows the pressures."""

    stamp: Stamp = UNSTAMPED
    pulse: tuple[Observation, ...] = ()
    user: int = UNKNOWN_USER
    status: int = 0


def pressure_unit(bits: int) -> Unit:
    """Whether the cuff says mmHg or kPa."""
    return KPA if bits & IN_KPA else MMHG


def pressures(fields: Fields, unit: Unit) -> tuple[Observation, ...]:
    """Systolic, diastolic and mean; raises UnknownLayout for what no cuff sends."""
    seen = (fields.sfloat_of(SYSTOLIC, unit), fields.sfloat_of(DIASTOLIC, unit), fields.sfloat_of(MEAN_ARTERIAL, unit))
    return as_pressures(*seen)


def as_pressures(systolic: Observation, diastolic: Observation, mean: Observation) -> tuple[Observation, ...]:
    """The same once read. A mean of 0 says that this cuff does not give one (Beurer, Andesfit)."""
    for seen in (systolic, diastolic, mean):
        if isinstance(seen, Measured) and seen.value.adjusted() >= _DIGITS_MAX:
            raise UnknownLayout("These pressures are none a cuff can hold; the frame has another layout.")
    if isinstance(mean, Measured) and not mean.value:
        mean = Absent(MEAN_ARTERIAL, Why.NOT_SUPPORTED)
    return systolic, diastolic, mean


def finding(fields: Fields, bits: int, stamp: Stamp) -> Finding:
    """Pulse, user and status, each where `bits` says so."""
    pulse = (fields.sfloat_of(PULSE_RATE, PER_MINUTE),) if bits & HAS_PULSE else ()
    user = fields.u8() if bits & HAS_USER else UNKNOWN_USER
    return Finding(stamp, pulse, user, fields.u16le() if bits & HAS_STATUS else 0)


def sample(seen: tuple[Observation, ...], rest: Finding) -> Sample:
    """A whole measurement."""
    status = status_words(rest.status)
    return Sample(
        observations=seen + rest.pulse,
        device_time=rest.stamp.time,
        slot=None if rest.user == UNKNOWN_USER else rest.user,
        status=status + rest.stamp.status,
        quality=Signal.OK if _CAUTION.isdisjoint(status) else Signal.CAUTION,
    )


def status_words(status: int) -> tuple[str, ...]:
    """The measurement status as words; reserved bits are ignored."""
    if not status:
        return ()
    pulse_range = _PULSE_RANGE.get(status >> 3 & 3)
    return flags(status, _STATUS) + ((pulse_range,) if pulse_range else ())
