"""
MQTT QoS 1 to durable, against a bare paho subscriber that acknowledges and does nothing. Aim: 0.7 of its rate.

    python -m bench.mqtt_intake [--count 20000] [--rounds 3] [--window N]

One mosquitto. `live` publishes COUNT different messages at QoS 1 while the subscriber listens, as vendors do; `backlog`
has the broker hold them before, as after a night without the hub. `bare` is paho as its documentation shows it, with
manual acknowledgement. `codec` is this transport with nothing behind it. `hub` is the whole way in: decoded, placed,
chained, encrypted, committed with synchronous=FULL, acknowledged. Each runs in a process of its own; medians are
compared. `--window` sets mosquitto's max_inflight_messages (20 where it is not set).
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

if __package__ in (None, ""):  # started as a file: the project's root in place of bench/
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from drivers.transports.mqtt import listen
from gateway.clock import HubClock
from gateway.core.link import LinkState
from gateway.core.reading import Arrival
from tests.peers.mosquitto import Mosquitto

AIM = 0.7
CLIENT_ID = "bench"
_PROTOCOLS = {5: MQTTProtocolVersion.MQTTv5, 3: MQTTProtocolVersion.MQTTv311}
_LIMIT_S = 120


def main() -> None:
    asked = _arguments()
    if asked.role:
        print(json.dumps(_ROLES[asked.role](asked)))
        return
    with tempfile.TemporaryDirectory(prefix="bench-mqtt-") as folder:
        window = [f"max_inflight_messages {asked.window}"] if asked.window else []
        broker = Mosquitto(Path(folder, "broker"), ["allow_anonymous true", "max_queued_messages 0", *window])
        broker.start()
        try:
            for version in (5, 3):
                for way in ("live", "backlog"):
                    _compare(asked, broker.port, version, way)
        finally:
            broker.kill()


def _compare(asked: argparse.Namespace, port: int, version: int, way: str) -> None:
    runs: dict[str, list[dict[str, float]]] = {role: [] for role in _ROLES}
    for _ in range(asked.rounds):
        for role, seen in runs.items():
            _begin_session(port, version)
            if way == "backlog":
                _publish(port, asked.count)
            command = [sys.executable, "-m", "bench.mqtt_intake", "--role", role, "--port", str(port)]
            command += ["--version", str(version), "--count", str(asked.count)]
            root = Path(__file__).resolve().parents[1]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as measured:
                assert measured.stdout is not None
                measured.stdout.readline()  # it listens
                if way == "live":
                    _publish(port, asked.count)
                seen.append(json.loads(measured.stdout.readline()))
    rates = {role: median(run["per_s"] for run in seen) for role, seen in runs.items()}
    for role, seen in runs.items():
        share, cpu_us = rates[role] / rates["bare"], median(run["cpu_us"] for run in seen)
        rate = f"{rates[role]:>8,.0f} messages/s   {share:.2f} of bare   {cpu_us:.0f} us CPU each"
        print(f"MQTT {version}  {way:8} {role:6} {rate}")
    verdict = "met" if rates["hub"] >= AIM * rates["bare"] else "not met"
    print(f"MQTT {version}  {way:8} aim: hub at least {AIM} of bare: {verdict}")


def _begin_session(port: int, version: int) -> None:
    """End the last session and begin another."""
    _session(port, version, is_new=True)
    _session(port, version, is_new=False)


def _publish(port: int, count: int) -> None:
    """Publish `count` different messages; returns when the broker has acknowledged all."""
    lines = "".join(f"{_message(number)}\n" for number in range(count))
    command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-q", "1", "-t", "stel/1", "-M", "200", "-l"]
    subprocess.run(command, input=lines, text=True, check=True, timeout=_LIMIT_S)


def _message(number: int) -> str:
    """A blood pressure as a STEL hub publishes it (tests/vectors/stel.toml), each with an id and time of its own."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(1_795_000_000 + number))
    return json.dumps(
        {
            "id": f"35263822-7b2e-4683-8720-{number:012d}",
            "meta": {"schemaVersion": "stel-v2.0"},
            "hubId": "ABCDE12345",
            "transmissionTime": moment,
            "device": {"mac": "AB:CD:EF:12:34:5E", "make": None, "model": "BP Cuff"},
            "measure": {
                "type": "bloodpressure",
                "time": moment,
                "data": {
                    "systolic": {"value": 120, "unit": "mmHg"},
                    "diastolic": {"value": 80, "unit": "mmHg"},
                    "heartRate": {"value": 87, "unit": "bpm"},
                    "irregularPulse": {"value": False, "unit": None},
                },
            },
        }
    )


