"""A daemon with a real broker and the reference backend beside it, each a process of its own."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drivers.virtual.cellular import Message
from tests.peers.mosquitto import Mosquitto

COMMAND = [sys.executable, "-m", "gateway"]
_START_S = 30
_CONFIG = """
[hub]
id = "hub-test"
site = "home"
timezone = "America/New_York"
[buffer]
path = "{folder}/buffer.db"
key = "file:{folder}/buffer.key"
[upload]
url = "{backend}api/v1/readings/batches/"
batch_wait_s = 0.05
timeout_s = 3
[upload.auth]
kind = "bearer"
token = "file:{folder}/token"
[[mqtt]]
name = "cell"
url = "mqtt://127.0.0.1:{port}"
client_id = "hub-test"
topics = [{{ filter = "stel/#", driver = "stel" }}, {{ filter = "bodytrace/#", driver = "bodytrace" }}]
[metrics]
listen = "127.0.0.1:{metrics}"
"""


class House:
    """The folder, the processes, and what a person would type."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metrics_port = free_port()
        self.daemon: subprocess.Popen[str] | None = None
        self.notified: list[str] = []
        self._inlet: socket.socket | None = None
        for name in ("token", "buffer.key"):
            (folder / name).write_text(secrets.token_hex(32))
            (folder / name).chmod(0o600)

    def configure(self, port: int, backend: str) -> None:
        text = _CONFIG.format(folder=self.folder, backend=backend, port=port, metrics=self.metrics_port)
        (self.folder / "gateway.toml").write_text(text)

    def start(self, **environment: str) -> None:
        """Start the daemon and wait for READY."""
        path = self.folder / f"notify.{secrets.token_hex(4)}"
        self._inlet = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._inlet.bind(str(path))
        self._inlet.settimeout(_START_S)
        with (self.folder / "log").open("a") as log:
            self.daemon = subprocess.Popen(
                [*COMMAND, "--config", str(self.folder / "gateway.toml"), "run"],
                env=os.environ | {"NOTIFY_SOCKET": str(path)} | environment,
                stderr=log,
                text=True,
            )
        self.notified_with("READY=1")

    def notified_with(self, word: str) -> str:
        """The next notification that holds `word`."""
        assert self._inlet is not None
        while word not in (told := self._inlet.recv(4096).decode()):
            self.notified.append(told)
        return told

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int | None:
        if self._inlet is not None:
            self._inlet.close()
        if self.daemon is None:
            return None
        self.daemon.send_signal(how)
        code = self.daemon.wait(8)
        self.daemon = None
        return code

    def type(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """What a person types, after `vitals-gateway`."""
        command = [*COMMAND, "--config", str(self.folder / "gateway.toml"), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def ask(self, *words: str) -> Any:
        """The JSON answer of a command that must succeed."""
        done = self.type(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def publish(port: int, messages: Sequence[Message]) -> None:
    """Publish at QoS 1; returns when the broker has acknowledged each."""
    for topic in dict.fromkeys(message.topic for message in messages):
        lines = b"".join(message.payload + b"\n" for message in messages if message.topic == topic)
        command = ["mosquitto_pub", "-p", str(port), "-q", "1", "-t", topic, "-l"]
        subprocess.run(command, input=lines, check=True, timeout=60)


@contextmanager
def broker_in(folder: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(folder / "broker", listener=["allow_anonymous true"])
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@contextmanager
def backend_in(folder: Path) -> Iterator[str]:
    """The reference backend; its address."""
    command = [sys.executable, "-m", "uploader.receiver", "--listen", "127.0.0.1:0"]
    command += ["--store", str(folder / "backend.db"), "--token", f"file:{folder / 'token'}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            yield running.stdout.readline().strip() + "/"
        finally:
            running.terminate()
