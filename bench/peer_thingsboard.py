"""
Messages a second into the store, and messages lost over three kills: thingsboard-gateway beside this gateway.

    python -m bench.peer_thingsboard [--count 20000] [--rounds 3] [--venv FOLDER]

The peer comes from PyPI into an environment of its own, made at the first use in FOLDER (by default
~/.cache/vitals-gateway-bench/tb); where that cannot be done this says so and exits 69. It runs as its makers set it up,
with SQLite storage and its MQTT connector, and a session that lasts. Both get the same payloads over a mosquitto of
the same settings, and send on meanwhile to a cloud that takes everything and keeps nothing.

`rate` ends when the last message is in the store or beyond. `kills` publishes as many again, kills the gateway at a
quarter, a half and three quarters, and starts it again; what neither store nor cloud holds, once all is quiet, was
acknowledged to the broker and lost. Aims: twice the peer's rate, nothing lost.
"""

import argparse
import asyncio
import itertools
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Protocol

if __package__ in (None, ""):  # started as a file: the project's root in place of bench/
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from bench._town import Town, settled
from bench.drain import PATH, sink
from bench.mqtt_intake import _message
from buffer.connection import connect_reader
from buffer.options import BufferOptions
from gateway.control import asked
from gateway.core.secret import SecretRef
from tests.peers.mosquitto import Mosquitto

PEER = "thingsboard-gateway==3.8.5"
VENV = Path("~/.cache/vitals-gateway-bench/tb").expanduser()
AIM = 2.0
KILLS = 3
_PROBES = 10**9  # the number of the first message that only shows whether anybody listens
UNAVAILABLE = 69  # sysexits.h
_TOKEN = "bench"  # noqa: S105 -- the peer's user name at its fake cloud, on loopback
_LIMIT_S, _QUIET_S, _POLL_S = 300.0, 15.0, 0.05
_ID = re.compile(r"35263822-7b2e-4683-8720-([0-9]{12})")
_LIMITS = {"maxPayloadSize": 65_536, "maxInflightMessages": 100, "rateLimits": {}, "gatewayRateLimits": {}}
_ACL = f"""
user {_TOKEN}
topic write v1/#
topic read v1/devices/me/rpc/response/#
user cloud
topic readwrite #
"""


class Subject(Protocol):
    """A gateway under measurement."""

    broker: Mosquitto

    def start(self) -> None:
        """Start the process; it need not listen yet."""

    def kill(self) -> None:
        """SIGKILL."""

    def holds(self) -> set[int]:
        """The numbers of the messages in its store or beyond."""

    def count(self) -> int:
        """How many messages it holds, cheaply."""


Opened = Callable[[Path], AbstractContextManager[Subject]]


class Ours:
    """This gateway, and a backend that takes everything."""

    def __init__(self, town: Town) -> None:
        self.broker = town.broker
        self._town = town
        self._store = town.folder / "buffer.db"
        self._before = 0

    def start(self) -> None:
        """Returns at READY."""
        self._town.start_daemon()

    def kill(self) -> None:
        """SIGKILL. A daemon counts from its start, so what is there is counted once more."""
        assert self._town.daemon is not None
        self._town.daemon.kill()
        self._town.daemon.wait()
        self._before = len(self.holds())

    def holds(self) -> set[int]:
        """What the store holds."""
        options = BufferOptions(self._store, key=SecretRef("file", f"{self._town.folder}/buffer.key"))
        with closing(connect_reader(options)) as db:
            rows = db.execute("SELECT bytes FROM record WHERE type = 'reading'")
            return {number for (record,) in rows for number in _numbers(record.decode())}

    def count(self) -> int:
        """By the daemon's own word, which counts what is durable."""
        answer = asyncio.run(asked(self._store, {"do": "status"}))
        return self._before + (answer["counts"]["readings"] if answer else 0)


