"""
Telli Health cellular devices: blood pressure, glucose, weight, SpO2, temperature, peak flow, sleeping mat.

Source   tellihealth/tellihealth-rpm-api-spec openapi.yaml @82ea0bf3fa46 (MIT), models V1 and V2.
Units    blood pressure mmHg, pulse and respiration 1/min, FEV1 L, PEF L/min. Weight, temperature and V2 glucose state
         theirs. V1 glucose has none and none is guessed; the perfusion index `pi` (sample: 20) has none either.
Time     `time` is text: milliseconds since 1970, UTC. `tzOffsetMinutes` ("-200" in the maker's own sample) is no real
         offset and is not used.
Quirks   `mem` "1" is a reading from the device's memory. `devdata.batt` is 0 to 10 or "pwr" (on the charger). A
         heartbeat comes every eight hours. `deviceId` is the IMEI; the older guide had a UUID.
"""

from collections.abc import Callable, Mapping

from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from drivers.payload import Node, each_message
from drivers.quantities import GLUCOSE_WORDS, fixed, maybe_fixed, measured, present, technical, unit_missing, words
from gateway.core.errors import UnknownLayout
from gateway.core.observation import (
    CELSIUS,
    DIASTOLIC,
    FAHRENHEIT,
    FEV1,
    GLUCOSE,
    KG,
    LITRE,
    LITRE_PER_MINUTE,
    MMHG,
    OXIMETER_PULSE_RATE,
    PEAK_FLOW,
    PER_MINUTE,
    PERCENT,
    PERFUSION_INDEX,
    POUND,
    PULSE_RATE,
    RESPIRATION_RATE,
    SPO2,
    SYSTOLIC,
    TEMPERATURE,
    WEIGHT,
    Observation,
)
from gateway.core.reading import DeviceIdentity, Frame, Origin, Sample, SampleKind

_BODY_FACTS = {
    "battery": "battery",
    "rsrp": "rsrp",
    "bodyTurnOver": "body_turns",
    "rem": "rem_sleep",
    "lightSleep": "light_sleep",
    "deepSleep": "deep_sleep",
}
_DEVICE_FACTS = {"r": "signal_of_4", "batt": "battery_of_10", "cycles": "transmit_attempts"}
_ORIGIN = {"0": Origin.LIVE, "1": Origin.STORED}


def _decode(frame: Frame) -> tuple[Sample, ...]:
    return each_message(frame, _message)


def _message(root: Node) -> tuple[Sample, ...]:
    type_ = (root.maybe("readingType") or root["type"]).text()
    if type_ in _STATUS:
        return (_status(root, _STATUS[type_]),)
    if type_ not in _READ:
        raise UnknownLayout("The message's readingType is none Telli Health documents.")
    body = root["data"]
    mem = root.maybe("mem")
    sample = Sample(
        device=_device(root),
        device_time=root["time"].epoch_ms(),
        origin=Origin.LIVE if mem is None else mem.word(_ORIGIN),
        observations=_READ[type_](body),
        status=_flags(body),
        technical=technical(body, _BODY_FACTS) + _device_facts(root),
    )
    return (sample,)


def _status(root: Node, word: str) -> Sample:
    answer = root.maybe("status")
    outcome = () if answer is None else (answer.word({"ACK": "accepted", "NACK": "not_accepted"}),)
    return Sample(
        kind=SampleKind.STATUS,
        device=_device(root),
        device_time=root["time"].epoch_ms(),
        status=(word, *outcome),
        technical=_device_facts(root),
    )


def _device(root: Node) -> DeviceIdentity:
    return DeviceIdentity(id=f"telli:{root['deviceId'].identifier()}", manufacturer="Telli Health")


def _device_facts(root: Node) -> tuple[tuple[str, str], ...]:
    facts = root.maybe("devdata")
    if facts is None:
        return ()
    external = (("power", "external"),) if facts.object().get("batt") == "pwr" else ()
    return technical(facts, _DEVICE_FACTS) + external


def _flags(body: Node) -> tuple[str, ...]:
    arrhythmia, period = body.maybe("arrhythmia"), body.maybe("readingPeriod")
    meal = () if period is None else (period.word({"before": "before_meal", "after": "after_meal"}),)
    return words(irregular_pulse=arrhythmia is not None and arrhythmia.bit()) + meal


def _blood_pressure(body: Node) -> tuple[Observation, ...]:
    return present(
        fixed(body["systolic"], SYSTOLIC, MMHG),
        fixed(body["diastolic"], DIASTOLIC, MMHG),
        maybe_fixed(body, "pulse", PULSE_RATE, PER_MINUTE),
    )


def _oximetry(body: Node) -> tuple[Observation, ...]:
    perfusion = body.maybe("pi")
    return present(
        fixed(body["spo2"], SPO2, PERCENT),
        maybe_fixed(body, "pulse", OXIMETER_PULSE_RATE, PER_MINUTE),
        None if perfusion is None else unit_missing(perfusion, PERFUSION_INDEX),
    )


def _glucose(body: Node) -> tuple[Observation, ...]:
    unit = body.maybe("unit")
    if unit is None:
        return (unit_missing(body["glucose"], GLUCOSE),)
    return (measured(GLUCOSE, body["glucose"].number(), unit.word(GLUCOSE_WORDS)),)


def _weight(body: Node) -> tuple[Observation, ...]:
    return (measured(WEIGHT, body["weight"].number(), body["unit"].word({"kg": KG, "lb": POUND})),)


def _temperature(body: Node) -> tuple[Observation, ...]:
    return (measured(TEMPERATURE, body["temperature"].number(), body["unit"].word({"C": CELSIUS, "F": FAHRENHEIT})),)


def _peak_flow(body: Node) -> tuple[Observation, ...]:
    return (fixed(body["fev1"], FEV1, LITRE), fixed(body["pef"], PEAK_FLOW, LITRE_PER_MINUTE))


def _sleeping_mat(body: Node) -> tuple[Observation, ...]:
    return (fixed(body["pulse"], PULSE_RATE, PER_MINUTE), fixed(body["respiration"], RESPIRATION_RATE, PER_MINUTE))


_READ: Mapping[str, Callable[[Node], tuple[Observation, ...]]] = {
    "BloodPressure": _blood_pressure,
    "BloodGlucose": _glucose,
    "Weight": _weight,
    "SpO2": _oximetry,
    "Temperature": _temperature,
    "PeakFlow": _peak_flow,
    "SleepingMatActivity": _sleeping_mat,
    "SleepingMatDuration": _sleeping_mat,
}
_STATUS = {"Heartbeat": "heartbeat", "ReminderCleared": "reminder_cleared", "SettingsResponse": "settings_answered"}

DRIVER = Driver(
    name="telli",
    version=1,
    link=Link.MQTT,
    form=Form.TEXT,
    sources={PAYLOAD: _decode},
    models=("Telli Health 4G devices",),
    reads=("blood_pressure", "glucose", "weight", "spo2", "temperature", "spirometry", "respiration"),
    grade=Grade.A,
    documented="tellihealth/tellihealth-rpm-api-spec, OpenAPI",
)
