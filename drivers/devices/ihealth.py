"""
iHealth cloud records: blood pressure, glucose, SpO2, weight; one record, or the list object that holds them.

Source   openmhealth/shimmer shim-server/src/test/resources/org/openmhealth/shim/ihealth/mapper @9c1430dc6965.
Units    by code on the list object (BPUnit, BGUnit, WeightUnit), here also as `_unit` on a record taken from its list:
         pressure 0 mmHg, 1 kPa; glucose 0 mg/dL, 1 mmol/L; weight 0 kg, 1 lb, 2 stone. A single pressure without a code
         is mmHg, the API's own default; glucose and weight without one are "unit not stated", as is body fat.
Time     `MDate` is the local wall clock written as if it were seconds since 1970 in UTC; `LastChangeTime` is a true
         epoch and proves it. `TimeZone` "-0800" is the offset; as a number its meaning is unknown and it is not used.
Quirks   `DataSource` is FromDevice or Manual: the vendor's mark of a typed value. IsArr -1 is "not reported". `Note`,
         `Lat`, `Lon` and the user's id never leave the frame. No record names its device.
"""

import re
from collections.abc import Callable, Mapping

from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from drivers.payload import Node, each_message
from drivers.quantities import fixed, maybe_fixed, measured, present, unit_missing, words
from gateway.core.errors import UnknownLayout
from gateway.core.observation import (
    BODY_FAT,
    BODY_MASS_INDEX,
    DIASTOLIC,
    GLUCOSE,
    KG,
    KG_PER_M2,
    KPA,
    MG_PER_DL,
    MMHG,
    MMOL_PER_L,
    OXIMETER_PULSE_RATE,
    PER_MINUTE,
    PERCENT,
    POUND,
    PULSE_RATE,
    SPO2,
    SYSTOLIC,
    WEIGHT,
    Kind,
    Observation,
    Unit,
)
from gateway.core.reading import Capture, Frame, Sample
from gateway.core.time import DeviceTime

STONE = Unit("[stone_av]")

_OFFSET = re.compile(r"([+-])([0-9]{2}):?([0-5][0-9])")
_OFFSET_MINUTES_MAX = 14 * 60
_CAPTURE = {"FromDevice": Capture.DEVICE, "Manual": Capture.MANUAL_PATIENT}
_LISTS = {"BPDataList": "BPUnit", "BGDataList": "BGUnit", "BODataList": "", "WeightDataList": "WeightUnit"}


def _decode(frame: Frame) -> tuple[Sample, ...]:
    return each_message(frame, _message)


def _message(root: Node) -> tuple[Sample, ...]:
    for key, unit_key in _LISTS.items():
        if key in root:
            unit = root.maybe(unit_key)
            return tuple(_record(record, unit) for record in root[key].each())
    return (_record(root, None),)


def _record(record: Node, listed: Node | None) -> Sample:
    unit = record.maybe("_unit") or listed
    for key, read in _READ.items():
        if key in record:
            capture, marker = _capture(record)
            return Sample(
                message_id=record["DataID"].identifier(),
                device_time=_time(record),
                observations=read(record, unit),
                status=words(irregular_pulse=record.object().get("IsArr") == 1),
                capture=capture,
                marker=marker,
            )
    raise UnknownLayout("The message holds none of the values iHealth is known to send.")


def _time(record: Node) -> DeviceTime:
    local = record["MDate"].epoch_s().local
    zone = record.object().get("TimeZone")
    parts = _OFFSET.fullmatch(zone) if isinstance(zone, str) else None
    if parts is None:
        return DeviceTime(local)
    sign, hours, minutes = parts.groups()
    offset = int(hours) * 60 + int(minutes)
    if offset > _OFFSET_MINUTES_MAX:
        return DeviceTime(local)
    return DeviceTime(local, -offset if sign == "-" else offset)


def _capture(record: Node) -> tuple[Capture, tuple[str, str]]:
    source = record.object().get("DataSource")
    if isinstance(source, str) and source in _CAPTURE:
        return _CAPTURE[source], ("DataSource", source)
    return Capture.UNKNOWN, ("DataSource", "absent" if source is None else "other")


def _blood_pressure(record: Node, unit: Node | None) -> tuple[Observation, ...]:
    pressure = MMHG if unit is None else unit.code({0: MMHG, 1: KPA})
    return present(
        fixed(record["HP"], SYSTOLIC, pressure),
        fixed(record["LP"], DIASTOLIC, pressure),
        maybe_fixed(record, "HR", PULSE_RATE, PER_MINUTE),
    )


def _glucose(record: Node, unit: Node | None) -> tuple[Observation, ...]:
    return (_coded(record["BG"], GLUCOSE, unit, {0: MG_PER_DL, 1: MMOL_PER_L}),)


def _oximetry(record: Node, _unit: Node | None) -> tuple[Observation, ...]:
    return present(
        fixed(record["BO"], SPO2, PERCENT),
        maybe_fixed(record, "HR", OXIMETER_PULSE_RATE, PER_MINUTE),
    )


def _weight(record: Node, unit: Node | None) -> tuple[Observation, ...]:
    fat = record.maybe("FatValue")
    return present(
        _coded(record["WeightValue"], WEIGHT, unit, {0: KG, 1: POUND, 2: STONE}),
        None if fat is None or not fat.number() else unit_missing(fat, BODY_FAT),
        _mass_index(record),
    )


def _mass_index(record: Node) -> Observation | None:
    """The cloud's own division; it says 0 where it knows no height."""
    field = record.maybe("BMI")
    return None if field is None or not field.number() else fixed(field, BODY_MASS_INDEX, KG_PER_M2)


def _coded(field: Node, kind: Kind, unit: Node | None, units: Mapping[int, Unit]) -> Observation:
    return unit_missing(field, kind) if unit is None else measured(kind, field.number(), unit.code(units))


_READ: Mapping[str, Callable[[Node, Node | None], tuple[Observation, ...]]] = {
    "HP": _blood_pressure,
    "BG": _glucose,
    "BO": _oximetry,
    "WeightValue": _weight,
}

DRIVER = Driver(
    name="ihealth",
    version=1,
    link=Link.MQTT,
    form=Form.TEXT,
    sources={PAYLOAD: _decode},
    models=("iHealth Track", "iHealth Gluco", "iHealth Air", "iHealth Lina"),
    reads=("blood_pressure", "glucose", "spo2", "weight"),
    grade=Grade.B,
    documented="test fixtures of openmhealth/shimmer",
)
