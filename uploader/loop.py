"""
The one way out: take a batch, send it, judge the answer, settle; for ever.

Nothing here is kept in memory alone. A batch is stored before it is sent and settled after it was answered, so the loop
can be cancelled, or the power cut, at any point: whatever was on its way goes out again under the same key.

While one batch is on its way the next is stored and packed, and the outcome of the one before is stored: the wire is
not kept waiting by the disk. There is never more than one request, so a backend that is back after an outage gets one
probe, and the rest follows once that is answered.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Never, Protocol, TypeVar

import structlog

from gateway.core.batch import Outcome, Status
from gateway.core.errors import BadCredentials, LinkError, StoreFull
from gateway.core.link import LinkState
from gateway.core.time import Clock
from uploader.allowance import Allowance
from uploader.counts import UploadCounts
from uploader.envelope import Parcel, pack
from uploader.options import UploadOptions
from uploader.outbox import Outbox
from uploader.verdict import Again, Answer, Hold, Settled, Split, Verdict, again_s, delay_s, hold_s, judge

# Today's reading does not wait behind last month's: once the oldest has waited a day, every second batch is the newest.
_LONG_WAIT_MS = 24 * 3600 * 1000
_LOOK_AT_AGE_S = 60.0  # how often the oldest record's age is asked for: a day need not be told to the second
_LOOK_AT_FILES_S = 10.0  # how soon a replaced token or certificate is noticed while knocking slowly
_PROOF_S = 60.0  # how often a loop that waits for records says that it lives
_BREATH_S = 0.2  # while records trickle in: at most five small batches a second, and fewer commits for the disk
_SMALL_BYTES = 32 * 1024  # packed in the loop itself; more goes to a thread, so that capture is not held up
# A backend that refuses every record is more likely wrong than all of them are: from here on, one with each slow probe.
_REFUSED_IN_A_ROW_MAX = 500

T = TypeVar("T")

_log = structlog.get_logger()


class Sender(Protocol):
    """What the loop needs of the client."""

    async def send(self, parcel: Parcel) -> Answer:
        """The backend's answer; raises LinkError where there was none, BadCredentials where a person must act."""

    def stamp(self) -> object:
        """Differs once a person has replaced a secret or a certificate."""


