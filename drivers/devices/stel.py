"""
Stel Vitals Hub, schema stel-v2.0: BLE devices relayed over cellular, one JSON message a measurement.

Source   gtm1235/STEL-BODYTRACE-PROJECT server/src/tests/stel and utils/apiValidation/stel @0212d16bbf53.
Units    stated beside every value; a missing or unknown one is refused, as the maker's schema does.
Time     `measure.time` is the measurement, RFC 3339; `transmissionTime` is when the hub sent it.
Quirks   Fields the schema requires are required here. `irregularPulse` and `inr` have the unit null, `steps` null or
         "steps". A pill cap's `data` is empty: the message is the event, an opening and never a dose. An INR with
         `control` is a quality control. An EKG carries no trace, only its irregular-pulse flag.
"""

from collections.abc import Mapping
from dataclasses import replace

from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from drivers.payload import Node, each_message
from drivers.quantities import GLUCOSE_WORDS, WEIGHT_WORDS, mac, measured, present, stated, words
from gateway.core.errors import BadValue, Truncated, UnknownLayout
from gateway.core.observation import (
    CELSIUS,
    DIASTOLIC,
    FEV1,
    FVC,
    GLUCOSE,
    INR,
    LITRE,
    LITRE_PER_MINUTE,
    MMHG,
    ONE,
    OXIMETER_PULSE_RATE,
    PEAK_FLOW,
    PER_MINUTE,
    PERCENT,
    PULSE_RATE,
    SECOND,
    SPO2,
    STEP_COUNT,
    STEPS,
    SYSTOLIC,
    TEMPERATURE,
    WEIGHT,
    Kind,
    Observation,
    Unit,
)
from gateway.core.reading import Context, DeviceIdentity, Frame, Metric, Sample, SampleKind, Signal

FEV6 = Kind("VG_FEV6", "spirometry")
FEV1_FEV6 = Kind("VG_FEV1_FEV6_RATIO", "spirometry")
PROTHROMBIN_TIME = Kind("VG_PROTHROMBIN_TIME", "coagulation")

_BPM: Mapping[str, Unit] = {"bpm": PER_MINUTE}
_MMHG: Mapping[str, Unit] = {"mmHg": MMHG}
_LITRES: Mapping[str, Unit] = {"liters": LITRE}

Row = tuple[str, Kind, Mapping[str, Unit]]
# measure.type -> fields that must be there, fields that may be there
_NUMBERS: dict[str, tuple[tuple[Row, ...], tuple[Row, ...]]] = {
    "bloodpressure": (
        (
            ("systolic", SYSTOLIC, _MMHG),
            ("diastolic", DIASTOLIC, _MMHG),
            ("heartRate", PULSE_RATE, _BPM),
        ),
        (),
    ),
    "pulseox": ((("spo2", SPO2, {"%": PERCENT}), ("heartRate", OXIMETER_PULSE_RATE, _BPM)), ()),
    "glucose": ((("glucose", GLUCOSE, GLUCOSE_WORDS),), ()),
    "temperature": ((("temperature", TEMPERATURE, {"celsius": CELSIUS}),), ()),
    "weight": ((("weight", WEIGHT, WEIGHT_WORDS),), ()),
    "spirometry": (
        (("fev1", FEV1, _LITRES),),
        (("fvc", FVC, _LITRES), ("pef", PEAK_FLOW, {"L/min": LITRE_PER_MINUTE}), ("fev6", FEV6, _LITRES)),
    ),
    "inr": ((("pt", PROTHROMBIN_TIME, {"secs": SECOND}),), ()),
    "wearable": ((), (("heartRate", PULSE_RATE, _BPM),)),
    "ekg": ((), ()),
    "pillcap": ((), ()),
}


def _decode(frame: Frame) -> tuple[Sample, ...]:
    return each_message(frame, _message)


