"""
Oximeters that speak the Bluetooth Pulse Oximeter Service.

Source:  Bluetooth SIG, Pulse Oximeter Service 1.0.1 (0x1822), characteristics 0x2A5E (spot-check) and 0x2A5F
         (continuous); a capture of a ChoiceMMed oximeter, unit tests of Stanford Spezi and a MightySat reader.
Units:   percent; beats per minute; pulse amplitude index in percent.
Order:   2A5E  flags, SpO2, pulse, [time], [measurement status], [sensor status], [amplitude index]
         2A5F  flags, SpO2, pulse, [fast SpO2, pulse], [slow SpO2, pulse], [measurement status], [sensor status],
               [amplitude index]
Quirks:  Flag bit 4 of 2A5E says that the clock was never set (ChoiceMMed: 2017). NaN while no finger is in. A live
         stream gives one sample a frame; which of them becomes a reading is the link's rule.
"""

from drivers.contract import Driver, Grade, Link
from drivers.fields import UNSTAMPED, Fields, Stamp, flags
from gateway.core.observation import (
    OXIMETER_PULSE_RATE,
    PER_MINUTE,
    PERCENT,
    PERFUSION_INDEX,
    SPO2,
    Kind,
    Observation,
)
from gateway.core.reading import Context, Frame, Origin, Sample, Signal

_SPOT_TIME, _SPOT_STATUS, _SPOT_SENSOR, _SPOT_INDEX, _CLOCK_NOT_SET = (1 << bit for bit in range(5))
_LIVE_FAST, _LIVE_SLOW, _LIVE_STATUS, _LIVE_SENSOR, _LIVE_INDEX = (1 << bit for bit in range(5))

# The same measurement with a shorter or longer averaging time; the nomenclature names them by a modality, not a code.
_FAST = (Kind("VG_SPO2_FAST", "spo2"), Kind("VG_PULSE_RATE_FAST", "heart_rate"))
_SLOW = (Kind("VG_SPO2_SLOW", "spo2"), Kind("VG_PULSE_RATE_SLOW", "heart_rate"))

_MEASUREMENT = (
    *(None,) * 5,
    "measurement_ongoing",
    "early_estimate",
    "validated",
    "fully_qualified",
    "from_storage",
    "demo",
    "testing",
    "calibration_ongoing",
    "unavailable",
    "questionable",
    "invalid",
)
_SENSOR = (
    "extended_display_update",
    "equipment_malfunction",
    "signal_irregularity",
    "inadequate_signal",
    "poor_signal",
    "low_perfusion",
    "erratic_signal",
    "nonpulsatile_signal",
    "questionable_pulse",
    "signal_analysis_ongoing",
    "sensor_interference",
    "sensor_unconnected",
    "unknown_sensor",
    "sensor_displaced",
    "sensor_malfunction",
    "sensor_disconnected",
)
_STORED = 1 << 9
_TEST = 1 << 10 | 1 << 11
_INVALID = 1 << 13 | 1 << 15
_CAUTION = 1 << 6 | 1 << 12 | 1 << 14
_SENSOR_FAULT = 0xFFFF & ~(1 << 0 | 1 << 9)  # a longer display update and an analysis under way are no faults


def spot(frame: Frame) -> tuple[Sample, ...]:
    """One indication of 0x2A5E: a finished measurement."""
    fields = Fields(frame.payload)
    bits = fields.u8()
    seen = _pair(fields, SPO2, OXIMETER_PULSE_RATE)
    stamp = fields.date_time() if bits & _SPOT_TIME else UNSTAMPED
    if bits & _CLOCK_NOT_SET:
        stamp = Stamp(None, ("clock_not_set",))
    status = fields.u16le() if bits & _SPOT_STATUS else 0
    sensor = fields.u24le() if bits & _SPOT_SENSOR else 0
    if bits & _SPOT_INDEX:
        seen += (fields.sfloat_of(PERFUSION_INDEX, PERCENT),)
    return (_sample(seen, stamp, status, sensor),)


def continuous(frame: Frame) -> tuple[Sample, ...]:
    """One notification of 0x2A5F: what the oximeter shows now."""
    fields = Fields(frame.payload)
    bits = fields.u8()
    seen = _pair(fields, SPO2, OXIMETER_PULSE_RATE)
    if bits & _LIVE_FAST:
        seen += _pair(fields, *_FAST)
    if bits & _LIVE_SLOW:
        seen += _pair(fields, *_SLOW)
    status = fields.u16le() if bits & _LIVE_STATUS else 0
    sensor = fields.u24le() if bits & _LIVE_SENSOR else 0
    if bits & _LIVE_INDEX:
        seen += (fields.sfloat_of(PERFUSION_INDEX, PERCENT),)
    return (_sample(seen, UNSTAMPED, status, sensor),)


def _pair(fields: Fields, saturation: Kind, pulse: Kind) -> tuple[Observation, ...]:
    return fields.sfloat_of(saturation, PERCENT), fields.sfloat_of(pulse, PER_MINUTE)


def _sample(seen: tuple[Observation, ...], stamp: Stamp, status: int, sensor: int) -> Sample:
    return Sample(
        observations=seen,
        device_time=stamp.time,
        context=Context.TEST if status & _TEST else Context.NORMAL,
        origin=Origin.STORED if status & _STORED else Origin.LIVE,
        status=_words(status, sensor) + stamp.status,
        quality=_quality(status, sensor),
    )


def _words(status: int, sensor: int) -> tuple[str, ...]:
    return flags(status, _MEASUREMENT) + flags(sensor, _SENSOR) if status or sensor else ()


def _quality(status: int, sensor: int) -> Signal:
    if status & _INVALID:
        return Signal.INVALID
    return Signal.CAUTION if status & _CAUTION or sensor & _SENSOR_FAULT else Signal.OK


DRIVER = Driver(
    name="ble-pulse-oximeter",
    version=1,
    link=Link.BLE,
    sources={"2A5E": spot, "2A5F": continuous},
    models=("ChoiceMMed MD300", "Nonin 3230", "Masimo MightySat Rx", "any oximeter with service 0x1822"),
    reads=("spo2", "heart_rate"),
    grade=Grade.A,
    documented="Bluetooth SIG Pulse Oximeter Service 1.0.1 and GATT Specification Supplement; a capture",
)
