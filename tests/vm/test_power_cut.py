"""The power goes, and the disk loses what was not flushed: everything promised is there after the restart."""

import asyncio
import os
import random
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.core.batch import State
from gateway.core.errors import StoreBroken
from gateway.core.record import GENESIS, verify
from tests.buffer.make import opened
from tests.vm.disk import WriteLog, make_disk, read_disk
from tests.vm.machine import Parts, started

pytestmark = pytest.mark.vm

_CUTS = int(os.environ.get("VM_CUTS", "25"))
# Every run of the machine is also cut at so many earlier places of its log of writes.
_EARLIER = 10
# One disk lives through so many cuts, so that recovery meets what recovery left.
_CUTS_A_DISK = 10
_RUN_S = 3.0
# From where the time until the cut runs: some fall into mounting, starting and recovering.
_STAGES = ("mounted", "opened", "opened", "opened")
# A machine in emulation on a loaded computer.
_ROUND_S = 120


@dataclass
class Outcome:
    """What cuts did. `broken` has for each cut how many promises were looked for in vain."""

    promised: int = 0
    looked_for: int = 0
    blocks_lost: int = 0
    broken: list[int] = field(default_factory=list)

    @property
    def told(self) -> str:
        """One line for a person."""
        cuts, in_cuts = len(self.broken), sum(map(bool, self.broken))
        return (
            f"{cuts} cuts lost {self.blocks_lost} blocks; of {self.promised} promises "
            f"(looked for {self.looked_for} times) {sum(self.broken)} were broken, in {in_cuts} cuts"
        )


class Hub:
    """A disk and what was promised on it, over all its power cuts."""

    def __init__(self, image: Path, code: Path, folder: Path, synchronous: str = "") -> None:
        self.outcome = Outcome()
        self._image, self._code, self._folder = image, code, folder
        self._synchronous = synchronous
        self._promised: list[str] = []
        self._runs = 0
        make_disk(folder / "disk.img")

    def run_and_cut(self, after: str, seconds: float) -> None:
        """Boot, work, lose power; then look at what this cut left, and at what earlier ones would have left."""
        before, disk, noted = (self._folder / name for name in ("before.img", "disk.img", "writes.log"))
        shutil.copyfile(disk, before)
        self._runs += 1
        parts = Parts(self._image, self._code, disk, noted)
        with started(parts, "tests.vm.load /disk", VM_RUN=str(self._runs), VM_SYNCHRONOUS=self._synchronous) as machine:
            machine.wait_for(after)
            machine.run_for(seconds)
            machine.cut()
        writes = WriteLog(noted, before)
        self._look_at_all(writes)
        (self._folder / "left.img").rename(disk)

    def _look_at_all(self, writes: WriteLog) -> None:
        """The last place is where the machine really stopped: that disk goes on."""
        promises, last = writes.promises(), len(writes.writes)
        places = [*sorted(random.choices(range(1, last + 1), k=_EARLIER)), last]
        for place, left in writes.cut(places, self._folder):
            self._look(left, [*self._promised, *(promise for at, promise in promises if at < place)])
        self._promised += [promise for _, promise in promises]
        self.outcome.promised += len(promises)
        self.outcome.blocks_lost += writes.blocks_lost

    def _look(self, disk: Path, promises: list[str]) -> None:
        folder = self._folder / "left"
        read_disk(disk, folder)
        try:
            broken = asyncio.run(count_broken(folder, promises))
        except (AssertionError, StoreBroken):
            if not self._synchronous:
                raise
            broken = len(promises)  # a store that flushes less is not only short of records, but damaged
        shutil.rmtree(folder)
        self.outcome.looked_for += len(promises)
        self.outcome.broken.append(broken)


async def count_broken(folder: Path, promises: list[str]) -> int:
    """How many promises the store in this folder does not keep; what it does hold has no gap and is unaltered."""
    async with opened(folder) as store:
        assert await store.inspect() is None
        entries = await store.readings_after(0, 10**9)
    assert not (folder / "store" / "quarantine").exists()
    records = [entry.record for entry in entries]
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    assert [record["prev"] for record in records] == [GENESIS, *(record["hash"] for record in records)][:-1]
    assert all(verify(record) for record in records)
    states = {entry.record_id: entry.state for entry in entries}
    assert len(states) == len(entries), "A record is there twice."
    kept = Counter(is_kept(promise, states) for promise in promises)
    return kept[False]


def is_kept(promise: str, states: dict[str, State]) -> bool:
    """Whether the record is there, and settled if that was promised."""
    word, record_id = promise.split()
    return record_id in states and (word == "kept" or states[record_id] is State.ACCEPTED)


@pytest.mark.timeout(_ROUND_S * _CUTS)
def test_everything_promised_survives_power_cuts(
    image: Path, code: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = []
    for first in range(0, _CUTS, _CUTS_A_DISK):
        folder = tmp_path / str(first)
        folder.mkdir()
        hub = Hub(image, code, folder)
        for _ in range(min(_CUTS_A_DISK, _CUTS - first)):
            hub.run_and_cut(random.choice(_STAGES), random.uniform(0, _RUN_S))
        outcomes.append(hub.outcome)
        with capsys.disabled():
            print(f"\n{hub.outcome.told}")  # noqa: T201 -- the numbers are what a reader of this run looks for
        shutil.rmtree(folder)
    assert sum(outcome.promised for outcome in outcomes) > 0
    assert sum(outcome.blocks_lost for outcome in outcomes) > 0
    assert not any(any(outcome.broken) for outcome in outcomes)


@pytest.mark.timeout(_ROUND_S * 3)
@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_a_store_that_flushes_less_is_caught(
    image: Path, code: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], synchronous: str
) -> None:
    hub = Hub(image, code, tmp_path, synchronous)
    hub.run_and_cut("opened", _RUN_S)
    with capsys.disabled():
        print(f"\nsynchronous={synchronous}: {hub.outcome.told}")  # noqa: T201 -- as above
    assert any(hub.outcome.broken)