def _client(version: int, *, is_new: bool = False) -> paho.Client:
    session: dict[str, Any] = {} if version == 5 else {"clean_session": is_new}
    return paho.Client(CallbackAPIVersion.VERSION2, CLIENT_ID, protocol=_PROTOCOLS[version], manual_ack=True, **session)


def _connect(client: paho.Client, port: int, version: int, *, is_new: bool = False) -> None:
    if version == 5:
        lasting = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho leaves it so
        lasting.SessionExpiryInterval = 0 if is_new else 3600
        client.connect("127.0.0.1", port, clean_start=is_new, properties=lasting)
    else:
        client.connect("127.0.0.1", port)


def _session(port: int, version: int, *, is_new: bool) -> None:
    client, subscribed = _client(version, is_new=is_new), threading.Event()

    def subscribe(*_: Any) -> None:
        client.subscribe("stel/#", qos=1)

    client.on_connect = subscribe
    client.on_subscribe = lambda *_: subscribed.set()
    _connect(client, port, version, is_new=is_new)
    client.loop_start()
    assert subscribed.wait(_LIMIT_S)
    client.disconnect()
    client.loop_stop()


class _Stopwatch:
    """Wall clock and this process's CPU since the first message."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._began_s, self._began_cpu_s = time.perf_counter(), time.process_time()

    def read(self, count: int) -> dict[str, float]:
        """What `count` messages took."""
        elapsed_s, cpu_s = time.perf_counter() - self._began_s, time.process_time() - self._began_cpu_s
        return {"per_s": count / elapsed_s, "cpu_us": cpu_s / count * 1e6}


def _bare(asked: argparse.Namespace) -> dict[str, float]:
    client, done, left = _client(asked.version), threading.Event(), asked.count

    def acknowledge(_client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        nonlocal left
        if left == asked.count:
            watch.restart()
        client.ack(message.mid, message.qos)
        left -= 1
        if not left:
            done.set()

    client.on_message = acknowledge
    watch = _Stopwatch()
    client.on_connect = lambda *_: print("listening", flush=True)
    _connect(client, asked.port, asked.version)
    client.loop_start()
    assert done.wait(_LIMIT_S)
    measured = watch.read(asked.count)
    client.disconnect()
    client.loop_stop()
    return measured


def _codec(asked: argparse.Namespace) -> dict[str, float]:
    async def keep(_arrivals: Sequence[Arrival]) -> None:
        pass

    async def run() -> dict[str, float]:
        with tempfile.TemporaryDirectory(prefix="bench-hub-") as folder:
            return await _drain(asked, Path(folder), keep)

    return asyncio.run(run())


def _hub(asked: argparse.Namespace) -> dict[str, float]:
    from gateway.lean import share_heaps
    from gateway.wiring import local_desk

    share_heaps()  # as the daemon does

    async def run() -> dict[str, float]:
        with tempfile.TemporaryDirectory(prefix="bench-hub-") as folder:
            async with local_desk(_options(asked, Path(folder))) as desk:
                return await _drain(asked, Path(folder), desk.intake.keep)

    return asyncio.run(run())


async def _drain(asked: argparse.Namespace, folder: Path, keep: Any) -> dict[str, float]:
    (source,) = _options(asked, folder).mqtt
    left, done = asked.count, asyncio.Event()

    async def counted(arrivals: Sequence[Arrival]) -> None:
        nonlocal left
        if left == asked.count:
            watch.restart()
        tally = await keep(arrivals)
        assert tally is None or tally.refused == 0, "the frames of this benchmark are not read"
        left -= len(arrivals)
        if left <= 0:
            done.set()

    watch, link = _Stopwatch(), LinkState("bench", "mqtt")
    task = asyncio.create_task(listen(source, counted, HubClock(), link))
    await link.settled.wait()
    print("listening", flush=True)
    await asyncio.wait_for(done.wait(), _LIMIT_S)
    measured = watch.read(asked.count)
    task.cancel()
    await asyncio.wait([task])
    return measured


def _options(asked: argparse.Namespace, folder: Path) -> Any:
    from config.load import parse

    (folder / "key").write_text("00" * 32)
    return parse(f"""
        [hub]
        id = "hub-bench"
        site = "cloud"
        timezone = "America/New_York"
        [buffer]
        path = "{folder}/buffer.db"
        key = "file:{folder}/key"
        [[mqtt]]
        name = "bench"
        url = "mqtt://127.0.0.1:{asked.port}"
        version = {asked.version}
        client_id = "{CLIENT_ID}"
        topics = [{{ filter = "stel/#", driver = "stel" }}]
    """)


_ROLES = {"bare": _bare, "codec": _codec, "hub": _hub}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--window", type=int, default=0)
    parser.add_argument("--role", choices=_ROLES, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--version", type=int, default=5, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
