"""
Andesfit's ADF-B19 cuff.

Source:  Andesfit's "Application note for App developer" v1.9 (in agungpambudi55/andesfit-blood-pressure-meter). No
         capture is public: the vectors are built from the note's table.
Units:   mmHg or kPa as the flags say; beats per minute.
Order:   flags, systolic, diastolic, mean, [time], [pulse], [user], [status], as the Bluetooth SIG's 0x2A35, high byte
         first; or flags 20 and the pressure in the cuff while it measures
Quirks:  The mean is always 0. That the year too comes high byte first follows from the note and was not seen.
"""

from drivers.contract import Driver, Grade, Link
from drivers.fields import UNSTAMPED, Fields, Stamp, civil, counted
from drivers.sig.blood_pressure import (
    HAS_PULSE,
    HAS_STATUS,
    HAS_TIME,
    HAS_USER,
    UNKNOWN_USER,
    Finding,
    as_pressures,
    pressure_unit,
    sample,
)
from gateway.core.observation import DIASTOLIC, MEAN_ARTERIAL, MMHG, PER_MINUTE, PULSE_RATE, SYSTOLIC, Kind
from gateway.core.reading import Frame, Sample, SampleKind

_LIVE = 1 << 5
_CUFF_PRESSURE = Kind("MDC_PRESS_CUFF", "cuff_pressure")


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One notification of FFF4: a measurement, or the pressure on the way to one."""
    fields = Fields(frame.payload)
    bits = fields.u8()
    found = _live(fields) if bits & _LIVE else _measurement(fields, bits)
    fields.end()
    return (found,)


def _live(fields: Fields) -> Sample:
    return Sample(observations=(counted(_CUFF_PRESSURE, fields.u8(), MMHG),), kind=SampleKind.STATUS)


def _measurement(fields: Fields, bits: int) -> Sample:
    unit = pressure_unit(bits)
    seen = as_pressures(*(fields.sfloat_be_of(kind, unit) for kind in (SYSTOLIC, DIASTOLIC, MEAN_ARTERIAL)))
    stamp = _time(fields) if bits & HAS_TIME else UNSTAMPED
    pulse = (fields.sfloat_be_of(PULSE_RATE, PER_MINUTE),) if bits & HAS_PULSE else ()
    user = fields.u8() if bits & HAS_USER else UNKNOWN_USER
    return sample(seen, Finding(stamp, pulse, user, fields.u16be() if bits & HAS_STATUS else 0))


def _time(fields: Fields) -> Stamp:
    year = fields.u16be()
    month, day, hour, minute, second = (fields.u8() for _ in range(5))
    return civil(year, month, day, hour, minute, second)


DRIVER = Driver(
    name="ble-andesfit",
    version=1,
    link=Link.BLE,
    sources={"FFF4": decode},
    models=("Andesfit ADF-B19",),
    reads=("blood_pressure", "heart_rate"),
    grade=Grade.C,
    documented="Andesfit application note v1.9; no capture",
)
