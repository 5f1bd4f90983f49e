"""The broker settings we ship hold, over a SIGKILL, what queued while the gateway was away."""

import contextlib
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.law.source import ROOT

SHIPPED = ROOT / "systemd" / "mosquitto-vitals.conf"
# Over mosquitto's own limit of 1000 queued messages, which drops silently.
MESSAGES = 1200
PATIENCE_S = 60

pytestmark = pytest.mark.skipif(
    shutil.which("mosquitto") is None, reason="mosquitto is not here; apt-get install mosquitto"
)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def settings(tmp_path: Path, port: int) -> Path:
    """Debian's main configuration with ours beneath it, on another port and in another folder."""
    below = tmp_path / "conf.d"
    below.mkdir()
    (below / "vitals.conf").write_text(SHIPPED.read_text("utf-8").replace("listener 1883", f"listener {port}"), "utf-8")
    main = tmp_path / "mosquitto.conf"
    main.write_text(f"persistence true\npersistence_location {tmp_path}/\nuser root\ninclude_dir {below}\n", "utf-8")
    return main


@contextlib.contextmanager
def broker(settings: Path, port: int) -> Iterator[None]:
    """A running mosquitto; killed, not stopped, at the end."""
    said = settings.with_name("said")
    with said.open("w") as log, subprocess.Popen(["mosquitto", "-c", str(settings)], stderr=log) as running:
        try:
            patience = threading.Event()
            while not _answers(port):
                assert running.poll() is None, said.read_text("utf-8")
                patience.wait(0.02)
            yield
        finally:
            running.kill()
            running.wait(PATIENCE_S)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE_S).close()
    except ConnectionRefusedError:
        return False
    return True


@contextlib.contextmanager
def client(port: int, name: str) -> Iterator[paho.Client]:
    """A connected MQTT 5 client whose session outlives its connection."""
    made = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
    connected = threading.Event()
    made.on_connect = lambda *_: connected.set()
    lasting = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho leaves it untyped
    lasting.SessionExpiryInterval = 3600
    made.connect("127.0.0.1", port, clean_start=False, properties=lasting)
    made.loop_start()
    try:
        assert connected.wait(PATIENCE_S)
        yield made
    finally:
        made.disconnect()
        made.loop_stop()


def test_what_queued_survives_a_killed_broker(settings: Path, port: int) -> None:
    with broker(settings, port):
        with client(port, "hub") as hub:
            subscribed = threading.Event()
            hub.on_subscribe = lambda *_: subscribed.set()
            hub.subscribe("stel/#", qos=1)
            assert subscribed.wait(PATIENCE_S)
        with client(port, "device") as device:
            sent = [device.publish("stel/1", str(number), qos=1) for number in range(MESSAGES)]
            for message in sent:
                message.wait_for_publish(PATIENCE_S)
                assert message.is_published()
        # the broker saves at the end of a turn of its loop; another client's greeting takes a later turn
        with client(port, "witness"):
            pass
    heard: set[str] = set()
    whole = threading.Event()

    def on_message(_client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        heard.add(message.payload.decode())
        if len(heard) == MESSAGES:
            whole.set()

    with broker(settings, port):
        made = paho.Client(CallbackAPIVersion.VERSION2, client_id="hub", protocol=paho.MQTTv5)
        made.on_message = on_message
        made.connect("127.0.0.1", port, clean_start=False)
        made.loop_start()
        arrived = whole.wait(PATIENCE_S)
        made.disconnect()
        made.loop_stop()
    assert arrived, f"{len(heard)} of {MESSAGES} came back"