class Peer:
    """thingsboard-gateway with a cloud that takes everything."""

    def __init__(self, folder: Path, python: Path, broker: Mosquitto, cloud: Mosquitto) -> None:
        self.broker = broker
        self._folder, self._python = folder, python
        self._sent: set[int] = set()
        self._stored: set[int] = set()
        self._row = 0
        self._running: subprocess.Popen[bytes] | None = None
        self._configure(cloud.port)
        self._listen(cloud.port)

    def _configure(self, cloud_port: int) -> None:
        config = self._folder / "config"
        config.mkdir()
        (site,) = self._python.parents[1].glob("lib/python3*/site-packages/thingsboard_gateway/config")
        shutil.copy(site / "logs.json", config)
        general = json.loads((site / "tb_gateway.json").read_text())
        general["thingsboard"] |= {
            "host": "127.0.0.1",
            "port": cloud_port,
            "remoteConfiguration": False,
            "security": {"type": "accessToken", "accessToken": _TOKEN},
        }
        general["storage"] = {"type": "sqlite", "data_file_path": f"{self._folder}/data/"}
        general["connectors"] = [{"type": "mqtt", "name": "bench", "configuration": "mqtt.json"}]
        (config / "tb_gateway.json").write_text(json.dumps(general))
        (config / "mqtt.json").write_text(json.dumps(_connector(self.broker.port)))

    def _listen(self, port: int) -> None:
        self._cloud = paho.Client(CallbackAPIVersion.VERSION2, "cloud")
        self._cloud.username_pw_set("cloud")
        self._cloud.on_connect = lambda client, *_: client.subscribe("v1/#", qos=1)
        self._cloud.on_message = self._taken
        self._cloud.connect("127.0.0.1", port)
        self._cloud.loop_start()

    def _taken(self, client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        """What the peer says to its cloud. It sends nothing before it heard what its session may."""
        if message.topic.startswith("v1/devices/me/rpc/request/"):
            client.publish(message.topic.replace("request", "response"), json.dumps(_LIMITS), qos=1)
        self._sent.update(_numbers(message.payload.decode()))

    def start(self) -> None:
        """Returns at once; a probe shows when it listens."""
        self._running = subprocess.Popen(
            [self._python, "-c", "from thingsboard_gateway.tb_gateway import main; main()"],
            cwd=self._folder,
            env=os.environ | {"TB_GW_CONFIG_DIR": str(self._folder / "config")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        """SIGKILL."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()

    def holds(self) -> set[int]:
        """What its store held when looked at, and what its cloud has."""
        store = self._folder / "data" / "data.db"
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
            for row, text in db.execute("SELECT id, message FROM messages WHERE id > ?", (self._row,)):
                self._stored.update(_numbers(text))
                self._row = row
        return self._stored | self._sent

    def count(self) -> int:
        """As above."""
        return len(self.holds())

    def close(self) -> None:
        """End it and its cloud's ear."""
        self.kill()
        self._cloud.disconnect()
        self._cloud.loop_stop()


def _connector(port: int) -> dict[str, Any]:
    # A value is named by its message: the peer keeps the last of equal names within a millisecond, by design.
    fields = {"${id}": "systolic", "diastolic": "diastolic", "pulse": "heartRate"}
    return {
        "broker": {
            "host": "127.0.0.1",
            "port": port,
            "clientId": "bench-peer",
            "version": 5,
            "maxMessageNumberPerWorker": 10,
            "maxNumberOfWorkers": 100,
            "cleanSession": False,
            "cleanStart": False,
            "sessionExpiryInterval": 3600,
            "security": {"type": "anonymous"},
        },
        "mapping": [
            {
                "topicFilter": "stel/+",
                "subscriptionQos": 1,
                "converter": {
                    "type": "json",
                    "deviceInfo": {
                        "deviceNameExpressionSource": "message",
                        "deviceNameExpression": "${device.mac}",
                        "deviceProfileExpressionSource": "constant",
                        "deviceProfileExpression": "default",
                    },
                    "sendDataOnlyOnChange": False,
                    "timeout": 60000,
                    "attributes": [],
                    "timeseries": [
                        {"type": "double", "key": key, "value": f"${{measure.data.{field}.value}}"}
                        for key, field in fields.items()
                    ],
                },
            }
        ],
    }


def _numbers(text: str) -> set[int]:
    return {int(found) for found in _ID.findall(text)}


@contextmanager
def _ours(folder: Path) -> Iterator[Subject]:
    with sink(folder) as url, settled(folder, url.removesuffix(PATH)) as town:
        yield Ours(town)


@contextmanager
def _peer(folder: Path, python: Path) -> Iterator[Subject]:
    (folder / "acl").write_text(_ACL)
    broker = Mosquitto(folder / "broker", ["max_queued_messages 0"], listener=["allow_anonymous true"])
    cloud = Mosquitto(folder / "cloud", [f"acl_file {folder}/acl"], listener=["allow_anonymous true"])
    broker.start()
    cloud.start()
    peer = Peer(folder, python, broker, cloud)
    try:
        yield peer
    finally:
        peer.close()
        broker.kill()
        cloud.kill()


def _publisher(port: int, first: int, count: int) -> threading.Thread:
    """Publishes once it is started; ends when the broker has acknowledged all."""
    lines = "".join(f"{_message(number)}\n" for number in range(first, first + count))
    command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-q", "1", "-t", "stel/1", "-M", "200", "-l"]
    return threading.Thread(target=partial(subprocess.run, command, input=lines, text=True, check=True))


def _until(is_so: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + _LIMIT_S
    while not is_so():
        if time.monotonic() > end_s:
            raise TimeoutError(f"{what} took longer than {_LIMIT_S:.0f} s.")
        time.sleep(_POLL_S)


def _listening(subject: Subject) -> None:
    """Start it and wait until a probe arrives, and what other probes were sent."""
    subject.start()
    probes = itertools.count(_PROBES)

    def arrived() -> bool:
        _publisher(subject.broker.port, next(probes), 1).start()
        time.sleep(1)
        return subject.count() > 0

    _until(arrived, "The start")
    _until(lambda: _is_quiet(subject, 2.0), "The start")


def _rate(subject: Subject, count: int) -> float:
    """Messages a second from the first publish until the last is in the store or beyond."""
    before = subject.count()
    publisher = _publisher(subject.broker.port, 0, count)
    began_s = time.perf_counter()
    publisher.start()
    _until(lambda: subject.count() >= before + count, "Storing")
    took_s = time.perf_counter() - began_s
    publisher.join()
    return count / took_s


def _lost(subject: Subject, first: int, count: int) -> int:
    """Messages that are nowhere after three kills."""
    wanted, before = set(range(first, first + count)), subject.count()
    publisher = _publisher(subject.broker.port, first, count)
    publisher.start()
    for kill in range(1, KILLS + 1):
        goal = before + count * kill // (KILLS + 1)
        _until(partial(_has, subject, goal), "The way to a kill")
        subject.kill()
        subject.start()
    publisher.join()
    _until(lambda: _is_quiet(subject), "The end")
    return len(wanted - subject.holds())


def _has(subject: Subject, goal: int) -> bool:
    """Whether it holds so many; one that has lost too much never does, and is quiet."""
    return subject.count() >= goal or _is_quiet(subject)


def _is_quiet(subject: Subject, quiet_s: float = _QUIET_S) -> bool:
    """Whether nothing came for a while."""
    held, end_s = subject.count(), time.monotonic() + quiet_s
    while time.monotonic() < end_s:
        time.sleep(_POLL_S)
        if subject.count() != held:
            return False
    return True


def _installed(venv: Path) -> Path:
    """The peer's Python, made where it is not there yet."""
    python = venv / "bin" / "python"
    if not (venv / "complete").exists():
        print(f"Installing {PEER} into {venv}.", flush=True)
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True, capture_output=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], check=True, capture_output=True)
        (venv / "complete").touch()
    return python


def main() -> None:
    asked_for = _arguments()
    try:
        python = _installed(asked_for.venv)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{PEER} cannot be installed here ({type(error).__name__}), so nothing was compared.\n")
        sys.exit(UNAVAILABLE)
    sides: dict[str, Opened] = {"peer": partial(_peer, python=python), "gateway": _ours}
    rates, lost = _compared(sides, asked_for.count, asked_for.rounds)
    for name in sides:
        share = lost[name] / asked_for.count
        print(f"{name:8} {rates[name]:>8,.0f} messages/s   lost over {KILLS} kills: {lost[name]:,} ({share:.1%})")
    ratio = rates["gateway"] / rates["peer"]
    verdict = "met" if ratio >= AIM and not lost["gateway"] else "not met"
    print(f"{ratio:.2f} of the peer's rate   aim: at least {AIM:g} and none lost: {verdict}")


def _compared(sides: dict[str, Opened], count: int, rounds: int) -> tuple[dict[str, float], dict[str, int]]:
    """The sides in turn, each time from nothing, so that both meet the machine in the same mood; then the kills."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    lost: dict[str, int] = {}
    for turn in range(rounds):
        for name, opened in sides.items():
            with tempfile.TemporaryDirectory(prefix="bench-peer-") as folder, opened(Path(folder)) as subject:
                _listening(subject)
                rates[name].append(_rate(subject, count))
                if turn == rounds - 1:
                    lost[name] = _lost(subject, count, count)
    return {name: median(seen) for name, seen in rates.items()}, lost


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--venv", type=Path, default=VENV)
    return parser.parse_args()


if __name__ == "__main__":
    main()
