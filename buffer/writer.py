"""
The one writing thread and the only connection that writes.

Rule 1: a promise resolves after the COMMIT that holds its work has returned, under journal_mode=WAL and
        synchronous=FULL, and never before.
Rule 2: while one COMMIT waits for the disk, later work queues and shares the next: the disk sets the pace, and there is
        no timer to tune.
Rule 3: a group that fails is rolled back whole; then each piece of work is tried alone, so that a bad one harms no
        other.
Rule 4: after the disk itself failed nothing is written any more. A second fsync may succeed without the lost pages.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from buffer.keep import keep
from buffer.known import Known
from buffer.log import Log
from buffer.recovery import mark_damaged
from buffer.space import Space, used_pages
from buffer.trouble import breaks, is_damage, is_full, translated
from gateway.core.errors import StoreBroken, StoreFull

if TYPE_CHECKING:
    from sqlite3 import Connection

    from buffer.options import BufferOptions
    from gateway.core.reading import Draft
    from gateway.core.time import Clock

log = logging.getLogger(__name__)

# Pieces of work that may wait: above what all sources together have in flight; beyond it the source waits.
INBOX_MAX = 4096
# Drafts in one transaction: about 1 MiB of log, some 30 ms on a Pi.
GROUP_DRAFTS_MAX = 500
# Quiet time after which the log is copied into the database.
IDLE_S = 1.0

T = TypeVar("T")
Work = Callable[["Connection"], Any]


@dataclass(frozen=True, slots=True)
class Job:
    """Drafts to keep, or work to run; `wakes` says whether its result may mean something to send."""

    promise: "asyncio.Future[Any]"
    drafts: "Sequence[Draft]" = ()
    work: Work | None = None
    wakes: Callable[[Any], bool] | None = None


class Writer:
    """`submit` and `close` are called on the loop's thread; what is private runs on the writer's own."""

    def __init__(self, db: "Connection", options: "BufferOptions", clock: "Clock", arrived: asyncio.Event) -> None:
        self.last_commit_s: float | None = None
        self._db = db
        self._path = options.path
        self._space = Space(options)
        self._space.limit(db)
        self._log = Log(db, self._space.log_max_bytes)
        self._known = Known(db)
        self._clock = clock
        self._arrived = arrived
        self._loop = asyncio.get_running_loop()
        self._inbox: SimpleQueue[Job | None] = SimpleQueue()
        self._broken: StoreBroken | None = None
        self._idle_s = IDLE_S
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="buffer-writer", daemon=True)

    @property
    def is_full(self) -> bool:
        """Whether new records are refused for want of room."""
        return self._space.is_full

    @property
    def bytes_written(self) -> int:
        """What COMMIT wrote since the start."""
        return self._log.bytes_written

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def submit(
        self, work: Work | None = None, *, drafts: "Sequence[Draft]" = (), wakes: Callable[[Any], bool] | None = None
    ) -> "asyncio.Future[Any]":
        """A promise of the work's result once it is durable. Never waits; raises StoreFull where too much waits."""
        if self._closed:
            raise StoreBroken("The store is closed; start the daemon again.")
        if self._inbox.qsize() >= INBOX_MAX:
            raise StoreFull("More waits to be written than the store takes at once; send it again in a moment.")
        job = Job(self._loop.create_future(), drafts, work, wakes)
        self._inbox.put(job)
        return job.promise

    def close(self) -> None:
        """Write what waits, then end; returns when the connection is closed."""
        self._closed = True
        self._inbox.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (jobs := self._next_group()) is not None:
            try:
                if jobs:
                    self._commit(jobs)
                else:
                    self._move_log()
            except Exception as error:  # noqa: BLE001 -- told to these waiters and all later: else they wait for ever
                self._give_up(jobs, error)
        self._leave()

    def _give_up(self, jobs: list[Job], error: Exception) -> None:
        """Something failed that no rule of this module foresees: the store takes nothing more, and says so."""
        self._broken = StoreBroken("The store failed and takes nothing more; see `vitals-gateway doctor`.")
        self._broken.__cause__ = error
        log.error("store.broken", exc_info=error)
        with suppress(RuntimeError):  # the loop is closed: nobody is left to hear
            self._loop.call_soon_threadsafe(self._answer, jobs, [self._broken] * len(jobs))

    def _next_group(self) -> list[Job] | None:
        """What waits, up to the size of a group; nothing where it is quiet, None at the end."""
        try:
            first = self._inbox.get(timeout=self._idle_s if self._log.is_worth_moving else None)
        except Empty:
            return []
        if first is None:
            return None
        group, drafts = [first], len(first.drafts)
        while drafts < GROUP_DRAFTS_MAX and len(group) < GROUP_DRAFTS_MAX:
            try:
                job = self._inbox.get_nowait()
            except Empty:
                break
            if job is None:
                self._inbox.put(None)  # always the last: nothing is taken after close
                break
            group.append(job)
            drafts += len(job.drafts)
        return group

    def _commit(self, jobs: list[Job]) -> None:
        jobs = [job for job in jobs if not job.promise.cancelled()]  # nobody waits for these, and none has begun
        if not jobs:
            return
        if self._broken:
            results: list[Any] = [self._broken] * len(jobs)
        else:
            results = self._tried(jobs)
        with suppress(RuntimeError):  # the loop is closed: nobody is left to hear
            self._loop.call_soon_threadsafe(self._answer, jobs, results)
        if self._space.is_full:
            self._move_log()  # what was given back is the disk's only then
            self._space.look(self._db)
            return
        if not self._broken:
            self._file()
        if self._log.is_due:
            self._move_log()

    def _file(self) -> None:
        """Not part of any promise either: what is not filed is found in memory."""
        try:
            self._known.read(self._db)
            if not self._known.is_due:
                return
            self._transact(partial(self._known.file, self._db))
        except Exception as error:  # noqa: BLE001 -- kept: the next waiter is told; a full disk files later
            self._judge(error)
        else:
            self._known.filed()

    def _move_log(self) -> None:
        """Not part of any promise: what the log holds is durable already."""
        if self._broken:
            return
        try:
            self._log.move(self._db)
        except Exception as error:  # noqa: BLE001 -- kept: the next waiter is told
            self._judge(error)

    def _tried(self, jobs: list[Job]) -> list[Any]:
        """For each job its result or its error."""
        try:
            return self._transact(partial(self._results, jobs))
        except Exception as error:  # noqa: BLE001 -- handed to every waiter, not swallowed
            self._judge(error)
            if len(jobs) == 1 and not is_full(error):
                return [self._broken or translated(error)]
        return [self._broken or self._alone(job) for job in jobs]

    def _alone(self, job: Job) -> Any:
        try:
            return self._transact(partial(self._results, [job]))[0]
        except Exception as error:  # noqa: BLE001 -- handed to its waiter, not swallowed
            self._judge(error)
            return self._broken or translated(error)

    def _judge(self, error: Exception) -> None:
        """What follows from an error for the store itself."""
        if breaks(error):
            self._broken = StoreBroken("The store failed and takes nothing more; see `vitals-gateway doctor`.")
            self._broken.__cause__ = error
            log.error("store.broken", exc_info=error)
            if is_damage(error):
                mark_damaged(self._path)
        elif is_full(error):
            self._space.relieve()

    def _transact(self, work: Callable[[], T]) -> T:
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            result = work()
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self._log.grew(db)
        self.last_commit_s = self._clock.monotonic_s()
        return result

    def _results(self, jobs: list[Job]) -> list[Any]:
        results: list[Any] = []
        for is_append, run in groupby(jobs, key=lambda job: job.work is None):
            if is_append:
                results += self._keep(list(run))
            else:
                results += [job.work(self._db) for job in run if job.work]
        return results

    def _keep(self, jobs: list[Job]) -> list[Any]:
        """Appends side by side are one: one look for duplicates, one set of rows."""
        try:
            answers = iter(self._fitted([draft for job in jobs for draft in job.drafts]))
        except StoreFull as error:
            return [error] * len(jobs)  # what it shed is committed, and so is the work of others
        return [[next(answers) for _ in job.drafts] for job in jobs]

    def _fitted(self, drafts: "Sequence[Draft]") -> list[bool]:
        """Keep the drafts where they leave settling its room, shedding history until they do; raises StoreFull."""
        self._space.claim(self._db)
        while (answers := self._within(drafts)) is None:
            self._space.make_room(self._db)
        return answers

    def _within(self, drafts: "Sequence[Draft]") -> list[bool] | None:
        """
        Keep the drafts; None, and nothing changed, where they take more than appends may.

        A group can be larger than what is kept free for settling. It would take that too, and nothing could leave the
        store any more; or it would find no room beside history that may go.
        """
        db, space = self._db, self._space
        before_pages = used_pages(db)
        db.execute("SAVEPOINT fitted")
        try:
            answers = keep(db, self._known, drafts)
        except Exception as error:
            if not (is_full(error) and db.in_transaction):
                raise
            does_fit = space.overflowed(before_pages)
        else:
            does_fit = space.fits(db, before_pages)
        if not does_fit:
            db.execute("ROLLBACK TO fitted")
        db.execute("RELEASE fitted")
        return answers if does_fit else None

    def _answer(self, jobs: list[Job], results: list[Any]) -> None:
        """On the loop's thread: resolve the promises of one group."""
        for job, result in zip(jobs, results, strict=True):
            if isinstance(result, Exception):
                if not job.promise.done():
                    job.promise.set_exception(result)
                continue
            if job.wakes and job.wakes(result):
                self._arrived.set()
            if not job.promise.done():  # cancelled after its work began: written all the same
                job.promise.set_result(result)

    def _leave(self) -> None:
        with suppress(Exception):  # a broken store cannot say that it was closed well; the next start finds that out
            if not self._broken:
                self._db.execute("UPDATE head SET is_clean = 1")
                self._log.move(self._db)
        self._db.close()
