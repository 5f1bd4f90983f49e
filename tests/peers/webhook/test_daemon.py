"""The daemon behind a webhook: killed at any moment, everything answered with 200 is in the store, once."""

import asyncio
import itertools
import os
import random
import signal
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from buffer.store import open_store
from config.load import load
from gateway.clock import HubClock
from tests.peers.webhook.site import AUTHORIZED, PATH, TOKEN, Authority, secret, stel

CALLERS = 8


class Daemon:
    """A real one, in a process of its own, with a store, a certificate and one webhook."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.config = folder / "gateway.toml"
        self._notified = folder / "notify"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        secret(folder, TOKEN, "token")
        secret(folder, "00" * 32, "key")
        files = self.authority.issue()
        self.config.write_text(
            '[hub]\nid = "hub-7"\nsite = "home"\ntimezone = "America/New_York"\n'
            f'[buffer]\npath = "{folder}/buffer.db"\nkey = "file:{folder}/key"\n'
            f'[[webhook]]\nname = "stel-cloud"\nlisten = "127.0.0.1:{self.port}"\npath = "{PATH}"\ndriver = "stel"\n'
            f'tls_cert = "{files.cert}"\ntls_key = "{files.key}"\ntoken = "file:{folder}/token"\n'
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

    async def kept(self) -> list[str]:
        """The message ids in the store, in order, while no daemon runs."""
        async with open_store(load(self.config).buffer, HubClock()) as store:
            return [record["message_id"] for record in await store.ledger(["reading"])]


class Vendor:
    """A cloud that posts until told 200, each message in its turn."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._numbers: Iterator[int] = itertools.count()
        self._again: list[int] = []
        self.promised: Counter[int] = Counter()
        self.answered = asyncio.Event()

    async def post(self, enough: int) -> None:
        """Post from several callers, each on its connection, until `enough` answers came or the daemon is gone."""
        already = self.promised.total()
        async with asyncio.TaskGroup() as callers:
            for _ in range(CALLERS):
                callers.create_task(self._call(already + enough))

    async def _call(self, enough: int) -> None:
        url = f"https://localhost:{self._daemon.port}{PATH}"
        async with httpx.AsyncClient(verify=self._daemon.authority.client, trust_env=False, timeout=20) as caller:
            while self.promised.total() < enough:
                number = self._again.pop() if self._again else next(self._numbers)
                try:
                    answer = await caller.post(url, content=stel(number), headers=AUTHORIZED)
                except httpx.TransportError:
                    self._again.append(number)
                    return
                assert answer.status_code == 200, answer.text
                self.promised[number] += 1
                self.answered.set()

    async def has(self, answers: int) -> None:
        """Once so many answers came."""
        while self.promised.total() < answers:
            self.answered.clear()
            await self.answered.wait()


async def _kill_again_and_again(folder: Path, times: int) -> None:
    daemon = Daemon(folder)
    vendor = Vendor(daemon)
    for _ in range(times):
        process = await daemon.started()
        posting = asyncio.create_task(vendor.post(10_000))
        await vendor.has(vendor.promised.total() + random.randint(1, 60))
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        await posting
        kept = await daemon.kept()
        assert len(set(kept)) == len(kept), "a message is there twice"
        missing = {number for number in vendor.promised if f"35263822-7b2e-4683-8720-{number:012d}" not in set(kept)}
        assert not missing, "a message was answered with 200 and is lost"
    process = await daemon.started()
    await vendor.post(CALLERS)
    process.terminate()
    async with asyncio.timeout(5):
        assert await process.wait() == 0
    assert len(await daemon.kept()) >= len(vendor.promised)


def test_what_was_answered_200_survives_kills(tmp_path: Path) -> None:
    asyncio.run(_kill_again_and_again(tmp_path, 3))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_what_was_answered_200_survives_many_kills(tmp_path: Path) -> None:
    asyncio.run(_kill_again_and_again(tmp_path, 40))


def test_it_ends_in_time_while_callers_hold_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        daemon = Daemon(tmp_path)
        process = await daemon.started()
        idle = [await asyncio.open_connection("localhost", daemon.port, ssl=daemon.authority.client) for _ in range(5)]
        begun = [await asyncio.open_connection("localhost", daemon.port, family=socket.AF_INET) for _ in range(5)]
        process.terminate()
        async with asyncio.timeout(5):
            assert await process.wait() == 0
        for _, writer in (*idle, *begun):
            writer.close()

    asyncio.run(scenario())


def test_status_shows_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        daemon = Daemon(tmp_path)
        process = await daemon.started()
        await Vendor(daemon).post(1)
        asking = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "--config", str(daemon.config), "status", "--json"),
            stdout=asyncio.subprocess.PIPE,
        )
        shown, _ = await asking.communicate()
        assert b"stel-cloud" in shown
        assert b'"webhook"' in shown
        assert TOKEN.encode() not in shown
        process.terminate()
        assert await process.wait() == 0

    asyncio.run(scenario())
