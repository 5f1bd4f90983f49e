"""The asynchronous face of the buffer."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlcipher3 import dbapi2

from buffer import history, outbox, reader, recovery, space
from buffer.connection import locked
from buffer.rows import Entry, Settlement, Stats
from buffer.writer import Writer
from gateway.core.errors import StoreBroken
from gateway.core.reading import Draft

if TYPE_CHECKING:
    from sqlite3 import Connection

    from buffer.options import BufferOptions
    from gateway.core.batch import Batch, Outcome
    from gateway.core.time import Clock

log = logging.getLogger(__name__)

_DAY_MS = 86_400_000
# The check after a crash reads this many records, then rests: a tenth of one core, and no reader holds the log.
_SLICE_RECORDS = 200
_REST_S = 0.1


@asynccontextmanager
async def open_store(options: "BufferOptions", clock: "Clock", *, apart: bool = False) -> "AsyncIterator[Store]":
    """
    The store, for as long as the block lasts; at its end what was promised is written and the file closed.

    `apart` brings a store that is behind up to date in a process of its own, whose memory this one need not carry.

    Opening and closing block the loop: nothing else runs before the one or after the other. Raises NotThere where
    another daemon has the store, or the key is not there; StoreBroken where the file cannot be opened.
    """
    with locked(options.path):
        opened = _opened(options, clock, apart=apart)
        store = Store(options, clock, opened.db)
        store.start()
        inspection = asyncio.create_task(store.inspect()) if not opened.was_clean else None
        try:
            if opened.quarantined:
                await store.tell("store.quarantined", file=opened.quarantined)
            yield store
        finally:
            if inspection:
                inspection.cancel()
                await asyncio.gather(inspection, return_exceptions=True)
            store.close()


def _opened(options: "BufferOptions", clock: "Clock", *, apart: bool) -> recovery.Opened:
    try:
        return recovery.open_checked(options, clock.now(), apart=apart)
    except (dbapi2.Error, OSError) as error:
        raise StoreBroken("The store cannot be opened; check the disk with `vitals-gateway doctor`.") from error


class Store:
    """
    Everything that is kept. Each method returns when what it did is durable.

    `arrived` is set whenever there may be something to send; whoever sends clears it. Methods raise StoreFull where
    there is no room (nothing was kept) and StoreBroken where the disk or the file failed (leave, exit 74).
    """

    def __init__(self, options: "BufferOptions", clock: "Clock", db: "Connection") -> None:
        self.arrived = asyncio.Event()
        self.damage: str | None = None
        self._in_hand: set[str] = set()  # batches this process was given
        self._options = options
        self._clock = clock
        self._writer = Writer(db, options, clock, self.arrived)
        self._reader = reader.Reader(options)

    def start(self) -> None:
        """Begin to serve; what an earlier run left unsent may be sent."""
        self.arrived.set()
        self._writer.start()

    def close(self) -> None:
        """Write what was promised, then close the file."""
        self._reader.close()
        self._writer.close()

    async def append(self, drafts: Sequence[Draft]) -> list[bool]:
        """Keep drafts in one transaction; for each True where it is kept now, False where it was there before."""
        kept: list[bool] = await self._writer.submit(drafts=drafts, wakes=any)
        return kept

    async def next_batch(
        self, hub: bytes, records_max: int, bytes_max: int, *, newest_first: bool = False
    ) -> "Batch | None":
        """
        What to send next, stored before it is returned: first the batches stored earlier, oldest first.

        A batch is returned once in the life of a process, until it is settled or split: so the next can be made ready
        while one is on its way. For one caller at a time.
        """
        work = partial(outbox.next_batch, hub=hub, records_max=records_max, bytes_max=bytes_max,
                       newest_first=newest_first, in_hand=frozenset(self._in_hand), now_ms=self._now_ms())  # fmt: skip
        batch: Batch | None = await self._writer.submit(work)
        if batch:  # a cancelled caller never saw it: the next call returns it
            self._in_hand.add(batch.batch_id)
        return batch

    async def settle(self, batch_id: str, outcomes: "Sequence[Outcome]") -> Settlement:
        """Write the backend's word on each record; one without waits again. The batch is no more."""
        work = partial(outbox.settle, batch_id=batch_id, outcomes=outcomes, now_ms=self._now_ms())
        settled: Settlement = await self._writer.submit(work, wakes=lambda done: bool(done.waiting))
        self._in_hand.discard(batch_id)
        return settled

    async def split(self, batch_id: str) -> tuple[str, ...]:
        """Two stored batches in place of one, and their ids; none where there is no such batch or one record in it."""
        work = partial(outbox.split, batch_id=batch_id, now_ms=self._now_ms())
        halves: tuple[str, ...] = await self._writer.submit(work, wakes=bool)
        self._in_hand.discard(batch_id)
        return halves

    async def send_again(self, ranges: Iterable[tuple[int, int]]) -> int:
        """Accepted records of these ranges of seq (both ends included) wait again; how many there were."""
        count: int = await self._writer.submit(partial(outbox.send_again, ranges=list(ranges)), wakes=bool)
        return count

    async def retry(self, record_id: str) -> bool:
        """A refused record waits again; False where there is no such one."""
        found: bool = await self._writer.submit(partial(outbox.retry, record_id=record_id), wakes=bool)
        return found

    async def purge(self) -> int:
        """Delete what the backend accepted and retention no longer asks for; how many records went."""
        before_ms = self._now_ms() - self._options.retain_days * _DAY_MS
        total = 0
        while count := await self._writer.submit(partial(space.shed, before_ms=before_ms)):
            total += count
        await self._writer.submit(partial(space.tidy, now_ms=self._now_ms()))
        return total

    async def prove(self) -> None:
        """Return once the writer has taken a turn: proof of life that costs no write."""
        await self._writer.submit(_nothing)

    async def stats(self) -> Stats:
        """The store at a glance; takes some milliseconds however much is kept."""
        figures = await self._reader.ask(partial(reader.figures, options=self._options))
        return Stats(
            **figures,
            is_full=self._writer.is_full,
            bytes_written=self._writer.bytes_written,
            last_commit_s=self._writer.last_commit_s,
            sqlite_version=dbapi2.sqlite_version,
            damage=self.damage,
        )

    async def waiting(self, limit: int) -> list[Entry]:
        """The oldest that wait."""
        return await self._reader.ask(partial(reader.waiting, limit=limit))

    async def refused(self, limit: int) -> list[Entry]:
        """The oldest that the backend refused, with its reason."""
        return await self._reader.ask(partial(reader.refused, limit=limit))

    async def record(self, record_id: str) -> Entry | None:
        """One record and where it stands."""
        return await self._reader.ask(partial(reader.entry, record_id=record_id))

    async def readings_after(self, seq: int, limit: int) -> list[Entry]:
        """The first readings kept after a number, in order of seq."""
        return await self._reader.ask(partial(reader.readings_after, seq=seq, limit=limit))

    async def ledger(self, types: Iterable[str]) -> list[dict[str, Any]]:
        """The records of these types, in order of seq: what the registry is rebuilt from."""
        return await self._reader.ask(partial(reader.ledger, types=frozenset(types)))

    async def follow(self, seq: int, limit: int) -> list[Entry]:
        """The first records after a number, of every type, in order of seq."""
        return await self._reader.ask(partial(history.follow, seq=seq, limit=limit))

    async def first_since(self, received_ms: int) -> int | None:
        """The lowest number of a record received then or later; None where there is none."""
        return await self._reader.ask(partial(history.first_since, received_ms=received_ms))

    async def accepted_among(self, seqs: Iterable[int]) -> list[int]:
        """Those of some records that the backend has accepted."""
        return await self._reader.ask(partial(history.accepted_among, seqs=tuple(seqs)))

    async def gone_since(self, received_ms: int) -> int:
        """How many records received since then are no longer here."""
        return await self._reader.ask(partial(history.gone_since, received_ms=received_ms))

    async def events(self, prefix: str) -> list[Entry]:
        """The events whose name begins so, in order of seq."""
        return await self._reader.ask(partial(history.events, prefix=prefix))

    async def tell(self, name: str, **detail: str) -> None:
        """Keep an event about the store itself."""
        now = self._clock.now()
        body = {"name": name, "received_at": now.text, "detail": detail}
        record_id = sha256(f"{name}\x1f{now.boot_id}\x1f{now.monotonic_ns}\x1f{detail}".encode()).hexdigest()
        log.warning(name)
        await self.append([Draft(record_id, "event", body, now.utc_ms)])

    async def inspect(self) -> str | None:
        """Check everything, a slice at a time, and say in one sentence what is damaged; None where nothing is."""
        newest = (await self.stats()).newest_seq
        try:
            for first, last in recovery.slices(newest, _SLICE_RECORDS):
                await self._reader.ask(partial(recovery.inspect, first=first, last=last))
                await self._clock.sleep(_REST_S)
            await self._reader.ask(recovery.inspect_tallies)
        except (recovery.Damage, StoreBroken) as error:
            self.damage = str(error)
            with suppress(StoreBroken):  # what is readable is still served; `damage` says the rest
                await self.tell("store.damaged", found=self.damage)
        return self.damage

    def _now_ms(self) -> int:
        return self._clock.now().utc_ms


def _nothing(_db: "Connection") -> None:
    """No work."""
