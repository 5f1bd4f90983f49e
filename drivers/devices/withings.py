"""
Withings measure groups (getmeas), alone or in the API's answer, and the form-encoded notification that announces them.

Source   developer.withings.com (getmeas, notifications); openmhealth/shimmer shim-server/src/test/resources/org/
         openmhealth/shim/withings/mapper @9c1430dc6965.
Units    a value is `value` x 10^`unit` in the type's own unit: kg, mmHg, 1/min, %, Celsius, m.
Time     `date`, seconds since 1970, UTC.
Quirks   `attrib`: 0, 8 device; 5, 15 the device's own average; 2, 4 typed in; 1 a device that did not know whose value
         it is, and anything else: unknown. `category` 2 is a goal, not a measurement. Unknown measure types are passed
         over, 12 among them: on a scale it is the room. A notification carries a user's id and no values.
"""

from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import parse_qsl

from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from drivers.payload import Node, each_message
from drivers.quantities import measured, words
from gateway.core.errors import UnknownLayout
from gateway.core.observation import (
    BODY_FAT,
    BODY_WATER_MASS,
    CELSIUS,
    DIASTOLIC,
    FAT_FREE_MASS,
    HEIGHT,
    KG,
    METRE,
    MMHG,
    MUSCLE_MASS,
    PER_MINUTE,
    PERCENT,
    PULSE_RATE,
    SPO2,
    SYSTOLIC,
    TEMPERATURE,
    WEIGHT,
    Kind,
    Observation,
    Unit,
)
from gateway.core.reading import Capture, DeviceIdentity, Frame, Sample, SampleKind

_TYPES: Mapping[int, tuple[Kind, Unit]] = {
    1: (WEIGHT, KG),
    4: (HEIGHT, METRE),
    5: (FAT_FREE_MASS, KG),
    6: (BODY_FAT, PERCENT),
    9: (DIASTOLIC, MMHG),
    10: (SYSTOLIC, MMHG),
    11: (PULSE_RATE, PER_MINUTE),
    54: (SPO2, PERCENT),
    71: (TEMPERATURE, CELSIUS),
    76: (MUSCLE_MASS, KG),
    77: (BODY_WATER_MASS, KG),
}
_CAPTURE = {
    0: Capture.DEVICE,
    2: Capture.MANUAL_PATIENT,
    4: Capture.MANUAL_PATIENT,
    5: Capture.DEVICE,
    8: Capture.DEVICE,
    15: Capture.DEVICE,
}
_AVERAGES = (5, 15)
_USER_AMBIGUOUS = 1
_REAL = 1
_GOAL = 2
_NOTIFICATION = frozenset({"userid", "appli", "startdate", "enddate"})
_NOTIFICATION_BYTES_MAX = 4096
_POWER_MAX = 12


def _decode(frame: Frame) -> tuple[Sample, ...]:
    return _notification(frame.payload) or each_message(frame, _message)


def _notification(payload: bytes) -> tuple[Sample, ...]:
    """A status for `userid=...&appli=...`; nothing for any other payload."""
    if len(payload) > _NOTIFICATION_BYTES_MAX or not payload.startswith((b"userid=", b"appli=", b"startdate=")):
        return ()
    fields = dict(parse_qsl(payload.decode("ascii", "replace")))
    if not fields.keys() >= _NOTIFICATION or not fields["appli"].isdecimal() or len(fields["appli"]) > 3:
        raise UnknownLayout("The notification is not one Withings documents.")
    return (Sample(kind=SampleKind.STATUS, status=("notification",), technical=(("appli", fields["appli"]),)),)


def _message(root: Node) -> tuple[Sample, ...]:
    body = root.maybe("body") or root
    groups = body.maybe("measuregrps")
    return (_group(body),) if groups is None else tuple(_group(group) for group in groups.each())


def _group(group: Node) -> Sample:
    attrib, category = group["attrib"].integer(), group["category"].code({_REAL: _REAL, _GOAL: _GOAL})
    observations = () if category == _GOAL else _observations(group["measures"])
    device, model = group.maybe("deviceid"), group.maybe("model")
    return Sample(
        kind=SampleKind.READING if observations else SampleKind.STATUS,
        device=None
        if device is None
        else DeviceIdentity(
            id=f"withings:{device.identifier()}",
            manufacturer="Withings",
            model=None if model is None else model.identifier(),
        ),
        message_id=group["grpid"].identifier(),
        device_time=group["date"].epoch_s(),
        observations=observations,
        capture=_CAPTURE.get(attrib, Capture.UNKNOWN),
        marker=("attrib", str(attrib) if 0 <= attrib < 100 else "other"),
        status=words(
            goal=category == _GOAL,
            average=attrib in _AVERAGES,
            user_ambiguous=attrib == _USER_AMBIGUOUS,
        ),
    )


def _observations(measures: Node) -> tuple[Observation, ...]:
    read = []
    for measure in measures.each():
        type_ = measure["type"].integer()
        if type_ in _TYPES:
            kind, unit = _TYPES[type_]
            read.append(measured(kind, _value(measure), unit))
    if len({one.kind for one in read}) < len(read):
        raise UnknownLayout("The message holds two values of one type.")
    return tuple(read)


def _value(measure: Node) -> Decimal:
    power = measure["unit"].integer()
    if abs(power) > _POWER_MAX:
        raise UnknownLayout(f"The message's {measure.path}.unit is no power of ten a scale uses.")
    return Decimal(measure["value"].integer()).scaleb(power)


DRIVER = Driver(
    name="withings",
    version=1,
    link=Link.MQTT,
    form=Form.TEXT,
    sources={PAYLOAD: _decode},
    models=("Body Pro", "BPM Connect Pro", "Thermo"),
    reads=("weight", "blood_pressure", "spo2", "temperature", "body_composition"),
    grade=Grade.A,
    documented="developer.withings.com; test fixtures of openmhealth/shimmer",
)