def _message(root: Node) -> tuple[Sample, ...]:
    if not root["meta"]["schemaVersion"].text().startswith("stel-v2."):
        raise UnknownLayout("The message follows a schema other than stel-v2.")
    device, measure = root["device"], root["measure"]
    type_, body = measure["type"].text(), measure["data"]
    if type_ not in _NUMBERS:
        raise UnknownLayout("The message's measure.type is none this schema knows.")
    body.object()
    sample = Sample(
        device=DeviceIdentity(
            id=f"stel:{mac(device['mac'].text())}",
            manufacturer=_name(device.maybe("make")),
            model=_name(device.maybe("model")),
        ),
        hub=root["hubId"].identifier(),
        message_id=root["id"].identifier(),
        device_time=measure["time"].time(),
        technical=(("transmitted_at", root["transmissionTime"].time().text),),
        observations=_numbers(type_, body),
        status=_irregular(body),
    )
    return (_judged(sample, type_, body),)


def _name(field: Node | None) -> str | None:
    return None if field is None else field.identifier()


def _judged(sample: Sample, type_: str, body: Node) -> Sample:
    """What the type says beyond its numbers."""
    match type_:
        case "ekg":
            body["irregularPulse"].object()
            return replace(sample, kind=SampleKind.STATUS)
        case "pillcap":
            return replace(sample, metric=Metric.THERAPEUTIC, status=("container_opened",))
        case "inr":
            return _control(sample, body)
        case "wearable" if not sample.observations:
            raise Truncated("The message has neither steps nor a heart rate.")
    return sample


def _numbers(type_: str, body: Node) -> tuple[Observation, ...]:
    needed, possible = _NUMBERS[type_]
    read = [stated(body[key], kind, units) for key, kind, units in needed]
    read += [stated(body[key], kind, units) for key, kind, units in possible if key in body]
    return present(*read, *_unitless(type_, body))


def _unitless(type_: str, body: Node) -> list[Observation]:
    """The numbers whose unit the schema wants to be null."""
    table = {
        "wearable": ("steps", STEP_COUNT, STEPS),
        "inr": ("inr", INR, ONE),
        "spirometry": ("fev1fev6", FEV1_FEV6, ONE),
    }
    if type_ not in table or table[type_][0] not in body:
        return []
    key, kind, unit = table[type_]
    field = _without_unit(body[key], *(("steps",) if unit == STEPS else ()))
    return [measured(kind, field["value"].number(), unit)]


def _without_unit(field: Node, *also: str) -> Node:
    if "unit" not in field.object():
        raise Truncated(f"The message has no {field.path}.unit.")
    if field.object()["unit"] not in (None, *also):
        raise BadValue(f"The message's {field.path}.unit is not null.")
    return field


def _irregular(body: Node) -> tuple[str, ...]:
    field = body.maybe("irregularPulse")
    return words(irregular_pulse=field is not None and _without_unit(field)["value"].flag())


def _control(sample: Sample, body: Node) -> Sample:
    """An INR meter checks itself with control solutions of a high and a low level."""
    level, outcome = body.maybe("control"), body.maybe("status")
    status: list[str] = []
    if level is not None:
        status.append(_without_unit(level)["value"].word({"high": "control_high", "low": "control_low"}))
    failed = outcome is not None and _without_unit(outcome)["value"].word({"pass": False, "fail": True})
    return replace(
        sample,
        context=Context.CONTROL if level is not None else Context.NORMAL,
        status=(*status, *words(check_failed=failed)),
        quality=Signal.INVALID if failed else Signal.OK,
    )


DRIVER = Driver(
    name="stel",
    version=1,
    link=Link.MQTT,
    form=Form.TEXT,
    sources={PAYLOAD: _decode},
    models=("Stel Vitals Hub",),
    reads=("blood_pressure", "spo2", "glucose", "temperature", "weight", "spirometry", "coagulation", "medication"),
    grade=Grade.B,
    documented="schema in the validation tests of gtm1235/STEL-BODYTRACE-PROJECT",
)
