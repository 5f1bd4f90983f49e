"""An outbox in memory. tests/uploader/test_outbox.py holds it and the real store to one contract."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.batch import Batch, Outcome, State, Status

FIRST_MS = 1_795_269_603_120


@dataclass(slots=True)
class Kept:
    """One record: its bytes, where it stands, and how often each word was said on it."""

    seq: int
    record_id: str
    record: bytes
    received_ms: int = FIRST_MS
    state: State = State.WAITING
    reason: str | None = None
    words: int = 0


@dataclass(frozen=True, slots=True)
class Oldest:
    """What the uploader asks of stats."""

    oldest_unsent_ms: int | None


class FakeOutbox:
    """Keeps the promises of uploader.outbox.Outbox, in memory."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.records: dict[str, Kept] = {}
        self.batches: dict[str, Batch] = {}
        self.settled = asyncio.Event()
        self.trouble: list[Exception] = []
        self._made = 0
        self._in_hand: set[str] = set()

    def add(self, *records: tuple[str, bytes], received_ms: int = FIRST_MS) -> None:
        """New records wait."""
        for record_id, record in records:
            seq = len(self.records) + 1
            self.records[record_id] = Kept(seq, record_id, record, received_ms)
        self.arrived.set()

    async def next_batch(self, hub: bytes, records_max: int, bytes_max: int, *, newest_first: bool) -> Batch | None:
        """The oldest stored batch that was not given yet, else a new one of what waits."""
        await self._work()
        stored = sorted(self.batches.values(), key=lambda batch: self.records[batch.ids[0]].seq)
        for batch in stored:
            if batch.batch_id not in self._in_hand:
                self._in_hand.add(batch.batch_id)
                return batch
        chosen = self._choose(records_max, bytes_max, newest_first=newest_first)
        if not chosen:
            return None
        batch = self._store(hub, chosen)
        self._in_hand.add(batch.batch_id)
        return batch

    def crash(self) -> None:
        """Forget what a process forgets when it ends: nothing that was stored."""
        self._in_hand.clear()
        self.arrived.set()

    async def settle(self, batch_id: str, outcomes: Sequence[Outcome]) -> None:
        """The backend's word; records without one wait again."""
        await self._work()
        batch = self.batches.pop(batch_id)
        said = {outcome.record_id: outcome for outcome in outcomes}
        for record_id in batch.ids:
            self._stand(self.records[record_id], said.get(record_id))
        self.settled.set()
        self.arrived.set()

    async def split(self, batch_id: str) -> None:
        """Two stored batches in place of one."""
        await self._work()
        batch = self.batches.pop(batch_id)
        middle = len(batch.ids) // 2
        for half in (batch.ids[:middle], batch.ids[middle:]):
            self._store(batch.hub, [self.records[record_id] for record_id in half])
        self.arrived.set()

    async def send_again(self, ranges: Sequence[tuple[int, int]]) -> int:
        """Accepted records of these ranges wait again."""
        await self._work()
        chosen = [
            kept
            for kept in self.records.values()
            if kept.state is State.ACCEPTED and any(first <= kept.seq <= last for first, last in ranges)
        ]
        for kept in chosen:
            kept.state = State.WAITING
        self.arrived.set()
        return len(chosen)

    async def stats(self) -> Oldest:
        """How long the oldest waits."""
        unsent = [kept.received_ms for kept in self.records.values() if kept.state in (State.WAITING, State.BATCHED)]
        return Oldest(min(unsent, default=None))

    def standing(self, *states: State) -> set[str]:
        """Ids of the records in these states."""
        return {record_id for record_id, kept in self.records.items() if kept.state in states}

    async def until_sent(self) -> None:
        """Wait until nothing waits."""
        while self.standing(State.WAITING, State.BATCHED):
            self.settled.clear()
            await self.settled.wait()

    async def _work(self) -> None:
        await asyncio.sleep(0)
        if self.trouble:
            raise self.trouble.pop(0)

    def _choose(self, records_max: int, bytes_max: int, *, newest_first: bool) -> list[Kept]:
        waiting = [kept for kept in self.records.values() if kept.state is State.WAITING]
        waiting.sort(key=lambda kept: kept.seq, reverse=newest_first)
        chosen: list[Kept] = []
        for kept in waiting[:records_max]:
            if chosen and sum(len(other.record) for other in chosen) + len(kept.record) > bytes_max:
                break
            chosen.append(kept)
        return sorted(chosen, key=lambda kept: kept.seq)

    def _store(self, hub: bytes, chosen: list[Kept]) -> Batch:
        self._made += 1
        for kept in chosen:
            kept.state = State.BATCHED
        records, ids = tuple(kept.record for kept in chosen), tuple(kept.record_id for kept in chosen)
        batch = Batch(f"batch-{self._made}", hub, records, ids)
        self.batches[batch.batch_id] = batch
        return batch

    def _stand(self, kept: Kept, outcome: Outcome | None) -> None:
        if outcome is None:
            kept.state = State.WAITING
            return
        kept.words += 1
        kept.state = State.REFUSED if outcome.status is Status.REFUSED else State.ACCEPTED
        kept.reason = outcome.reason
