"""
Theengs Gateway and OpenMQTTGateway: BLE advertisements decoded by a gateway and published over MQTT.

Source   1technophile/OpenMQTTGateway docs/use/ble.md @03025342ff90; theengs/gateway @0c7664ec07a1; theengs/decoder
         tests/BLE/test_ble.cpp @d6fdd205ca67.
Units    a scale names its own (kg, lb or lbs, jin); `tempc` Celsius, `tempf` Fahrenheit, `hum` %, `impedance` ohm.
Time     none, and no number: every advertisement is repeated many times, so an equal one within two minutes is the
         same event.
Quirks   `weighing_mode` "object" is a suitcase, not a patient. A message without the mode is refused, since it does not
         say who was weighed. Room sensors are never body temperature. Numbers may be text. The device's address is in
         `id` or `mac`, else the last part of the topic. Advertisements nobody decoded, and decoded ones that are no
         measurement (beacons, switches), give no sample. `name` is what a person called the device and is not kept.
"""

from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from drivers.payload import Node, each_message
from drivers.quantities import WEIGHT_WORDS, mac, measured, present, spelled, technical
from gateway.core.errors import UnknownLayout
from gateway.core.observation import (
    BODY_IMPEDANCE,
    CATTY,
    CELSIUS,
    FAHRENHEIT,
    OHM,
    PERCENT,
    ROOM_HUMIDITY,
    ROOM_TEMPERATURE,
    WEIGHT,
    Observation,
)
from gateway.core.reading import DeviceIdentity, Frame, Metric, Sample, SampleKind

_REPEAT_S = 120
_TOPIC_MARK = "BTtoMQTT"
# What only a Bluetooth gateway writes: one of these shows that a message without a reading is an advertisement.
_ADVERTISEMENT = ("id", "mac", "rssi", "brand", "model_id", "servicedata", "servicedatauuid", "manufacturerdata")
_UNITS = {**WEIGHT_WORDS, "jin": CATTY}
_FACTS = {"batt": "battery_percent", "volt": "battery_v", "rssi": "signal_dbm"}


def _decode(frame: Frame) -> tuple[Sample, ...]:
    return each_message(frame, lambda root: _message(root, frame.topic))


def _message(root: Node, topic: str | None) -> tuple[Sample, ...]:
    device = _device(root, topic)
    if "weight" in root:
        return (_weighing(root, device),)
    room = _room(root)
    if room:
        return (Sample(device=device, metric=Metric.TECHNICAL, observations=room, technical=technical(root, _FACTS)),)
    if not any(key in root for key in _ADVERTISEMENT):
        raise UnknownLayout("The message is no Bluetooth advertisement.")
    return ()


def _device(root: Node, topic: str | None) -> DeviceIdentity | None:
    field = root.maybe("id") or root.maybe("mac")
    address = _last_of(topic) if field is None else field.identifier()
    if address is None:
        return None
    brand, model = root.maybe("brand"), root.maybe("model")
    return DeviceIdentity(
        id=f"theengs:{mac(address)}",
        manufacturer=None if brand is None else brand.identifier(),
        model=None if model is None else model.identifier(),
    )


def _last_of(topic: str | None) -> str | None:
    """The device's address in `home/<gateway>/BTtoMQTT/<address>`."""
    parts = (topic or "").split("/")
    if len(parts) < 2 or parts[-2] != _TOPIC_MARK or parts[-1] in ("", "undecoded"):
        return None
    return Node(parts[-1], key="topic").identifier()


def _weighing(root: Node, device: DeviceIdentity | None) -> Sample:
    facts = technical(root, _FACTS)
    if not root["weighing_mode"].word({"person": True, "object": False}):
        return Sample(kind=SampleKind.STATUS, device=device, status=("object_weighed",), technical=facts)
    weight = measured(WEIGHT, root["weight"].numeral(), root["unit"].word(_UNITS))
    impedance = root.maybe("impedance")
    return Sample(
        device=device,
        observations=present(weight, None if impedance is None else spelled(impedance, BODY_IMPEDANCE, OHM)),
        technical=facts,
    )


def _room(root: Node) -> tuple[Observation, ...]:
    celsius, fahrenheit, humidity = root.maybe("tempc"), root.maybe("tempf"), root.maybe("hum")
    temperature = None
    if celsius is not None:
        temperature = spelled(celsius, ROOM_TEMPERATURE, CELSIUS)
    elif fahrenheit is not None:
        temperature = spelled(fahrenheit, ROOM_TEMPERATURE, FAHRENHEIT)
    return present(temperature, None if humidity is None else spelled(humidity, ROOM_HUMIDITY, PERCENT))


DRIVER = Driver(
    name="theengs",
    version=1,
    link=Link.MQTT,
    form=Form.TEXT,
    sources={PAYLOAD: _decode},
    models=("Xiaomi Mi Smart Scale", "Xiaomi Mi Body Composition Scale", "room sensors"),
    reads=("weight", "body_composition", "environment"),
    grade=Grade.A,
    documented="theengs.io decoder and gateway, OpenMQTTGateway docs",
    repeat_s=_REPEAT_S,
)
