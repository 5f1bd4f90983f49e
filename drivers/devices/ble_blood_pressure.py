"""
Blood-pressure cuffs that speak the Bluetooth Blood Pressure Service.

Source:  Bluetooth SIG, Blood Pressure Service 1.1.1 (0x1810); GATT Specification Supplement. Captures of A&D, Omron,
         Beurer, Soehnle and FORA cuffs. Grade A; the enhanced and record characteristics (2B34, 2B35, 2B36) are known
         from the document alone: no cuff that has them was found.
Units:   mmHg or kPa as the cuff says; pulse in beats per minute.
Order:   2A35  flags, systolic, diastolic, mean, [time], [pulse], [user], [status]
         2A36  the same with the live cuff pressure first: never a reading
         2B34  flags, systolic, diastolic, mean, [seconds], [pulse], [user], [status], [seconds shown to the user]
         2B35  flags, live cuff pressure, then as 2B34
         2B36  segment, number, characteristic, the bytes of that characteristic, [CRC]; a stored record
Quirks:  A failed measurement comes with every number NaN (A&D). Mean 0: this cuff gives none (Beurer). No clock: no
         time (A&D, Soehnle), or the factory's date (Beurer BM54: 2022-01-01). Beurer puts its resting indicator into
         reserved bits. The user byte counts from 0 on Beurer.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from drivers.contract import Driver, Grade, Link
from drivers.fields import UNSTAMPED, Fields, Stamp
from drivers.sig.blood_pressure import (
    HAS_TIME,
    Finding,
    finding,
    pressure_unit,
    pressures,
    sample,
)
from gateway.core.errors import UnknownLayout
from gateway.core.observation import Kind, Observation
from gateway.core.reading import Frame, Origin, Sample, SampleKind
from gateway.core.time import DeviceTime

_CUFF_PRESSURE = Kind("MDC_PRESS_CUFF", "cuff_pressure")
_HAS_TIME_SHOWN, _SINCE_2000 = 1 << 5, 1 << 6
_FIRST_SEGMENT, _LAST_SEGMENT = 1 << 0, 1 << 1


def measurement(frame: Frame) -> tuple[Sample, ...]:
    """One indication of 0x2A35: a whole measurement."""
    return (_measurement(Fields(frame.payload)),)


def cuff_pressure(frame: Frame) -> tuple[Sample, ...]:
    """One notification of 0x2A36: the pressure in the cuff while it measures."""
    fields = Fields(frame.payload)
    bits = fields.u8()
    live = fields.sfloat_of(_CUFF_PRESSURE, pressure_unit(bits))
    fields.take(4)  # diastolic and mean are fillers here
    rest = finding(fields, bits, fields.date_time() if bits & HAS_TIME else UNSTAMPED)
    return (_live(live, rest),)


def enhanced(frame: Frame) -> tuple[Sample, ...]:
    """One indication of 0x2B34: a measurement whose times are seconds."""
    return (_enhanced(Fields(frame.payload)),)


def enhanced_cuff_pressure(frame: Frame) -> tuple[Sample, ...]:
    """One notification of 0x2B35."""
    fields = Fields(frame.payload)
    bits = fields.u8()
    live = fields.sfloat_of(_CUFF_PRESSURE, pressure_unit(bits))
    return (_live(live, _enhanced_finding(fields, bits)),)


def record(frame: Frame) -> tuple[Sample, ...]:
    """
    One notification of 0x2B36 that holds a whole stored record.

    A CRC after the record is not checked: only the feature characteristic says whether there is one.
    """
    fields = Fields(frame.payload)
    segment = fields.u8()
    if not (segment & _FIRST_SEGMENT and segment & _LAST_SEGMENT):
        raise UnknownLayout("This is one segment of a stored record; the whole record is needed.")
    number, characteristic = fields.u16le(), fields.u16le()
    if characteristic not in _RECORDS:
        raise UnknownLayout(f"The stored record is of characteristic {characteristic:04X}, which is no measurement.")
    seen = _RECORDS[characteristic](fields)
    return (replace(seen, origin=Origin.STORED, message_id=str(number)),)


def _measurement(fields: Fields) -> Sample:
    bits = fields.u8()
    seen = pressures(fields, pressure_unit(bits))
    stamp = fields.date_time() if bits & HAS_TIME else UNSTAMPED
    return sample(seen, finding(fields, bits, stamp))


def _enhanced(fields: Fields) -> Sample:
    bits = fields.u8()
    seen = pressures(fields, pressure_unit(bits))
    return sample(seen, _enhanced_finding(fields, bits))


def _enhanced_finding(fields: Fields, bits: int) -> Finding:
    stamp = _seconds(fields, bits) if bits & HAS_TIME else UNSTAMPED
    rest = finding(fields, bits, stamp)
    # the time the cuff showed its user is the one a clock pair can place
    return rest._replace(stamp=_seconds(fields, bits)) if bits & _HAS_TIME_SHOWN else rest


def _seconds(fields: Fields, bits: int) -> Stamp:
    first = datetime(2000 if bits & _SINCE_2000 else 1900, 1, 1)  # noqa: DTZ001 -- a device's clock has no zone
    seconds = fields.u32le()
    return Stamp(DeviceTime(first + timedelta(seconds=seconds))) if seconds else UNSTAMPED


def _live(pressure: Observation, rest: Finding) -> Sample:
    return replace(sample((pressure,), rest), kind=SampleKind.STATUS)


_RECORDS = {0x2A35: _measurement, 0x2B34: _enhanced}

DRIVER = Driver(
    name="ble-blood-pressure",
    version=1,
    link=Link.BLE,
    sources={
        "2A35": measurement,
        "2A36": cuff_pressure,
        "2B34": enhanced,
        "2B35": enhanced_cuff_pressure,
        "2B36": record,
    },
    models=(
        "A&D UA-651BLE",
        "A&D UA-656BLE",
        "A&D UA-1200BLE",
        "A&D UM-212BLE",
        "Beurer BM54",
        "Beurer BM77",
        "Beurer BM96",
        "Omron BP5250",
        "Soehnle Systo MC400",
        "FORA D40",
        "Medisana BU5xx",
        "any cuff with service 0x1810",
    ),
    reads=("blood_pressure", "heart_rate"),
    grade=Grade.A,
    documented="Bluetooth SIG Blood Pressure Service 1.1.1 and GATT Specification Supplement; captures",
)
