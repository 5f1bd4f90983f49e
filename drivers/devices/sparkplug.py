"""
Sparkplug B 3.0: metrics of an edge node's devices, as protocol buffers.

Source   eclipse-tahu/tahu sparkplug_b/sparkplug_b.proto @5736e404889d; eclipse.org/tahu/spec/sparkplug_spec.pdf.
Units    the metric's property `engUnit`; without one "unit not stated".
Time     a metric's `timestamp`, milliseconds since 1970, UTC: when it was taken. The payload's is when it was sent, and
         stands in, as estimated, where the metric has none.
Quirks   What a message is stands in its topic. A BIRTH repeats the last value of every metric and a DEATH says the link
         is gone: state, not measurement. After a BIRTH a node may name metrics by alias alone; a decoder has no memory
         of the BIRTH, so such a metric gives a status and its value stays in the frame: have the node send names.
         `is_historical` is stored, `is_null` is no value. `seq` restarts at a BIRTH and orders nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from drivers.payload import Node
from drivers.protobuf import Field, fields
from drivers.quantities import GLUCOSE_WORDS, WEIGHT_WORDS, measured
from gateway.core.errors import BadValue, UnknownLayout
from gateway.core.observation import (
    CELSIUS,
    DIASTOLIC,
    FAHRENHEIT,
    GLUCOSE,
    GRAM,
    HEART_RATE,
    KPA,
    MMHG,
    OXIMETER_PULSE_RATE,
    PER_MINUTE,
    PERCENT,
    PULSE_RATE,
    SPO2,
    SYSTOLIC,
    TEMPERATURE,
    WEIGHT,
    Absent,
    Kind,
    Observation,
    Unit,
    Why,
)
from gateway.core.reading import DeviceIdentity, Frame, Metric, Origin, Sample, SampleKind
from gateway.core.time import DeviceTime

_RATE: Mapping[str, Unit] = {"/min": PER_MINUTE, "1/min": PER_MINUTE, "bpm": PER_MINUTE}
_PRESSURE: Mapping[str, Unit] = {"mmHg": MMHG, "mm[Hg]": MMHG, "kPa": KPA}
_MASS: Mapping[str, Unit] = {**WEIGHT_WORDS, "g": GRAM, "[lb_av]": Unit("[lb_av]")}
_DEGREES: Mapping[str, Unit] = {
    **dict.fromkeys(("Cel", "°C", "C", "celsius"), CELSIUS),
    **dict.fromkeys(("[degF]", "°F", "F", "fahrenheit"), FAHRENHEIT),
}
_NAMES: Mapping[str, tuple[Kind, Mapping[str, Unit]]] = {
    "weight": (WEIGHT, _MASS),
    "systolic": (SYSTOLIC, _PRESSURE),
    "diastolic": (DIASTOLIC, _PRESSURE),
    "pulse": (PULSE_RATE, _RATE),
    "pulse_rate": (PULSE_RATE, _RATE),
    "heart_rate": (HEART_RATE, _RATE),
    "spo2": (SPO2, {"%": PERCENT, "percent": PERCENT}),
    "glucose": (GLUCOSE, GLUCOSE_WORDS),
    "blood_glucose": (GLUCOSE, GLUCOSE_WORDS),
    "body_temperature": (TEMPERATURE, _DEGREES),
}
_STATE = {"NBIRTH": "birth", "DBIRTH": "birth", "NDEATH": "death", "DDEATH": "death"}
_VALUES = ("NDATA", "DDATA")
_COMMANDS = ("NCMD", "DCMD")
_SIGNED_BITS = {1: 8, 2: 16, 3: 32, 4: 64}  # Sparkplug data types Int8 to Int64
_METRICS_MAX = 10_000  # far above any device's; a longer list is no message of one


@dataclass(frozen=True, slots=True)
class _Metric:
    """One metric; `value` is None where it is null, no number, or not finite."""

    name: str | None
    taken_ms: int | None
    is_historical: bool
    value: Decimal | None
    unit: str | None


def _decode(frame: Frame) -> tuple[Sample, ...]:
    type_, device, node = _address(frame.topic)
    sent_ms, metrics = _payload(frame.payload)
    bare = Sample(device=device, hub=node)
    if type_ in _COMMANDS:
        return ()
    if type_ in _STATE:
        return (_status(bare, sent_ms, _STATE[type_]),)
    known = [metric for metric in metrics if metric.name in _NAMES]
    if not known:
        word = "metrics_not_named" if any(m.name is None for m in metrics) else "metrics_not_known"
        return (_status(bare, sent_ms, word),)
    return tuple(_samples(bare, sent_ms, known))


def _address(topic: str | None) -> tuple[str, DeviceIdentity, str]:
    """`spBv1.0/<group>/<type>/<node>[/<device>]` -> type, device, node."""
    parts = (topic or "").split("/")
    if not 4 <= len(parts) <= 5 or parts[0] != "spBv1.0" or not all(parts):
        raise UnknownLayout("A Sparkplug message is read by its topic: spBv1.0/<group>/<type>/<node>[/<device>].")
    _, group, type_, node, *device = parts
    if type_ not in (*_STATE, *_VALUES, *_COMMANDS):
        raise UnknownLayout("The topic's message type is none Sparkplug B defines.")
    name = Node("/".join([group, node, *device]), key="topic").identifier()
    return type_, DeviceIdentity(id=f"sparkplug:{name}"), f"{group}/{node}"


def _status(bare: Sample, sent_ms: int | None, word: str) -> Sample:
    return replace(
        bare,
        kind=SampleKind.STATUS,
        metric=Metric.TECHNICAL,
        device_time=None if sent_ms is None else DeviceTime.epoch_ms(sent_ms),
        status=(word,),
    )


def _samples(bare: Sample, sent_ms: int | None, metrics: list[_Metric]) -> Iterable[Sample]:
    """One sample for all metrics taken at one time."""
    groups: dict[tuple[int | None, bool], list[_Metric]] = {}
    for metric in metrics:
        groups.setdefault((metric.taken_ms, metric.is_historical), []).append(metric)
    has_spo2 = any(metric.name == "spo2" for metric in metrics)
    for (taken_ms, is_historical), group in groups.items():
        yield replace(
            bare,
            device_time=_time(taken_ms, sent_ms),
            origin=Origin.STORED if is_historical else Origin.LIVE,
            observations=tuple(_observation(metric, has_spo2=has_spo2) for metric in group),
        )


def _time(taken_ms: int | None, sent_ms: int | None) -> DeviceTime | None:
    if taken_ms is not None:
        return DeviceTime.epoch_ms(taken_ms)
    return None if sent_ms is None else replace(DeviceTime.epoch_ms(sent_ms), estimated=True)


def _observation(metric: _Metric, *, has_spo2: bool) -> Observation:
    kind, units = _NAMES[metric.name or ""]
    if kind is PULSE_RATE and has_spo2:
        kind = OXIMETER_PULSE_RATE
    if metric.value is None:
        return Absent(kind, Why.NOT_AVAILABLE)
    if metric.unit is None:
        return Absent(kind, Why.UNIT_NOT_STATED)
    if metric.unit not in units:
        raise BadValue(f"The metric's engUnit is none of {', '.join(units)}.")
    return measured(kind, metric.value, units[metric.unit])


def _payload(payload: bytes) -> tuple[int | None, list[_Metric]]:
    """The time of sending and the metrics."""
    sent_ms, metrics = None, []
    for field in fields(payload):
        if field.number == 1:
            sent_ms = field.whole()
        elif field.number == 2:
            metrics.append(_metric(field.raw()))
    if len(metrics) > _METRICS_MAX:
        raise UnknownLayout(f"The message holds {len(metrics)} metrics; at most {_METRICS_MAX} are read.")
    return sent_ms, metrics


def _metric(payload: bytes) -> _Metric:
    found = {field.number: field for field in fields(payload)}
    is_null = 7 in found and bool(found[7].whole())
    return _Metric(
        name=found[1].text() if 1 in found else None,
        taken_ms=found[3].whole() if 3 in found else None,
        is_historical=5 in found and bool(found[5].whole()),
        value=None if is_null else _value(found),
        unit=_unit(found[9].raw()) if 9 in found else None,
    )


def _value(found: Mapping[int, Field]) -> Decimal | None:
    """The value of the oneof: 10 int, 11 long, 12 float, 13 double; None for any other."""
    type_ = found[4].whole() if 4 in found else 0
    for number in (10, 11):
        if number in found:
            bits = _SIGNED_BITS.get(type_)
            return Decimal(found[number].whole() if bits is None else found[number].signed(bits))
    for number in (12, 13):
        if number in found:
            return found[number].real()
    return None


def _unit(payload: bytes) -> str | None:
    """The property `engUnit` of a PropertySet: keys in field 1, values in field 2, in step."""
    keys = [field.text() for field in fields(payload) if field.number == 1]
    values = [field.raw() for field in fields(payload) if field.number == 2]
    for key, value in zip(keys, values, strict=False):
        if key == "engUnit":
            return next((field.text() for field in fields(value) if field.number == 8), None)
    return None


DRIVER = Driver(
    name="sparkplug",
    version=1,
    link=Link.MQTT,
    form=Form.HEX,
    sources={PAYLOAD: _decode},
    models=("Sparkplug B edge nodes",),
    reads=("weight", "blood_pressure", "heart_rate", "spo2", "glucose", "temperature"),
    grade=Grade.A,
    documented="Sparkplug B 3.0 specification and its protocol buffers",
)
