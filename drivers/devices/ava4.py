"""
AVA4: an ESP32 gateway that relays BLE sensors over MQTT.

Source   TELY01-DEV/stardust-my-firstcare-com docs/ava4_mqtt_examples.md @fa51f310d1b0 (one integrator's document).
Units    see drivers/ble_hubs.py.
Time     `scan_time`, seconds since 1970. In a document of 2025 it shows 2026 to 2028 while the heartbeat's `time` is
         right: the measurement clock is wrong by years, so a reading's time is kept as estimated and no day counts
         on it.
Quirks   Values in `data.value.device_list`, one entry a sensor; `ble_addr` is the sensor, `mac` the hub. Topics
         ESP32_BLE_GW_TX (status) and dusun_pub or dusun_sub (values). `name` is what a person called the hub.
"""

from dataclasses import replace

from drivers.ble_hubs import hub_status, sensor_marks, sensor_observations
from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from drivers.payload import Node, each_message
from drivers.quantities import mac, technical
from gateway.core.errors import UnknownLayout
from gateway.core.reading import DeviceIdentity, Frame, Sample


def _decode(frame: Frame) -> tuple[Sample, ...]:
    return each_message(frame, _message)


def _message(root: Node) -> tuple[Sample, ...]:
    status = hub_status(root, "ava4")
    if status is not None:
        return (status,)
    body = root["data"]
    hub = mac(root["mac"].identifier())
    sensors = list(body["value"]["device_list"].each())
    if not sensors:
        raise UnknownLayout("The message's device_list is empty.")
    return tuple(_sensor(sensor, hub, body) for sensor in sensors)


def _sensor(sensor: Node, hub: str, body: Node) -> Sample:
    return Sample(
        device=DeviceIdentity(
            id=f"ava4:{mac(sensor['ble_addr'].identifier())}",
            model=body["attribute"].identifier(),
        ),
        hub=hub,
        device_time=replace(sensor["scan_time"].epoch_s(), estimated=True),
        observations=sensor_observations(sensor),
        status=sensor_marks(sensor),
        technical=technical(sensor, {"scan_rssi": "signal_dbm"}),
    )


DRIVER = Driver(
    name="ava4",
    version=1,
    link=Link.MQTT,
    form=Form.TEXT,
    sources={PAYLOAD: _decode},
    models=("AVA4 BLE gateway",),
    reads=("blood_pressure", "spo2", "weight", "temperature", "glucose", "uric_acid", "cholesterol"),
    grade=Grade.C,
    documented="one integrator's payload examples",
)
