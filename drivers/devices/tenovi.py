"""
Tenovi HWI measurement webhook: cuffs, oximeters, scales, glucose meters, thermometers, pill boxes and patch caps.

Source   docs.tenovi.com/hwi-api/webhooks/measurement-webhooks, docs.tenovi.com/guides/device-overview,
         tenovi.com/hwi-device-overview; metriport/metriport packages/api/src/command/webhook/tenovi.ts @c6751a33ac5d;
         nbatra22/syntrillo-docs (payload).
Units    values are text. Pressure mmHg, pulse 1/min, SpO2 and perfusion index %, weight pounds, temperature Fahrenheit,
         glucose mg/dL. Peak flow and FEV1: the unit is not stated in what is public, and not guessed.
Time     `timestamp`, UTC. `estimated_timestamp` true: the gateway guessed it. `created` is the server's and not used.
Quirks   One message a metric; pressure and pulse of one measurement share `timestamp` and `measurement_index`.
         `value_2` "0.00" is filler; SpO2's is a standard deviation. `measurement_location` "control solution" is no
         patient's glucose. `irregular_heartbeat` comes only when detected. Scale sensor codes are unknown: `metric`
         decides. `hardware_uuid` changes when hardware is replaced; `hwi_device_id` is the assignment.
         A pill box's values name the compartment (1 Sunday to 7 Saturday; 1 AM, 2 PM), not the time: an access event,
         never a dose.
"""

from collections.abc import Mapping
from dataclasses import replace

from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from drivers.payload import Node, each_message
from drivers.quantities import measured, technical, unit_missing
from gateway.core.errors import UnknownLayout
from gateway.core.observation import (
    DIASTOLIC,
    FAHRENHEIT,
    FEV1,
    GLUCOSE,
    MG_PER_DL,
    MMHG,
    OXIMETER_PULSE_RATE,
    PEAK_FLOW,
    PER_MINUTE,
    PERCENT,
    PERFUSION_INDEX,
    POUND,
    PULSE_RATE,
    SPO2,
    SYSTOLIC,
    TEMPERATURE,
    WEIGHT,
    Kind,
    Observation,
    Unit,
)
from gateway.core.reading import Context, DeviceIdentity, Frame, Metric, Sample, SampleKind
from gateway.core.time import DeviceTime

_NUMBERS: Mapping[str, tuple[Kind, Unit]] = {
    "pulse": (PULSE_RATE, PER_MINUTE),
    "spO2": (SPO2, PERCENT),
    "perfusion_index": (PERFUSION_INDEX, PERCENT),
    "weight": (WEIGHT, POUND),
    "temperature": (TEMPERATURE, FAHRENHEIT),
    "glucose": (GLUCOSE, MG_PER_DL),
    "blood_glucose": (GLUCOSE, MG_PER_DL),
}
_UNIT_NOT_STATED = {"peak_expiratory_flow": PEAK_FLOW, "forced_expiratory_volume": FEV1}
_STATUS: Mapping[str, tuple[SampleKind, Metric, str]] = {
    "irregular_heartbeat": (SampleKind.STATUS, Metric.PHYSIOLOGIC, "irregular_pulse"),
    "battery_percentage": (SampleKind.STATUS, Metric.TECHNICAL, "battery"),
    "alert": (SampleKind.ALERT_TECHNICAL, Metric.TECHNICAL, "alert"),
    "no_measurement_event": (SampleKind.STATUS, Metric.TECHNICAL, "no_measurement"),
    "low_battery_event": (SampleKind.ALERT_TECHNICAL, Metric.TECHNICAL, "low_battery"),
    "patchcap_time_updated_event": (SampleKind.STATUS, Metric.TECHNICAL, "time_updated"),
    "patchcap_bluetooth_event": (SampleKind.STATUS, Metric.TECHNICAL, "bluetooth"),
    "pillbox_refill_initiated": (SampleKind.STATUS, Metric.THERAPEUTIC, "refill_initiated"),
    "pillbox_refilled": (SampleKind.STATUS, Metric.THERAPEUTIC, "refilled"),
}
_DAYS = {1: "sunday", 2: "monday", 3: "tuesday", 4: "wednesday", 5: "thursday", 6: "friday", 7: "saturday"}
_HALVES = {1: "am", 2: "pm"}
_MEALS = {"fasting": "fasting", "before meal": "before_meal", "after meal": "after_meal"}
_OXIMETER = "11"
_FACTS = {"timezone_offset": "timezone_offset_h"}


