"""The virtual devices' side of the broker: QoS 1, and a publish counts when the broker has acknowledged it."""

import asyncio
from collections.abc import Sequence

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from drivers.virtual.cellular import Message
from gateway.core.errors import LinkLost

_ACKNOWLEDGED_S = 30.0


async def publish(port: int, messages: Sequence[Message]) -> None:
    """Publish every message; returns when the broker holds all of them."""
    await asyncio.to_thread(_publish, port, messages)


def _publish(port: int, messages: Sequence[Message]) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="virtual-devices")
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        sent = [client.publish(message.topic, message.payload, qos=1) for message in messages]
        for each in sent:
            each.wait_for_publish(_ACKNOWLEDGED_S)
            if not each.is_published():
                raise LinkLost("The demo's broker did not acknowledge a message; run the demo again.")
    finally:
        client.disconnect()
        client.loop_stop()
