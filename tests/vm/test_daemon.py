"""The whole daemon loses power between a broker and a backend that do not: every reading arrives, and once."""

import json
import os
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from drivers.virtual.cellular import Message, cuff
from gateway.core.record import GENESIS, verify
from tests.gateway.house import backend_in, broker_in, publish
from tests.vm.disk import WriteLog, make_disk
from tests.vm.machine import Machine, Parts, make_code_disk, started

pytestmark = pytest.mark.vm

_CUTS = max(1, int(os.environ.get("VM_CUTS", "25")) // 5)
# Boot and start take some 12 s in emulation: some cuts fall into them.
_RUN_S = (6.0, 25.0)
# The power goes while the last of them are received, kept, acknowledged and sent.
_LAST, _LAST_S = 50, 1.0
_ROUND_S = 180
_FIRST = datetime(2026, 3, 3, 13, tzinfo=UTC)
_CUFF, _FIRST_CUFF = "AB:CD:EF:12:34:01", "AB:CD:EF:12:34:02"
_CONFIG = """
[hub]
id = "hub-vm"
site = "home"
timezone = "America/New_York"
[buffer]
path = "/disk/buffer.db"
key = "file:/code/buffer.key"
[upload]
url = "{backend}api/v1/readings/batches/"
insecure = true
batch_wait_s = 0.05
batch_max = 5
timeout_s = 3
[upload.auth]
kind = "bearer"
token = "file:/code/token"
[[mqtt]]
name = "cell"
url = "mqtt://10.0.2.2:{port}"
insecure = true
client_id = "hub-vm"
topics = [{{ filter = "stel/#", driver = "stel" }}]
"""


class Street:
    """The machine with the daemon in it, the broker that cuffs publish to, the backend where readings arrive."""

    def __init__(self, image: Path, folder: Path, port: int, backend: str) -> None:
        self.published = 0
        self._folder, self._port = folder, port
        self._numbers = count()
        (folder / "gateway.toml").write_text(_CONFIG.format(port=port, backend=backend))
        make_code_disk(folder / "code.img", *(folder / name for name in ("gateway.toml", "token", "buffer.key")))
        make_disk(folder / "disk.img")
        self._parts = Parts(image, folder / "code.img", folder / "disk.img", folder / "writes.log")

    def run_and_cut(self, seconds: float) -> int:
        """Publish while the machine boots and works, then take its power; how many readings were under way."""
        before = self._folder / "before.img"
        before.write_bytes(self._parts.disk.read_bytes())
        with self.running() as machine:
            while seconds > 0:
                self.publish(random.randint(1, 10))
                pause = random.uniform(0, 1)
                machine.run_for(pause)
                seconds -= pause
            self.publish(_LAST)
            machine.run_for(random.uniform(0, _LAST_S))
            machine.cut()
        writes = WriteLog(self._parts.log, before)
        for _, left in writes.cut([len(writes.writes)], self._folder):
            left.rename(self._parts.disk)
        return self.published - len(self.arrived())

    def meet(self) -> None:
        """The daemon's first connection: from then on the broker holds what it misses."""
        with self.running() as machine:
            while not self.arrived(_FIRST_CUFF):
                publish(self._port, [self._reading(_FIRST_CUFF)])
                machine.run_for(0.5)

    def run_until_all_arrived(self) -> None:
        """What the broker holds and what the store holds comes to the backend."""
        with self.running() as machine:
            while len(self.arrived()) < self.published:
                machine.run_for(0.2)
            machine.run_for(3.0)  # whatever would come twice

    @contextmanager
    def running(self) -> Iterator[Machine]:
        """The machine with the daemon in it; at the end its power goes."""
        with started(self._parts, "gateway --config /code/gateway.toml run") as machine:
            machine.wait_for("mounted")
            yield machine

    def publish(self, number: int) -> None:
        """So many readings, a minute apart, each acknowledged by the broker."""
        publish(self._port, [self._reading(_CUFF) for _ in range(number)])
        self.published += number

    def _reading(self, device: str) -> Message:
        return cuff(device, _FIRST + timedelta(minutes=next(self._numbers)), 120, 80, 60)

    def arrived(self, device: str = _CUFF) -> list[str]:
        """When each reading of a cuff that the backend accepted was measured."""
        readings = [record for record in self.records() if record["type"] == "reading"]
        return [reading["measured_at"] for reading in readings if reading["device"]["id"] == f"stel:{device}"]

    def records(self) -> list[dict[str, Any]]:
        """All the backend accepted, by number."""
        with closing(sqlite3.connect(f"file:{self._folder / 'backend.db'}?mode=ro", uri=True)) as db:
            return [json.loads(row[0]) for row in db.execute("SELECT body FROM record ORDER BY seq")]


@pytest.mark.timeout(_ROUND_S * (_CUTS + 1))
def test_readings_arrive_once_whatever_the_power_does(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("token", "buffer.key"):
        (tmp_path / name).write_text("5ac3" * 16)
        (tmp_path / name).chmod(0o600)
    with broker_in(tmp_path) as broker, backend_in(tmp_path) as backend:
        street = Street(image, tmp_path, broker.port, backend.replace("127.0.0.1", "10.0.2.2"))
        street.meet()
        under_way = [street.run_and_cut(random.uniform(*_RUN_S)) for _ in range(_CUTS)]
        street.run_until_all_arrived()
    with capsys.disabled():
        told = f"{_CUTS} cuts of the daemon, {under_way} of {street.published} readings under way at each"
        print(f"\n{told}")  # noqa: T201 -- the numbers are what a reader of this run looks for
    assert set(Counter(street.arrived()).values()) == {1}
    assert len(street.arrived()) == street.published
    records = street.records()
    assert [record["prev"] for record in records] == [GENESIS, *(record["hash"] for record in records)][:-1]
    assert all(verify(record) for record in records)