def _decode(frame: Frame) -> tuple[Sample, ...]:
    return each_message(frame, _message)


def _message(root: Node) -> tuple[Sample, ...]:
    hardware, name = root.maybe("hardware_uuid"), root.maybe("device_name")
    params = root.maybe("filter_params")
    sample = Sample(
        device=DeviceIdentity(
            id=f"tenovi:{root['hwi_device_id'].identifier()}",
            manufacturer="Tenovi",
            model=None if name is None else name.identifier(),
            serial=None if hardware is None else hardware.identifier(),
        ),
        device_time=_time(root),
        technical=technical(root, _FACTS)
        + (() if params is None else technical(params, {"measurement_index": "measurement_index"})),
    )
    return (_filled(sample, root, root["metric"].text()),)


def _time(root: Node) -> DeviceTime:
    guessed = root.maybe("estimated_timestamp")
    return replace(root["timestamp"].time(), estimated=guessed is not None and guessed.bit())


def _filled(sample: Sample, root: Node, metric: str) -> Sample:
    if metric in _STATUS:
        kind, class_, word = _STATUS[metric]
        facts = technical(root, {"value_1": "battery_percent"}) if metric == "battery_percentage" else ()
        return replace(sample, kind=kind, metric=class_, status=(word,), technical=sample.technical + facts)
    if metric == "pillbox_opened":
        return _pillbox(sample, root)
    if metric == "patchcap_open_close_event":
        return _patchcap(sample, root)
    facts = technical(root, {"value_2": "spo2_standard_deviation"}) if metric == "spO2" else ()
    return replace(
        sample,
        observations=_observations(root, metric),
        context=_context(root),
        status=_meal(root),
        technical=sample.technical + facts,
    )


def _observations(root: Node, metric: str) -> tuple[Observation, ...]:
    first = root["value_1"]
    if metric == "blood_pressure":
        return (
            measured(SYSTOLIC, first.numeral(), MMHG),
            measured(DIASTOLIC, root["value_2"].numeral(), MMHG),
        )
    if metric in _UNIT_NOT_STATED:
        return (unit_missing(first, _UNIT_NOT_STATED[metric]),)
    if metric not in _NUMBERS:
        raise UnknownLayout("The message's metric is none Tenovi documents.")
    kind, unit = _NUMBERS[metric]
    if kind is PULSE_RATE and root.object().get("sensor_code") == _OXIMETER:
        kind = OXIMETER_PULSE_RATE
    return (measured(kind, first.numeral(), unit),)


def _pillbox(sample: Sample, root: Node) -> Sample:
    day, half = root["value_1"].code_numeral(_DAYS), root["value_2"].code_numeral(_HALVES)
    return replace(
        sample,
        metric=Metric.THERAPEUTIC,
        status=("compartment_opened", f"compartment_{day}", f"compartment_{half}"),
    )


def _patchcap(sample: Sample, root: Node) -> Sample:
    opened = root["value_1"].code_numeral({0: False, 1: True})
    return replace(
        sample,
        kind=SampleKind.READING if opened else SampleKind.STATUS,
        metric=Metric.THERAPEUTIC,
        status=("container_opened" if opened else "container_closed",),
    )


def _context(root: Node) -> Context:
    params = root.maybe("filter_params")
    place = None if params is None else params.maybe("measurement_location")
    # the exact spelling is not documented; a patient's finger is never called control
    return Context.CONTROL if place is not None and "control" in place.text().lower() else Context.NORMAL


def _meal(root: Node) -> tuple[str, ...]:
    params = root.maybe("filter_params")
    meal = None if params is None else params.object().get("meal_context")
    word = _MEALS.get(meal.lower().replace("_", " ")) if isinstance(meal, str) else None
    return () if word is None else (word,)


DRIVER = Driver(
    name="tenovi",
    version=1,
    link=Link.MQTT,
    form=Form.TEXT,
    sources={PAYLOAD: _decode},
    models=("Tenovi BPM", "Tenovi Pulse Oximeter", "Tenovi Scale", "Tenovi Glucometer", "Tenovi Pillbox", "PatchCap"),
    reads=("blood_pressure", "spo2", "weight", "temperature", "glucose", "medication"),
    grade=Grade.A,
    documented="docs.tenovi.com, measurement webhooks",
)
