"""A mosquitto, the reference backend and a daemon, for benches that measure the daemon from outside."""

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from drivers.virtual.cellular import cuff
from tests.peers.mosquitto import Mosquitto

_CONFIG = """
[hub]
id = "bench"
site = "home"
timezone = "America/New_York"
[buffer]
path = "{folder}/buffer.db"
key = "file:{folder}/buffer.key"
[upload]
url = "{backend}/api/v1/readings/batches/"
batch_wait_s = 0.2
[[mqtt]]
name = "cell"
url = "mqtt://127.0.0.1:{port}"
client_id = "bench"
topics = [{{ filter = "stel/#", driver = "stel" }}]
"""


@dataclass(slots=True)
class Town:
    folder: Path
    broker: Mosquitto
    daemon: subprocess.Popen[bytes] | None = field(default=None)

    def start_daemon(self) -> int:
        """Start it and wait for READY; its process id."""
        path = self.folder / f"notify.{secrets.token_hex(4)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inlet:
            inlet.bind(str(path))
            inlet.settimeout(60)
            self.daemon = subprocess.Popen(
                [sys.executable, "-m", "gateway", "--config", str(self.folder / "gateway.toml"), "run"],
                env=os.environ | {"NOTIFY_SOCKET": str(path)},
                stderr=subprocess.DEVNULL,
            )
            while b"READY=1" not in inlet.recv(4096):
                pass
        return self.daemon.pid

    def stop_daemon(self) -> None:
        if self.daemon is not None:
            self.daemon.terminate()
            self.daemon.wait()
            self.daemon = None

    def publish_one(self) -> None:
        message = cuff("AB:CD:EF:12:34:01", datetime.now(UTC), 128, 80, 64)
        command = ["mosquitto_pub", "-p", str(self.broker.port), "-q", "1", "-t", message.topic, "-s"]
        subprocess.run(command, input=message.payload, check=True)


@contextmanager
def founded(folder: Path) -> Iterator[Town]:
    """With the reference backend."""
    command = [
        sys.executable,
        "-m",
        "uploader.receiver",
        "--listen",
        "127.0.0.1:0",
        "--store",
        str(folder / "backend.db"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as backend:
        assert backend.stdout is not None
        try:
            with settled(folder, backend.stdout.readline().strip()) as town:
                yield town
        finally:
            backend.terminate()


@contextmanager
def settled(folder: Path, backend: str) -> Iterator[Town]:
    """With a backend at this address."""
    broker = Mosquitto(folder, ["max_queued_messages 0"], listener=["allow_anonymous true"])
    broker.start()
    (folder / "buffer.key").write_text(secrets.token_hex(32))
    (folder / "buffer.key").chmod(0o600)
    (folder / "gateway.toml").write_text(_CONFIG.format(folder=folder, backend=backend, port=broker.port))
    town = Town(folder, broker)
    try:
        yield town
    finally:
        town.stop_daemon()
        broker.stop()
