"""The daemon at a port: killed at any moment, what it had kept is there once; a meter's memory comes again."""

import asyncio
import os
import random
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from buffer.store import open_store
from config.load import load
from gateway.clock import HubClock
from gateway.control import asked
from tests.peers.serial.desk import Cable, weight
from tests.peers.serial.meter import Meter

RECORDS = 150


class Daemon:
    """A real one, in a process of its own, with a store and one port."""

    def __init__(self, folder: Path, port: str) -> None:
        self.config = folder / "gateway.toml"
        self.store = folder / "buffer.db"
        self._notified = folder / "notify"
        self.config.write_text(
            '[hub]\nid = "hub-7"\nsite = "clinic"\ntimezone = "America/New_York"\n'
            f'[buffer]\npath = "{self.store}"\nkey = "none"\n[[serial]]\nname = "desk"\n{port}'
        )

    async def started(self) -> asyncio.subprocess.Process:
        """The process, once it says READY."""
        self._notified.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inlet:
            inlet.bind(str(self._notified))
            inlet.setblocking(False)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gateway", "--config", str(self.config), "run"),
                env={**os.environ, "NOTIFY_SOCKET": str(self._notified)},
            )
            while b"READY=1" not in await asyncio.get_running_loop().sock_recv(inlet, 4096):
                pass
        return process

    async def status(self) -> dict[str, Any]:
        """What it says of itself."""
        told = await asked(self.store, {"do": "status"})
        assert told is not None
        return told

    async def has_kept(self, count: int) -> None:
        """Once it counts so many readings of its own life."""
        while (await self.status())["counts"]["readings"] < count:
            pass

    async def kept(self) -> list[dict[str, Any]]:
        """The readings in the store, in order, while no daemon runs."""
        async with open_store(load(self.config).buffer, HubClock()) as store:
            return await store.ledger(["reading"])


async def _kill_and_look(folder: Path, cable: Cable, times: int) -> None:
    daemon = Daemon(folder, f'port = "{cable.path}"\ndriver = "serial-tanita"\ndevice = "tanita:1"\n')
    sent, promised = 0, 0
    for _ in range(times):
        process = await daemon.started()
        before, enough = len(await _weights_sent(cable, sent, 40)), random.randint(1, 40)
        sent += before
        await daemon.has_kept(enough)
        promised += enough
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        grams = [record["observations"][0]["value"] for record in await daemon.kept()]
        assert len(set(grams)) == len(grams), "a weight is there twice"
        assert len(grams) >= promised, "a weight that was kept is gone"
        assert grams == sorted(grams), "they came in another order"
        promised = len(grams)


async def _weights_sent(cable: Cable, first: int, count: int) -> list[int]:
    weights = [1000 + first + number for number in range(count)]
    for grams in weights:
        await cable.send(weight(grams))
    return weights


def test_what_was_kept_survives_kills(cable: Cable, tmp_path: Path) -> None:
    asyncio.run(_kill_and_look(tmp_path, cable, 3))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_what_was_kept_survives_many_kills(cable: Cable, tmp_path: Path) -> None:
    asyncio.run(_kill_and_look(tmp_path, cable, 40))


def test_a_meters_memory_is_there_once_whatever_was_killed_while_it_came(cable: Cable, tmp_path: Path) -> None:
    async def scenario() -> None:
        daemon = Daemon(tmp_path, f'port = "{cable.path}"\ndriver = "serial-onetouch-ultra2"\nask = true\n')
        meter = Meter(cable, RECORDS)
        serving = asyncio.create_task(meter.serve())
        process = await daemon.started()
        await meter.dumping.wait()
        process.kill()
        await process.wait()
        process = await daemon.started()
        while await _records(daemon) < RECORDS:
            pass
        process.terminate()
        assert await process.wait() == 0
        serving.cancel()
        times = [record["time"]["device_time"] for record in await daemon.kept()]
        assert len(times) == len(set(times)) == RECORDS
        assert not meter.erased

    asyncio.run(scenario())


async def _records(daemon: Daemon) -> int:
    """How many the running daemon's store holds, by its own word."""
    return sum((await daemon.status())["buffer"]["records"].values())


def test_status_shows_the_port_and_why_it_is_down(loose: Cable, tmp_path: Path) -> None:
    async def scenario() -> None:
        daemon = Daemon(tmp_path, f'port = "{loose.path}"\ndriver = "serial-tanita"\ndevice = "tanita:1"\n')
        process = await daemon.started()
        (link,) = (await daemon.status())["links"]
        assert (link["name"], link["kind"], link["up"]) == ("desk", "serial", False)
        assert "Nothing is plugged in" in link["why"]
        loose.plug()
        while not (await daemon.status())["links"][0]["up"]:
            pass
        await loose.send(weight(3972))
        await daemon.has_kept(1)
        process.terminate()
        async with asyncio.timeout(5):
            assert await process.wait() == 0

    asyncio.run(scenario())
