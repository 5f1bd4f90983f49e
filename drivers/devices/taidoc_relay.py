"""
TaiDoc BP800 cellular blood pressure monitor through a relay's webhook.

Source   AWSBarker/mtrial_2 mtrial/Test_postJSON.py @7163acd1c666.
Units    stated beside every value.
Time     `measurements.timestamp` with its offset. `metadata.receivedTime` (nanoseconds) is the relay's and not used.
Quirks   Booleans are text. `isInRange` is somebody's judgement and is not kept. `IMSI` belongs to a subscriber and
         never leaves the frame.
"""

from collections.abc import Mapping

from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from drivers.payload import Node, each_message
from drivers.quantities import present, stated, words
from gateway.core.errors import UnknownLayout
from gateway.core.observation import DIASTOLIC, KPA, MEAN_ARTERIAL, MMHG, PER_MINUTE, PULSE_RATE, SYSTOLIC, Unit
from gateway.core.reading import DeviceIdentity, Frame, Sample

_PRESSURE: Mapping[str, Unit] = {"mmHg": MMHG, "kPa": KPA}
_RATE: Mapping[str, Unit] = {"bpm": PER_MINUTE}
_TRUTH = {"true": True, "false": False}


def _decode(frame: Frame) -> tuple[Sample, ...]:
    return each_message(frame, _message)


def _message(root: Node) -> tuple[Sample, ...]:
    metadata, device, values = root["metadata"], root["device"], root["measurements"]
    if metadata["measurementType"].text() != "BloodPressure":
        raise UnknownLayout("The message's measurementType is none this relay is known to send.")
    mean, pulse = values.maybe("meanBloodPressure"), values.maybe("pulse")
    sample = Sample(
        device=DeviceIdentity(
            id=f"taidoc-relay:{device['id'].identifier()}",
            manufacturer=_maybe_identifier(device, "manufacturer"),
            model=_maybe_identifier(device, "model"),
            serial=_maybe_identifier(device, "serialNumber"),
        ),
        message_id=metadata["correlationId"].identifier(),
        device_time=values["timestamp"].time(),
        observations=present(
            stated(values["systolicBloodPressure"], SYSTOLIC, _PRESSURE),
            stated(values["diastolicBloodPressure"], DIASTOLIC, _PRESSURE),
            None if mean is None else stated(mean, MEAN_ARTERIAL, _PRESSURE),
            None if pulse is None else stated(pulse, PULSE_RATE, _RATE),
        ),
        status=_flags(values.maybe("annotations")),
    )
    return (sample,)


def _maybe_identifier(device: Node, key: str) -> str | None:
    field = device.maybe(key)
    return None if field is None else field.identifier()


def _flags(annotations: Node | None) -> tuple[str, ...]:
    if annotations is None:
        return ()
    average, irregular = annotations.maybe("averageMeasurement"), annotations.maybe("irregularHeartBeat")
    return words(
        average=average is not None and average.word(_TRUTH),
        irregular_pulse=irregular is not None and irregular.word(_TRUTH),
    )


DRIVER = Driver(
    name="taidoc-relay",
    version=1,
    link=Link.MQTT,
    form=Form.TEXT,
    sources={PAYLOAD: _decode},
    models=("TaiDoc BP800",),
    reads=("blood_pressure",),
    grade=Grade.C,
    documented="one integration's test payload",
)
