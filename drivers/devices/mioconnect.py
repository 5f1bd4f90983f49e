"""
Transtek cellular devices through MioConnect (TeleRPM): cuffs, scales, glucose meters, the BM1000 oximeter.

Source   medkickrpm/api v1/device/mio-connect.go @8885fc2271cd (the field list); public README and front-end samples.
Units    pressure mmHg, pulse 1/min, weight grams, glucose by code (1 mmol/L, 2 mg/dL), SpO2 %, perfusion index in
         tenths of a percent.
Time     seconds since 1970, UTC: `ts` of a cuff, `uptime` of a glucose meter. A scale sends only `upload_time`, and a
         shortened cuff message only `createdAt`, the cloud's: these are kept as estimated, so that a resend is known
         by them and no day is counted on them.
Quirks   `isTest` true is no patient's value. `sample_type` 2 is control liquid, anything but 1 and 2 an invalid sample.
         The BM1000 sends SpO2 127, pulse 255 and perfusion 0 for "no value". `tri` is an average of three. `tz` is
         text in measures and a number in heartbeats, and not used.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from drivers.payload import Node, each_message
from drivers.quantities import fixed, maybe_fixed, measured, present, technical, words
from gateway.core.errors import Truncated, UnknownLayout
from gateway.core.observation import (
    DIASTOLIC,
    GLUCOSE,
    GRAM,
    MG_PER_DL,
    MMHG,
    MMOL_PER_L,
    OXIMETER_PULSE_RATE,
    PER_MINUTE,
    PERCENT,
    PERFUSION_INDEX,
    PULSE_RATE,
    SPO2,
    SYSTOLIC,
    WEIGHT,
    Observation,
)
from gateway.core.reading import Context, DeviceIdentity, Frame, Sample, SampleKind, Signal
from gateway.core.time import DeviceTime

_FACTS = {"bat": "battery_percent", "sig": "signal", "sig_lvl": "signal_level", "tp": "soc_temperature"}
_STATUS_ENDINGS = ("_status", "_log", "_heartbeat")


def _decode(frame: Frame) -> tuple[Sample, ...]:
    return each_message(frame, _message)


def _message(root: Node) -> tuple[Sample, ...]:
    is_test = root.maybe("isTest")
    sample = Sample(context=Context.TEST if is_test is not None and is_test.flag() else Context.NORMAL)
    if "data" in root:
        return (_measure(replace(sample, device=_device(root, root["data"])), root),)
    if "status" in root:
        return (_status(replace(sample, device=_device(root, root["status"])), root),)
    raise Truncated("The message has neither data nor status.")


def _device(root: Node, body: Node) -> DeviceIdentity:
    model, serial = root.maybe("modelNumber"), body.maybe("sn")
    return DeviceIdentity(
        id=f"mioconnect:{root['deviceId'].identifier()}",
        manufacturer="Transtek",
        model=None if model is None else model.identifier(),
        serial=None if serial is None else serial.identifier(),
    )


def _type(body: Node) -> str:
    return (body.maybe("data_type") or body["dataType"]).text()


def _status(sample: Sample, root: Node) -> Sample:
    body = root["status"]
    type_ = _type(body)
    if not type_.endswith(_STATUS_ENDINGS):
        raise UnknownLayout("The message's status.data_type is none MioConnect documents.")
    word = "heartbeat" if type_.endswith("_heartbeat") else "status"
    return replace(
        sample,
        kind=SampleKind.STATUS,
        device_time=replace(root["createdAt"].epoch_s(), estimated=True),
        status=(word,),
        technical=technical(body, _FACTS),
    )


def _measure(sample: Sample, root: Node) -> Sample:
    body = root["data"]
    type_ = "oximeter" if "spo2" in body else _type(body)
    if type_ not in _READ:
        raise UnknownLayout("The message's data.data_type is none MioConnect documents.")
    read, clock = _READ[type_]
    user = body.maybe("user")
    filled = replace(
        sample,
        device_time=_time(root, body, clock),
        observations=read(body),
        status=_flags(body),
        slot=None if user is None else user.slot(),
        technical=technical(body, _FACTS),
    )
    return _strip(filled, body) if type_ == "bgm_gen1_measure" else filled


def _time(root: Node, body: Node, clock: str) -> DeviceTime:
    own = body.maybe(clock)
    if own is not None and clock != "upload_time":
        return own.epoch_s()
    return replace((own or root["createdAt"]).epoch_s(), estimated=True)


def _flags(body: Node) -> tuple[str, ...]:
    bits = {"ihb": "irregular_pulse", "hand": "movement", "tri": "average_of_three"}
    return tuple(word for key, word in bits.items() if key in body and body[key].bit())


def _strip(sample: Sample, body: Node) -> Sample:
    """What a glucose meter says of the strip: blood or control liquid, before or after a meal."""
    type_, meal = body["sample_type"].integer(), body.maybe("meal")
    word = None if meal is None else {1: "before_meal", 2: "after_meal"}.get(meal.integer())
    return replace(
        sample,
        context=Context.CONTROL if type_ == 2 else sample.context,
        quality=Signal.OK if type_ in (1, 2) else Signal.INVALID,
        status=(*sample.status, *(() if word is None else (word,)), *words(sample_invalid=type_ not in (1, 2))),
    )


def _blood_pressure(body: Node) -> tuple[Observation, ...]:
    return present(
        fixed(body["sys"], SYSTOLIC, MMHG),
        fixed(body["dia"], DIASTOLIC, MMHG),
        maybe_fixed(body, "pul", PULSE_RATE, PER_MINUTE),
    )


def _weight(body: Node) -> tuple[Observation, ...]:
    return (fixed(body["wt"], WEIGHT, GRAM),)


def _glucose(body: Node) -> tuple[Observation, ...]:
    return (measured(GLUCOSE, body["data"].number(), body["unit"].code({1: MMOL_PER_L, 2: MG_PER_DL})),)


def _oximetry(body: Node) -> tuple[Observation, ...]:
    perfusion = body.maybe("pi")
    return present(
        fixed(body["spo2"], SPO2, PERCENT),
        maybe_fixed(body, "pr", OXIMETER_PULSE_RATE, PER_MINUTE),
        None if perfusion is None else measured(PERFUSION_INDEX, perfusion.number().scaleb(-1), PERCENT),
    )


# data_type -> reader, and the field with the meter's own clock
_READ: Mapping[str, tuple[Callable[[Node], tuple[Observation, ...]], str]] = {
    "bpm_gen2_measure": (_blood_pressure, "ts"),
    "scale_gen2_measure": (_weight, "upload_time"),
    "bgm_gen1_measure": (_glucose, "uptime"),
    "oximeter": (_oximetry, "ts"),
}

DRIVER = Driver(
    name="mioconnect",
    version=1,
    link=Link.MQTT,
    form=Form.TEXT,
    sources={PAYLOAD: _decode},
    models=("TMB-2092-G", "GBS-2104-G", "TMB-2282-G", "LS802-GP", "BS-2001-G1", "BM1000"),
    reads=("blood_pressure", "weight", "glucose", "spo2"),
    grade=Grade.C,
    documented="field list in medkickrpm/api, samples in public text",
)
