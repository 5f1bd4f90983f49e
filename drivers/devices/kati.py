"""
Kati cellular watch (iMEDE_watch).

Source   TELY01-DEV/stardust-my-firstcare-com docs/KATI_WATCH_MQTT_PAYLOAD.md @fa51f310d1b0 (one integrator's document).
Units    not named: blood pressure mmHg, heart rate 1/min, SpO2 %, temperature Celsius, as the examples show.
Time     `timeStamps` is "DD/MM/YYYY HH:MM:SS" without a zone; inside a batch (AP55) each entry has seconds since 1970.
Quirks   Messages carry the wearer's location, which never leaves the frame. `num_datas` need not equal the number of
         entries. A value the watch did not take is 0. SOS and fall messages are passed on as status; they are no alarm
         of this gateway.
"""

import re

from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from drivers.payload import Node, each_message
from drivers.quantities import fixed, maybe_fixed, present, technical
from gateway.core.errors import BadValue, UnknownLayout
from gateway.core.observation import (
    CELSIUS,
    DIASTOLIC,
    MMHG,
    PER_MINUTE,
    PERCENT,
    PULSE_RATE,
    SPO2,
    SYSTOLIC,
    TEMPERATURE,
    Observation,
)
from gateway.core.reading import DeviceIdentity, Frame, Origin, Sample, SampleKind
from gateway.core.time import DeviceTime

_TIME = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2})")
_FACTS = {"battery": "battery_percent", "signalGSM": "signal", "step": "steps", "satellites": "satellites"}
_VITALS = ("heartRate", "bloodPressure", "spO2", "bodyTemperature")
_STATUS = {"SOS": "sos", "FALL DOWN": "fall", "online": "online", "offline": "offline"}


def _decode(frame: Frame) -> tuple[Sample, ...]:
    return each_message(frame, _message)


def _message(root: Node) -> tuple[Sample, ...]:
    device = DeviceIdentity(id=f"kati:{root['IMEI'].identifier()}")
    if "data" in root:
        return tuple(_entry(entry, device) for entry in root["data"].each())
    if any(key in root for key in _VITALS):
        return (
            Sample(
                device=device,
                device_time=_time(root["timeStamps"]),
                observations=_observations(root),
                technical=technical(root, _FACTS),
            ),
        )
    return (_status(root, device),)


def _entry(entry: Node, device: DeviceIdentity) -> Sample:
    return Sample(
        device=device,
        device_time=entry["timestamp"].epoch_s(),
        origin=Origin.STORED,
        observations=_observations(entry),
    )


def _observations(node: Node) -> tuple[Observation, ...]:
    pressure = node.maybe("bloodPressure")
    read = present(
        *(() if pressure is None else _pressure(pressure)),
        maybe_fixed(node, "heartRate", PULSE_RATE, PER_MINUTE),
        maybe_fixed(node, "spO2", SPO2, PERCENT),
        maybe_fixed(node, "bodyTemperature", TEMPERATURE, CELSIUS),
    )
    if not read:
        raise UnknownLayout("The message holds no value this watch is known to send.")
    return read


def _pressure(node: Node) -> tuple[Observation, ...]:
    return (fixed(node["bp_sys"], SYSTOLIC, MMHG), fixed(node["bp_dia"], DIASTOLIC, MMHG))


def _status(root: Node, device: DeviceIdentity) -> Sample:
    word, stamp = root.maybe("status"), root.maybe("timeStamps")
    if word is not None:
        status = word.word(_STATUS)
    elif "sleep" in root:
        status = "sleep"
    elif "step" in root or "battery" in root:
        status = "heartbeat"
    elif "location" in root:
        status = "location"
    else:
        raise UnknownLayout("The message is none this watch is known to send.")
    return Sample(
        kind=SampleKind.STATUS,
        device=device,
        device_time=None if stamp is None else _time(stamp),
        status=(status,),
        technical=technical(root, _FACTS),
    )


def _time(field: Node) -> DeviceTime:
    parts = _TIME.fullmatch(field.text())
    if parts is None:
        raise BadValue(f"The message's {field.path} is not written DD/MM/YYYY HH:MM:SS.")
    day, month, year, *clock = (int(part) for part in parts.groups())
    return DeviceTime.civil(year, month, day, *clock)


DRIVER = Driver(
    name="kati",
    version=1,
    link=Link.MQTT,
    form=Form.TEXT,
    sources={PAYLOAD: _decode},
    models=("Kati watch",),
    reads=("blood_pressure", "heart_rate", "spo2", "temperature"),
    grade=Grade.C,
    documented="one integrator's payload examples",
)
