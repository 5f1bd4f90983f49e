"""
Qube-Vital: a Raspberry Pi BLE gateway (CM4_BLE_GW_TX).

Source   TELY01-DEV/stardust-my-firstcare-com docs/Qube-Vital_MQTT_PAYLOAD.md @fa51f310d1b0 (one integrator's document).
Units    see drivers/ble_hubs.py.
Time     `time`, seconds since 1970.
Quirks   The message carries a national id, names, birth date and gender in clear; none of it leaves the frame.
         `data.ble_mac` is the sensor, `mac` the hub. `name` is what a person called the box.
"""

from drivers.ble_hubs import hub_status, sensor_marks, sensor_observations
from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from drivers.payload import Node, each_message
from drivers.quantities import mac
from gateway.core.reading import DeviceIdentity, Frame, Sample


def _decode(frame: Frame) -> tuple[Sample, ...]:
    return each_message(frame, _message)


def _message(root: Node) -> tuple[Sample, ...]:
    status = hub_status(root, "qube-vital")
    if status is not None:
        return (status,)
    body = root["data"]
    sample = Sample(
        device=DeviceIdentity(
            id=f"qube-vital:{mac(body['ble_mac'].identifier())}",
            model=body["attribute"].identifier(),
        ),
        hub=mac(root["mac"].identifier()),
        device_time=root["time"].epoch_s(),
        observations=sensor_observations(body["value"]),
        status=sensor_marks(body["value"]),
    )
    return (sample,)


DRIVER = Driver(
    name="qube-vital",
    version=1,
    link=Link.MQTT,
    form=Form.TEXT,
    sources={PAYLOAD: _decode},
    models=("Qube-Vital",),
    reads=("blood_pressure", "spo2", "weight", "temperature", "glucose"),
    grade=Grade.C,
    documented="one integrator's payload examples",
)
