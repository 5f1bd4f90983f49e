"""A hub at a visit: a real broker, the reference backend and the daemon, each a process that can be killed."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from drivers.virtual.cellular import cuff
from gateway.control import asked
from gateway.demo.verdict import records_of
from tests.peers.mosquitto import Mosquitto

CONFIG = """
[hub]
id = "hub-7"
site = "home"
timezone = "America/New_York"
[buffer]
path = "{folder}/buffer.db"
size_max_mb = 64
retain_days = 90
key = "none"
[upload]
url = "http://127.0.0.1:{backend}/api/v1/readings/batches/"
batch_wait_s = 0.05
timeout_s = 2
[[mqtt]]
name = "cell"
url = "mqtt://127.0.0.1:{broker}"
client_id = "hub-7"
topics = [{{ filter = "stel/#", driver = "stel" }}]
"""
VISIT = """
patient = "{patient}"
[device]
id = "{device}"
udi_di = "(01)00093764603044"
status = "device_201h"
clearance = "K141160"
source = "510(k) K141160"
[training]
operation = true
technique = true
schedule = true
troubleshooting = true
emergency = true
[demonstration]
measured = true
understood = true
[consent]
form = "verbal"
at = 2026-11-20
reference = "cons-2231"
[order]
reference = "ord-55"
at = "2026-11-18T10:00:00-05:00"
parameters = ["blood_pressure"]
[trainer]
reference = "staff-17"
credentials = "RN"
[acknowledgement]
by = "caregiver"
"""


@dataclass
class Clinic:
    """The processes of one hub."""

    folder: Path
    broker: Mosquitto
    backend_port: int
    running: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    visitors: int = 0

    def start_backend(self) -> None:
        listen = f"127.0.0.1:{self.backend_port}"
        store = str(self.folder / "backend.db")
        self._start("backend", sys.executable, "-m", "uploader.receiver", "--listen", listen, "--store", store)
        stdout = self.running["backend"].stdout
        assert stdout is not None
        assert stdout.readline().strip(), "the backend did not start"

    def start_daemon(self) -> None:
        path = self.folder / "notify"
        path.unlink(missing_ok=True)
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as inlet:
            inlet.bind(str(path))
            inlet.settimeout(60)
            self._start("daemon", *self.command("run"), env=os.environ | {"NOTIFY_SOCKET": str(path)})
            while b"READY=1" not in inlet.recv(4096):
                pass

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until it is gone."""
        ended = self.running.pop(name, None)
        if ended is not None:
            with ended:
                ended.kill()

    def _start(self, name: str, *command: str, env: dict[str, str] | None = None) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=env, text=True)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "gateway", "--config", str(self.folder / "gateway.toml"), *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=90, check=False)

    def ask(self, **question: Any) -> dict[str, Any]:
        answer = asyncio.run(asked(self.folder / "buffer.db", {"by": "tech-4"} | question))
        assert answer is not None, "no daemon answers"
        return answer

    def records(self) -> list[dict[str, Any]]:
        """What the backend holds, in order."""
        return records_of(self.folder / "backend.db")


@dataclass
class Visitor:
    """One patient with one cuff, and the technician's commands for them."""

    clinic: Clinic
    number: int
    sent: int = 0

    @property
    def mac(self) -> str:
        return f"AB:CD:EF:12:{self.number:02X}:01"

    @property
    def device(self) -> str:
        return f"stel:{self.mac}"

    @property
    def patient(self) -> str:
        return f"pt-{self.number:04}"

    @property
    def script(self) -> str:
        return VISIT.format(patient=self.patient, device=self.device)

    def begin(self, *words: str, script: str | None = None) -> subprocess.Popen[str]:
        """`setup --file` in the background."""
        file = self.clinic.folder / f"visit-{self.number}.toml"
        file.write_text(script or self.script)
        command = self.clinic.command("setup", "--file", str(file), "--json", *words)
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def setup(self, *words: str, script: str | None = None) -> tuple[int, dict[str, Any], str]:
        """`setup --file` to its end: exit code, the record, what it complained of."""
        with self.begin(*words, script=script) as running:
            out, err = running.communicate(timeout=90)
        return running.returncode, json.loads(out) if out else {}, err

    def finished(self, *words: str, script: str | None = None) -> dict[str, Any]:
        """The record of a visit whose test reading comes while the command waits for it."""
        with self.begin(*words, script=script) as running:
            while self.missing != ["test_reading"]:
                assert running.poll() is None, running.communicate()
            self.measure()
            out, err = running.communicate(timeout=90)
        assert running.returncode == 0, err
        record: dict[str, Any] = json.loads(out)
        return record

    @property
    def visit(self) -> dict[str, Any]:
        """The visit under way; empty where none is."""
        visits = self.clinic.ask(do="setup.list", patient=self.patient)["open"]
        return visits[0] if visits else {}

    @property
    def missing(self) -> list[str]:
        return list(self.visit.get("missing", ()))

    def measure(self) -> None:
        """One measurement, made just now: the cuff tells whole seconds, and this one never a second that is over."""
        at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        message = cuff(self.mac, at, 120 + self.sent % 60, 80, 60)
        asyncio.run(self.clinic.broker.publish(message.topic, message.payload))
        self.sent += 1

    def heard(self) -> None:
        """Measure, and return once the hub has kept it."""
        self.measure()
        while not any(each["device"] == self.device for each in self.clinic.ask(do="setup.list")["heard"]):
            pass

    def readings(self, count: int) -> list[dict[str, Any]]:
        """The first readings of the cuff that the backend holds, once there are so many."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            every = self.clinic.records()
            found = [each for each in every if each["type"] == "reading" and each["device"]["id"] == self.device]
        return found

    def held(self, record: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Everything the backend holds, by id, once it holds this record."""
        every: dict[str, dict[str, Any]] = {}
        while record["record_id"] not in every:
            every = {each["record_id"]: each for each in self.clinic.records()}
        return every


@contextmanager
def opened(folder: Path) -> Iterator[Clinic]:
    """A hub whose broker, backend and daemon run; at the end none does."""
    broker = Mosquitto(folder / "broker", ["allow_anonymous true", "max_queued_messages 0"])
    broker.start()
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port: int = taken.getsockname()[1]
    clinic = Clinic(folder, broker, port)
    config = CONFIG.format(folder=folder, backend=port, broker=broker.port)
    (folder / "gateway.toml").write_text(config)
    try:
        clinic.start_backend()
        clinic.start_daemon()
        yield clinic
    finally:
        for name in ("daemon", "backend"):
            clinic.kill(name)
        broker.kill()
