"""kill -9 at any moment: everything acknowledged is there, numbers have no gap, the chain holds."""

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.core.batch import State
from gateway.core.record import GENESIS, verify
from tests.buffer.make import opened
from tests.fakes.clock import FakeClock

_LINES_MAX = 600


def run_and_kill(folder: Path, run: int, lines: int) -> list[list[str]]:
    """What the daemon said it was promised, up to the moment it was killed."""
    command = [sys.executable, "-m", "tests.crash.appender", str(folder), str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        said = [daemon.stdout.readline() for _ in range(lines)]
        daemon.kill()
        said += daemon.stdout.readlines()  # what was in the pipe
    assert daemon.returncode == -9
    return [line.split() for line in said]


async def check(folder: Path, said: list[list[str]]) -> None:
    """Everything said is so."""
    async with opened(folder, FakeClock(jumps=True)) as store:
        assert await store.inspect() is None
        for word, record_id in said:
            entry = await store.record(record_id)
            assert entry is not None, f"{record_id} was acknowledged and is lost"
            assert word == "kept" or entry.state is State.ACCEPTED
        records = await store.ledger(["reading"])
        assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
        assert [record["prev"] for record in records] == [GENESIS, *(record["hash"] for record in records[:-1])]
        assert all(verify(record) for record in records)


def kill_again_and_again(folder: Path, times: int) -> None:
    said = []
    for run in range(times):
        said += run_and_kill(folder, run, random.randint(1, _LINES_MAX))
        asyncio.run(check(folder, said))


def test_what_was_acknowledged_survives_kills(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, 3)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_what_was_acknowledged_survives_many_kills(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, 40)
