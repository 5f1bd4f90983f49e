"""
Validic Inform: measurements of many vendors' devices, as stream or webhook.

Source   validic.atlassian.net/wiki/x/CYA92g; helpdocs.validic.com/docs/inform-connect-submit-measurements.
Units    stated beside every value; an unknown one is refused.
Time     `start_time`, UTC. `utc_offset` (seconds; the maker's own sample says -72000) is not used.
Quirks   Each value has its `origin`: device, manual, unknown and more; values of one message are split by it. Only
         "device" is a device's. `deleted_at` retracts a measurement. `log_id` is the source's own number, `id`
         Validic's; the stream is at-least-once. Summaries, workouts and sleep are no measurements. `user` and its
         notes never leave the frame.
"""

from collections.abc import Mapping
from dataclasses import replace

from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from drivers.payload import Node, each_message
from drivers.quantities import GLUCOSE_WORDS, WEIGHT_WORDS, measured
from gateway.core.errors import UnknownLayout
from gateway.core.observation import (
    BODY_FAT,
    CELSIUS,
    DIASTOLIC,
    FAHRENHEIT,
    GLUCOSE,
    MMHG,
    OXIMETER_PULSE_RATE,
    PER_MINUTE,
    PERCENT,
    PULSE_RATE,
    RESPIRATION_RATE,
    SPO2,
    SYSTOLIC,
    TEMPERATURE,
    WEIGHT,
    Kind,
    Observation,
    Unit,
)
from gateway.core.reading import Capture, DeviceIdentity, Frame, Sample, SampleKind

_PERCENT: Mapping[str, Unit] = {"percent": PERCENT, "%": PERCENT}
_RATE: Mapping[str, Unit] = {"bpm": PER_MINUTE}
_MMHG: Mapping[str, Unit] = {"mmHg": MMHG, "mmhg": MMHG}
_METRICS: Mapping[str, tuple[Kind, Mapping[str, Unit]]] = {
    "systolic": (SYSTOLIC, _MMHG),
    "diastolic": (DIASTOLIC, _MMHG),
    "pulse": (PULSE_RATE, _RATE),
    "spo2": (SPO2, _PERCENT),
    "weight": (WEIGHT, WEIGHT_WORDS),
    "body_weight": (WEIGHT, WEIGHT_WORDS),
    "body_fat": (BODY_FAT, _PERCENT),
    "blood_glucose": (GLUCOSE, GLUCOSE_WORDS),
    "body_temperature": (TEMPERATURE, {"celsius": CELSIUS, "fahrenheit": FAHRENHEIT, "C": CELSIUS, "F": FAHRENHEIT}),
    "respiratory_rate": (RESPIRATION_RATE, _RATE),
}
_CAPTURE = {"device": Capture.DEVICE, "manual": Capture.MANUAL_PATIENT}


def _decode(frame: Frame) -> tuple[Sample, ...]:
    return each_message(frame, _message)


def _message(root: Node) -> tuple[Sample, ...]:
    if root["type"].text() != "measurement":
        raise UnknownLayout("The message's type is not a measurement.")
    sample = Sample(
        device=_device(root),
        message_id=(root.maybe("log_id") or root["id"]).identifier(),
        device_time=root["start_time"].time(),
    )
    if "deleted_at" in root:
        return (replace(sample, kind=SampleKind.STATUS, status=("retracted",), capture=Capture.UNKNOWN),)
    return _by_origin(sample, root["metrics"])


def _device(root: Node) -> DeviceIdentity | None:
    source = root.maybe("source")
    device = None if source is None else source.maybe("device")
    identity = None if device is None else device.maybe("id")
    if device is None or identity is None:
        return None
    model, maker = device.maybe("model"), device.maybe("manufacturer")
    return DeviceIdentity(
        id=f"validic:{identity.identifier()}",
        manufacturer=None if maker is None else maker.identifier(),
        model=None if model is None else model.identifier(),
    )


def _by_origin(sample: Sample, metrics: Node) -> tuple[Sample, ...]:
    groups: dict[str, list[Observation]] = {}
    is_oximeter = any(metric.object().get("type") == "spo2" for metric in metrics.each())
    for metric in metrics.each():
        if metric["type"].text() in _METRICS:
            groups.setdefault(_origin(metric), []).append(_observation(metric, is_oximeter=is_oximeter))
    if not groups:
        raise UnknownLayout("The message holds none of the metrics this driver knows.")
    return tuple(
        replace(
            sample,
            observations=tuple(observations),
            capture=_CAPTURE.get(origin, Capture.UNKNOWN),
            marker=("origin", origin),
        )
        for origin, observations in groups.items()
    )


def _origin(metric: Node) -> str:
    word = metric.object().get("origin")
    if word is None:
        return "absent"
    return word if isinstance(word, str) and word in (*_CAPTURE, "unknown") else "other"


def _observation(metric: Node, *, is_oximeter: bool) -> Observation:
    kind, units = _METRICS[metric["type"].text()]
    if kind is PULSE_RATE and is_oximeter:
        kind = OXIMETER_PULSE_RATE
    return measured(kind, metric["value"].number(), metric["unit"].word(units))


DRIVER = Driver(
    name="validic",
    version=1,
    link=Link.MQTT,
    form=Form.TEXT,
    sources={PAYLOAD: _decode},
    models=("Validic Inform",),
    reads=("blood_pressure", "heart_rate", "spo2", "weight", "glucose", "temperature", "respiration"),
    grade=Grade.A,
    documented="helpdocs.validic.com and validic.atlassian.net",
)
