"""
What AVA4 and Qube-Vital write of the BLE sensor behind them: the two hubs of one maker share their value names.

Source   TELY01-DEV/stardust-my-firstcare-com docs/ava4_mqtt_examples.md and docs/Qube-Vital_MQTT_PAYLOAD.md
         @fa51f310d1b0.
Units    no message names one. Blood pressure, pulse, SpO2, weight and temperature come from sensors with one unit each
         (mmHg, 1/min, %, kg, Celsius). Blood sugar, uric acid and cholesterol are sold in two units, and perfusion in
         two scales: these are "unit not stated".
Quirks   Keys differ in case and name between hubs (PR, pr, pulse; temp, Temp; resistance, Resistance). Blood sugar is
         text on one hub and a number on the other. Weights and temperatures carry float32 noise, which is kept.
"""

from collections.abc import Mapping

from drivers.payload import Node
from drivers.quantities import fixed, mac, unit_missing
from gateway.core.errors import BadValue, UnknownLayout
from gateway.core.observation import (
    BODY_IMPEDANCE,
    CELSIUS,
    DIASTOLIC,
    GLUCOSE,
    KG,
    MMHG,
    OHM,
    OXIMETER_PULSE_RATE,
    PER_MINUTE,
    PERCENT,
    PERFUSION_INDEX,
    PULSE_RATE,
    SPO2,
    SYSTOLIC,
    TEMPERATURE,
    WEIGHT,
    Kind,
    Observation,
    Unit,
)
from gateway.core.reading import DeviceIdentity, Metric, Sample, SampleKind

URIC_ACID = Kind("VG_URIC_ACID", "uric_acid")
CHOLESTEROL = Kind("VG_CHOLESTEROL", "cholesterol")

_FIXED: Mapping[str, tuple[Kind, Unit]] = {
    "bp_high": (SYSTOLIC, MMHG),
    "bp_low": (DIASTOLIC, MMHG),
    "PR": (PULSE_RATE, PER_MINUTE),
    "pr": (PULSE_RATE, PER_MINUTE),
    "pulse": (PULSE_RATE, PER_MINUTE),
    "spo2": (SPO2, PERCENT),
    "temp": (TEMPERATURE, CELSIUS),
    "Temp": (TEMPERATURE, CELSIUS),
    "weight": (WEIGHT, KG),
    "resistance": (BODY_IMPEDANCE, OHM),
    "Resistance": (BODY_IMPEDANCE, OHM),
}
_UNIT_NOT_STATED = {
    "blood_glucose": GLUCOSE,
    "pi": PERFUSION_INDEX,
    "uric_acid": URIC_ACID,
    "cholesterol": CHOLESTEROL,
}
_MARKERS = {"before meal": "before_meal", "after meal": "after_meal", "fasting": "fasting"}
_STATUS_TYPES = ("HB_Msg", "reportMsg")


def sensor_observations(value: Node) -> tuple[Observation, ...]:
    """Every value of one sensor; raises UnknownLayout where there is none, BadValue where one stands twice."""
    pulse = OXIMETER_PULSE_RATE if "spo2" in value and "bp_high" not in value else PULSE_RATE
    table = ((key, pulse if kind is PULSE_RATE else kind, unit) for key, (kind, unit) in _FIXED.items())
    read: list[Observation] = [fixed(value[key], kind, unit) for key, kind, unit in table if key in value]
    read += [unit_missing(value[key], kind) for key, kind in _UNIT_NOT_STATED.items() if key in value]
    kinds = [one.kind for one in read]
    if not read:
        raise UnknownLayout(f"The message's {value.path} holds none of the values this hub is known to send.")
    if len(set(kinds)) < len(kinds):
        raise BadValue(f"The message's {value.path} holds one value under two names.")
    if (SYSTOLIC in kinds) != (DIASTOLIC in kinds):
        raise BadValue(f"The message's {value.path} holds half a blood pressure.")
    return tuple(read)


def sensor_marks(value: Node) -> tuple[str, ...]:
    """What the meter says of the meal; other words are passed over."""
    word = value.object().get("marker")
    mark = _MARKERS.get(word.lower()) if isinstance(word, str) else None
    return () if mark is None else (mark,)


def hub_status(root: Node, driver: str) -> Sample | None:
    """A heartbeat or an online message; None for a report of values. Raises UnknownLayout for other types."""
    type_ = root["type"].text()
    if type_ == "reportAttribute":
        return None
    if type_ not in _STATUS_TYPES:
        raise UnknownLayout("The message's type is none this hub is known to send.")
    imei = root.maybe("IMEI")
    return Sample(
        kind=SampleKind.STATUS,
        metric=Metric.TECHNICAL,
        device=DeviceIdentity(
            id=f"{driver}:{mac(root['mac'].identifier())}",
            serial=None if imei is None else imei.identifier(),
        ),
        device_time=root["time"].epoch_s(),
        status=("heartbeat" if type_ == "HB_Msg" else "online",),
    )
