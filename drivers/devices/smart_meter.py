"""
Smart Meter cellular devices: iBloodPressure, iGlucose, iScale, iPulseOx.

Source   example payloads in public text (the maker's documents are gated); Validic page
         validic.atlassian.net/wiki/x/CYA92g for the oximeter.
Units    named in the keys. Weight and glucose come in two units, one rounded from the other (81.6 kg, 180.0 lb): one
         observation is kept, kilograms and mg/dL, which stand first in the maker's payloads; the other stays in the
         frame. Two values of one weighing would look like two measurements.
Time     `date_recorded` is local without a mark; `time_zone_offset` in hours may be absent, and then the zone is
         unknown. `date_received` is naive UTC, the cloud's, and not used.
Quirks   `reading_id` exceeds 2**49 and is kept as text. `device_user` is the slot on a shared device, not a patient.
         A `qa` that is set has not been seen in public; it makes the value a test.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from drivers.payload import Node, each_message
from drivers.quantities import fixed, maybe_fixed, present, technical, words
from gateway.core.errors import BadValue, Truncated, UnknownLayout
from gateway.core.observation import (
    DIASTOLIC,
    GLUCOSE,
    KG,
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
from gateway.core.reading import Context, DeviceIdentity, Frame, Sample
from gateway.core.time import DeviceTime

_OFFSET_HOURS_MAX = 14


def _decode(frame: Frame) -> tuple[Sample, ...]:
    return each_message(frame, _message)


def _message(root: Node) -> tuple[Sample, ...]:
    type_ = root["reading_type"].text()
    if type_ not in _READ:
        raise UnknownLayout("The message's reading_type is none Smart Meter is known to send.")
    model, imei, user = root.maybe("device_model"), root.maybe("imei"), root.maybe("device_user")
    sample = Sample(
        device=DeviceIdentity(
            id=f"smart-meter:{root['device_id'].identifier()}",
            manufacturer="Smart Meter",
            model=None if model is None else model.identifier(),
            serial=None if imei is None else imei.identifier(),
        ),
        message_id=root["reading_id"].identifier(),
        device_time=_time(root),
        slot=None if user is None else user.slot(),
        observations=_READ[type_](root),
        status=_flags(root),
        context=Context.TEST if root.object().get("qa") else Context.NORMAL,
        technical=technical(root, {"tare_kg": "tare_kg", "tare_lbs": "tare_lb"}),
    )
    return (sample,)


def _time(root: Node) -> DeviceTime:
    time = root["date_recorded"].time()
    offset = root.maybe("time_zone_offset")
    if offset is None or time.offset_minutes is not None:
        return time
    hours = offset.numeral()
    if abs(hours) > _OFFSET_HOURS_MAX or (minutes := hours * 60) != int(minutes):
        raise BadValue("The message's time_zone_offset is no offset that exists.")
    return replace(time, offset_minutes=int(minutes))


def _flags(root: Node) -> tuple[str, ...]:
    irregular, before = root.maybe("irregular"), root.maybe("before_meal")
    return words(
        irregular_pulse=irregular is not None and irregular.bit(),
        before_meal=before is not None and before.bit(),
        after_meal=before is not None and not before.bit(),
    )


def _blood_pressure(root: Node) -> tuple[Observation, ...]:
    return present(
        fixed(root["systolic_mmhg"], SYSTOLIC, MMHG),
        fixed(root["diastolic_mmhg"], DIASTOLIC, MMHG),
        maybe_fixed(root, "pulse_bpm", PULSE_RATE, PER_MINUTE),
    )


def _first_of(root: Node, kind: Kind, units: Mapping[str, Unit]) -> tuple[Observation, ...]:
    for key, unit in units.items():
        if key in root:
            return (fixed(root[key], kind, unit),)
    raise Truncated(f"The message has none of {', '.join(units)}.")


def _glucose(root: Node) -> tuple[Observation, ...]:
    return _first_of(root, GLUCOSE, {"blood_glucose_mgdl": MG_PER_DL, "blood_glucose_mmol": MMOL_PER_L})


def _weight(root: Node) -> tuple[Observation, ...]:
    return _first_of(root, WEIGHT, {"weight_kg": KG, "weight_lbs": POUND})


def _oximetry(root: Node) -> tuple[Observation, ...]:
    return present(
        fixed(root["spo2"], SPO2, PERCENT),
        maybe_fixed(root, "pulse_bpm", OXIMETER_PULSE_RATE, PER_MINUTE),
    )


_READ: Mapping[str, Callable[[Node], tuple[Observation, ...]]] = {
    "blood_pressure": _blood_pressure,
    "blood_glucose": _glucose,
    "weight": _weight,
    "pulse_ox": _oximetry,
}

DRIVER = Driver(
    name="smart-meter",
    version=1,
    link=Link.MQTT,
    form=Form.TEXT,
    sources={PAYLOAD: _decode},
    models=("iBloodPressure SM5000-IB", "iGlucose", "iScale", "iPulseOx"),
    reads=("blood_pressure", "glucose", "weight", "spo2"),
    grade=Grade.C,
    documented="example payloads in public text; the maker's documents are gated",
)
