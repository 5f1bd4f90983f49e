"""
BodyTrace cellular scales (BT003, BT005) and blood pressure cuffs.

Source   espace/bodytrace @b0b424df8860; GoodMeasuresLLC/bodytrace-testing @338c5628b2ce; Jay100202/BodyTrace-Backend
         @9c8f98f54ee8; davidthewatson/bodytrace_python @13da420d8c3d.
Units    weight always grams, whatever `unit` says: that is what the display shows. Blood pressure in pascal, pulse
         1/min. (A description that says mmHg is contradicted by two integrations that convert from pascal.)
Time     `ts`, milliseconds since 1970, UTC.
Quirks   `tare` above 100 g is a calibration error. Empty `values` is a connectivity message. `rssi` is positive and
         means -dBm. `deviceId` is the IMEI without leading zeros and last digit, as a number; `imei` is the whole one.
"""

from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from drivers.payload import Node, each_message
from drivers.quantities import fixed, maybe_fixed, present, technical, words
from gateway.core.errors import UnknownLayout
from gateway.core.observation import DIASTOLIC, GRAM, PA, PER_MINUTE, PULSE_RATE, SYSTOLIC, WEIGHT, Observation
from gateway.core.reading import DeviceIdentity, Frame, Sample, SampleKind, Signal

_TARE_MAX_G = 100  # GoodMeasuresLLC/bodytrace-testing shows more than this as a fault
_FACTS = {"batteryVoltage": "battery_mv", "rssi": "signal_minus_dbm", "signalStrength": "signal_percent"}


def _decode(frame: Frame) -> tuple[Sample, ...]:
    return each_message(frame, _message)


def _message(root: Node) -> tuple[Sample, ...]:
    identity = root.maybe("imei") or root["deviceId"]
    values = root["values"]
    empty = not values.object()
    tare = values.maybe("tare")
    off = tare is not None and tare.number() > _TARE_MAX_G
    irregular = values.maybe("irregular")
    sample = Sample(
        kind=SampleKind.STATUS if empty else SampleKind.READING,
        device=DeviceIdentity(id=f"bodytrace:{identity.identifier()}", manufacturer="BodyTrace"),
        device_time=root["ts"].epoch_ms(),
        observations=() if empty else _observations(values),
        status=words(
            heartbeat=empty,
            calibration_error=off,
            irregular_pulse=irregular is not None and irregular.bit(),
        ),
        quality=Signal.CAUTION if off else Signal.OK,
        technical=technical(root, _FACTS) + technical(values, {"tare": "tare_g", "unit": "display_unit"}),
    )
    return (sample,)


def _observations(values: Node) -> tuple[Observation, ...]:
    if "weight" not in values and "systolic" not in values:
        raise UnknownLayout("The message's values hold neither a weight nor a blood pressure.")
    weight = maybe_fixed(values, "weight", WEIGHT, GRAM)
    if "systolic" not in values:
        return present(weight)
    return present(
        weight,
        fixed(values["systolic"], SYSTOLIC, PA),
        fixed(values["diastolic"], DIASTOLIC, PA),
        maybe_fixed(values, "pulse", PULSE_RATE, PER_MINUTE),
    )


DRIVER = Driver(
    name="bodytrace",
    version=1,
    link=Link.MQTT,
    form=Form.TEXT,
    sources={PAYLOAD: _decode},
    models=("BodyTrace BT003", "BodyTrace BT005", "BodyTrace blood pressure monitor"),
    reads=("weight", "blood_pressure"),
    grade=Grade.B,
    documented="four independent integrations",
)