@dataclass(slots=True)
class Uploader:
    """
    `run` it until it is cancelled.

    hub     canonical JSON of the hub object, as it goes into new batches
    jitter  0 to 1, at random
    """

    outbox: Outbox
    client: Sender
    options: UploadOptions
    clock: Clock
    jitter: Callable[[], float]
    link: LinkState
    hub: bytes
    counts: UploadCounts = field(default_factory=UploadCounts)
    _allowance: Allowance = field(default_factory=Allowance)
    _receipt: tuple[str, tuple[Outcome, ...]] | None = None  # answered, not yet stored
    _failures: int = 0
    _holds: int = 0
    _pieces: int = 0  # of split batches, still to be sent
    _refused_in_a_row: int = 0
    _look_s: float = 0.0
    _is_late: bool = False
    _newest_turn: bool = False

    async def run(self) -> Never:
        """Upload whatever comes, until cancelled. Raises StoreBroken."""
        following: Parcel | None = None
        while True:
            following = await self._deliver(following or await self._await_parcel())

    async def _await_parcel(self) -> Parcel:
        """The next parcel, once there is one; the first record waits `batch_wait_s` for company."""
        while True:
            self.outbox.arrived.clear()
            parcel = await self._take()
            if parcel is not None:
                return parcel
            self.link.settled.set()  # nothing to send: nothing stands against being ready
            await self._arrival()
            await self._gather()

    async def _arrival(self) -> None:
        while not self.outbox.arrived.is_set():
            self.link.alive_s = self.clock.monotonic_s()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PROOF_S):
                    await self.outbox.arrived.wait()

    async def _gather(self) -> None:
        left_s = self.options.batch_wait_s
        while left_s > 0:
            self.link.alive_s = self.clock.monotonic_s()
            await self.clock.sleep(min(left_s, _PROOF_S))
            left_s -= _PROOF_S

    async def _deliver(self, parcel: Parcel) -> Parcel | None:
        """Send until the batch is settled or split; the parcel made ready meanwhile."""
        self._pieces = max(0, self._pieces - 1)
        verdict, following = await self._exchange(parcel)
        while isinstance(verdict, Again | Hold):
            await self._wait(verdict)
            verdict = await self._attempt(parcel)
        if isinstance(verdict, Split):
            self._recovered()
            await self._split(parcel, verdict)
        else:
            await self._accept(parcel, verdict, at_once=following is None)
        if following is None and not parcel.is_full and not self._pieces:
            await self.clock.sleep(min(self.options.batch_wait_s, _BREATH_S))
        return following

    async def _exchange(self, parcel: Parcel) -> tuple[Verdict, Parcel | None]:
        """Send; store the last outcome and make the next parcel ready meanwhile. One COMMIT takes both."""
        receipt, self._receipt = self._receipt, None
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(self._attempt(parcel))
            if receipt is not None:
                group.create_task(self._settle(*receipt))
            following = group.create_task(self._take()) if parcel.is_full else None
        return sending.result(), following.result() if following else None

    async def _take(self) -> Parcel | None:
        """The next batch, stored and packed."""
        newest_first = await self._is_newest_turn()
        most, bytes_max = self.options.batch_max, self.options.bytes_max
        batch = await self._stored(lambda: self.outbox.next_batch(self.hub, most, bytes_max, newest_first=newest_first))
        if batch is None:
            return None
        size_bytes = sum(map(len, batch.records))
        is_full = len(batch.records) >= most or size_bytes > bytes_max // 2
        if size_bytes <= _SMALL_BYTES:
            return pack(batch, self.options.compress, self.options.format, is_full=is_full)
        return await asyncio.to_thread(pack, batch, self.options.compress, self.options.format, is_full=is_full)

    async def _is_newest_turn(self) -> bool:
        now_s = self.clock.monotonic_s()
        if now_s >= self._look_s:
            self._look_s = now_s + _LOOK_AT_AGE_S
            oldest_ms = (await self.outbox.stats()).oldest_unsent_ms
            self._is_late = oldest_ms is not None and self.clock.now().utc_ms - oldest_ms > _LONG_WAIT_MS
        self._newest_turn = self._is_late and not self._newest_turn
        return self._newest_turn

    async def _attempt(self, parcel: Parcel) -> Verdict:
        """One request, judged; never raises what the network or a person can mend."""
        self.link.alive_s = self.clock.monotonic_s()
        self.counts.sent_bytes += len(parcel.body)
        try:
            answer = await self.client.send(parcel)
        except LinkError as error:
            verdict: Verdict = Again(str(error))
        except BadCredentials as error:
            verdict = Hold(str(error))
        else:
            verdict = self._judge(answer, parcel)
        self.counts.attempts[type(verdict).__name__.lower()] += 1
        return verdict

    def _judge(self, answer: Answer, parcel: Parcel) -> Verdict:
        now_ms = self.clock.now().utc_ms
        if self.options.format != "fhir":
            return judge(answer, parcel.batch_id, parcel.ids, now_ms)
        from uploader import fhir  # only for servers that speak it

        return fhir.judge(answer, parcel.batch_id, parcel.owners, now_ms)

    async def _wait(self, verdict: Again | Hold) -> None:
        """Say what stands against sending, and wait: as long as the failures in a row ask for."""
        jitter = self.jitter()
        if isinstance(verdict, Hold):
            self._holds += 1
            self._down(verdict.why, needs_person=True)
            await self._hold(hold_s(self._holds, jitter))
        else:
            self._failures += 1
            self._down(verdict.why, needs_person=verdict.needs_person)
            await self.clock.sleep(again_s(verdict.retry_after_s, self._failures, jitter))

    async def _hold(self, delay_s: float) -> None:
        """Wait for the next slow probe, or until a person has replaced what was refused."""
        stamp, left_s = self.client.stamp(), delay_s
        while left_s > 0 and self.client.stamp() == stamp:
            await self.clock.sleep(min(left_s, _LOOK_AT_FILES_S))
            left_s -= _LOOK_AT_FILES_S

    async def _accept(self, parcel: Parcel, verdict: Settled, *, at_once: bool) -> None:
        """Store the outcomes, or leave that to the next exchange; send again what the backend misses."""
        self._count(verdict)
        await self._send_again(verdict.missing)
        if at_once or not verdict.outcomes:
            await self._settle(parcel.batch_id, verdict.outcomes)
        else:
            self._receipt = (parcel.batch_id, verdict.outcomes)
        if verdict.outcomes or not parcel.ids:
            self._recovered()
        else:
            await self._wait(Again("The backend gave no result for any record; they are sent again."))

    async def _settle(self, batch_id: str, outcomes: tuple[Outcome, ...]) -> None:
        await self._stored(lambda: self.outbox.settle(batch_id, outcomes))

    async def _split(self, parcel: Parcel, verdict: Split) -> None:
        """Halve the batch; a record that is alone is the one that is refused."""
        if len(parcel.ids) > 1:
            self._pieces += 2
            await self._stored(lambda: self.outbox.split(parcel.batch_id))
            return
        refusal = Settled(tuple(Outcome(record_id, Status.REFUSED, verdict.reason) for record_id in parcel.ids))
        self._count(refusal)
        await self._settle(parcel.batch_id, refusal.outcomes)
        if self._refused_in_a_row > _REFUSED_IN_A_ROW_MAX:
            await self._wait(Hold("The backend refuses one record after the other; check upload.url and its software."))

    async def _send_again(self, missing: tuple[tuple[int, int], ...]) -> None:
        ranges = self._allowance.within(missing, self.clock.monotonic_s())
        if not ranges:
            return
        count = await self._stored(lambda: self.outbox.send_again(ranges))
        self._allowance.spend(count)
        self.counts.asked_again += count
        if count:
            _log.info("upload.asked_again", count=count)

    async def _stored(self, work: Callable[[], Awaitable[T]]) -> T:
        """What the store gives, once it has room for the work; what was on its way stays stored meanwhile."""
        failures = 0
        while True:
            try:
                return await work()
            except StoreFull as error:
                failures += 1
                self._down(str(error), needs_person=True)
            await self.clock.sleep(delay_s(failures, self.jitter()))

    def _count(self, verdict: Settled) -> None:
        said = Counter(outcome.status.value for outcome in verdict.outcomes)
        self.counts.records.update(said)
        refused = said[Status.REFUSED.value]
        self._refused_in_a_row = 0 if refused < said.total() else self._refused_in_a_row + refused
        if refused:
            _log.warning("upload.refused", count=refused)

    def _down(self, why: str, *, needs_person: bool) -> None:
        if self.link.why != why:  # once for each state, not once for each try
            _log.warning("upload.waits", reason=why, attempts=self._failures + self._holds)
        self.link.down(why, needs_person=needs_person)

    def _recovered(self) -> None:
        if self._failures or self._holds:
            _log.info("upload.recovered", attempts=self._failures + self._holds)
        self._failures = self._holds = 0
        self.link.up(self.clock.monotonic_s())
