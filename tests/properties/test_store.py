"""
The store against a dict: whatever order things come in, and whenever the power fails.

A crash is the files as they are on disk while the daemon runs, opened anew beside it: what was acknowledged is there,
what was not may be.
"""

import asyncio
import json
import shutil
import tempfile
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from buffer.options import BufferOptions
from buffer.rows import LASTING
from buffer.store import Store, open_store
from gateway.core.batch import Batch, Outcome, State, Status
from gateway.core.reading import Draft
from gateway.core.record import GENESIS, verify
from tests.fakes.clock import FakeClock

HUB = b'{"id":"hub-7"}'
ONCE_MS = 60_000
RETAIN_DAYS = 2
_TYPES = ["reading", "reading", "event", "device"]
_WORDS = [Status.ACCEPTED, Status.ACCEPTED, Status.DUPLICATE, Status.REFUSED, None]


class Model(RuleBasedStateMachine):
    """Twenty numbers are enough for every draft to come again, be settled, purged and come back."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = FakeClock(jumps=True)
        self.states: dict[str, State] = {}
        self.seqs: dict[str, int] = {}
        self.types: dict[str, str] = {}
        self.received: dict[str, int] = {}
        self.heard: dict[str, int] = {}
        self.batches: dict[str, Batch] = {}
        self.in_hand: set[str] = set()
        self.newest = 0
        self.last_hash = GENESIS
        self.runs = 0
        self.store: Store
        self.context: AbstractAsyncContextManager[Store]

    @initialize()
    def begin(self) -> None:
        self._open(self.folder / "0")

    def _open(self, folder: Path) -> None:
        options = BufferOptions(folder / "buffer.db", retain_days=RETAIN_DAYS)
        self.context = open_store(options, self.clock)
        self.store = self._run(self.context.__aenter__())
        self.place = folder
        known = self.store._writer._known
        known._file_at, known._slices = 3, 2  # so that the edges of filing come often
        self.in_hand.clear()

    def _run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self._run(self.context.__aexit__(None, None, None))
        self.loop.close()
        shutil.rmtree(self.folder)

    @rule(numbers=st.lists(st.integers(0, 20), max_size=6), kind=st.sampled_from(_TYPES), once=st.booleans())
    def append(self, numbers: list[int], kind: str, once: bool) -> None:
        now_ms = self.clock.now().utc_ms
        drafts = [
            Draft(f"{kind}-{n}", kind, {"n": n}, now_ms, f"{kind}-{n % 5}" if once else None, ONCE_MS if once else 0)
            for n in numbers
        ]
        expected = [self._expect(draft) for draft in drafts]
        assert self._run(self.store.append(drafts)) == expected

    def _expect(self, draft: Draft) -> bool:
        if draft.record_id in self.states:
            return False
        if draft.once_key is not None:
            heard_ms = self.heard.get(draft.once_key)
            if heard_ms is not None and abs(draft.received_ms - heard_ms) <= draft.once_ms:
                return False
            self.heard[draft.once_key] = draft.received_ms
        self.newest += 1
        self.states[draft.record_id] = State.WAITING
        self.seqs[draft.record_id] = self.newest
        self.types[draft.record_id] = draft.type
        self.received[draft.record_id] = draft.received_ms
        return True

    @rule(records_max=st.integers(1, 5), bytes_max=st.sampled_from([1, 700, 10**6]), newest_first=st.booleans())
    def next_batch(self, records_max: int, bytes_max: int, newest_first: bool) -> None:
        batch = self._run(self.store.next_batch(HUB, records_max, bytes_max, newest_first=newest_first))
        stored = [out for out in self._in_order() if out.batch_id not in self.in_hand]
        if stored:
            assert batch == stored[0]
        else:
            self._check_new(batch, records_max, bytes_max, newest_first=newest_first)
        if batch:
            self.in_hand.add(batch.batch_id)
            self.batches[batch.batch_id] = batch

    def _in_order(self) -> list[Batch]:
        return sorted(self.batches.values(), key=lambda batch: self.seqs[batch.ids[0]])

    def _check_new(self, batch: Batch | None, records_max: int, bytes_max: int, *, newest_first: bool) -> None:
        waiting = sorted(self._standing(State.WAITING), key=lambda one: self.seqs[one], reverse=newest_first)
        assert (batch is None) == (not waiting)
        if batch is None:
            return
        assert sorted(batch.ids) == sorted(waiting[: len(batch.ids)])
        assert list(batch.ids) == sorted(batch.ids, key=lambda one: self.seqs[one])
        assert len(batch.ids) <= records_max
        assert len(batch.ids) == 1 or sum(map(len, batch.records)) <= bytes_max
        assert bytes_max < 10**6 or len(batch.ids) == min(records_max, len(waiting))
        for record_id, text in zip(batch.ids, batch.records, strict=True):
            record = json.loads(text)
            assert verify(record)
            assert (record["record_id"], record["seq"]) == (record_id, self.seqs[record_id])
            self.states[record_id] = State.BATCHED

    def _standing(self, *states: State) -> list[str]:
        return [record_id for record_id, state in self.states.items() if state in states]

    @precondition(lambda self: self.batches)
    @rule(choose=st.data())
    def settle(self, choose: st.DataObject) -> None:
        batch = choose.draw(st.sampled_from(self._in_order()))
        words = choose.draw(st.lists(st.sampled_from(_WORDS), min_size=len(batch.ids), max_size=len(batch.ids)))
        said = {one: word for one, word in zip(batch.ids, words, strict=True) if word is not None}
        outcomes = [Outcome(one, word, "no" if word is Status.REFUSED else None) for one, word in said.items()]
        settled = self._run(self.store.settle(batch.batch_id, [*outcomes, Outcome("stranger", Status.ACCEPTED)]))
        assert (settled.unknown, settled.waiting) == (1, words.count(None))
        for one in batch.ids:
            refused = said.get(one) is Status.REFUSED
            self.states[one] = State.WAITING if one not in said else State.REFUSED if refused else State.ACCEPTED
        self._forget(batch)

    def _forget(self, batch: Batch) -> None:
        del self.batches[batch.batch_id]
        self.in_hand.discard(batch.batch_id)

    @precondition(lambda self: self.batches)
    @rule(choose=st.data())
    def split(self, choose: st.DataObject) -> None:
        batch = choose.draw(st.sampled_from(self._in_order()))
        halves = self._run(self.store.split(batch.batch_id))
        if len(batch.ids) == 1:
            assert halves == ()
            self.in_hand.discard(batch.batch_id)
            return
        self._forget(batch)
        middle = len(batch.ids) // 2
        for batch_id, part in zip(halves, (slice(None, middle), slice(middle, None)), strict=True):
            self.batches[batch_id] = Batch(batch_id, batch.hub, batch.records[part], batch.ids[part])

    @rule(number=st.integers(0, 20), kind=st.sampled_from(_TYPES))
    def retry(self, number: int, kind: str) -> None:
        record_id = f"{kind}-{number}"
        is_refused = self.states.get(record_id) is State.REFUSED
        assert self._run(self.store.retry(record_id)) == is_refused
        if is_refused:
            self.states[record_id] = State.WAITING

    @precondition(lambda self: self._standing(State.REFUSED))
    @rule(choose=st.data())
    def retry_refused(self, choose: st.DataObject) -> None:
        record_id = choose.draw(st.sampled_from(sorted(self._standing(State.REFUSED))))
        assert self._run(self.store.retry(record_id))
        self.states[record_id] = State.WAITING

    @rule()
    def send_the_same_again(self) -> None:
        known_ids = sorted(self.states)
        again = [Draft(one, self.types[one], {}, self.clock.now().utc_ms) for one in known_ids]
        assert self._run(self.store.append(again)) == [False] * len(again)

    @rule(first=st.integers(0, 40), count=st.integers(0, 20))
    def send_again(self, first: int, count: int) -> None:
        asked = [one for one in self._standing(State.ACCEPTED) if first <= self.seqs[one] <= first + count]
        assert self._run(self.store.send_again([(first, first + count)])) == len(asked)
        for one in asked:
            self.states[one] = State.WAITING

    @rule(days=st.sampled_from([0, 1, RETAIN_DAYS + 1]))
    def purge(self, days: int) -> None:
        self.clock.jump(days * 86_400)
        before_ms = self.clock.now().utc_ms - RETAIN_DAYS * 86_400_000
        old = [one for one in self._standing(State.ACCEPTED)
               if self.received[one] < before_ms and self.types[one] not in LASTING]  # fmt: skip
        assert self._run(self.store.purge()) == len(old)
        for one in old:
            del self.states[one], self.seqs[one]
        self.heard = {key: heard_ms for key, heard_ms in self.heard.items()
                      if heard_ms + ONCE_MS >= self.clock.now().utc_ms}  # fmt: skip

    @rule(delay_s=st.sampled_from([1, 59, 61, -30]))
    def time_passes(self, delay_s: int) -> None:
        self.clock.step_wall(delay_s)

    @rule()
    def close_and_open(self) -> None:
        self._run(self.context.__aexit__(None, None, None))
        self._open(self.place)

    @rule()
    def crash(self) -> None:
        self.runs += 1
        copy = self.folder / str(self.runs)
        copy.mkdir()
        for file in self.place.iterdir():
            if not file.name.endswith((".headroom", "-shm")):  # the one is empty, the other is memory
                shutil.copy(file, copy)
        self._run(self.context.__aexit__(None, None, None))
        self._open(copy)
        assert self._run(self.store.inspect()) is None

    @invariant()
    def tallies_and_ages_hold(self) -> None:
        if not hasattr(self, "store"):
            return
        stats = self._run(self.store.stats())
        assert stats.records == {state: len(self._standing(state)) for state in State}
        assert stats.newest_seq == self.newest
        unsent = self._standing(State.WAITING, State.BATCHED)
        oldest = min(unsent, key=lambda one: self.seqs[one], default=None)
        assert stats.oldest_unsent_ms == (None if oldest is None else self.received[oldest])

    @invariant()
    def every_record_stands_where_it_should(self) -> None:
        if not hasattr(self, "store"):
            return
        waiting = self._run(self.store.waiting(100))
        refused = self._run(self.store.refused(100))
        by_seq = sorted(self.states, key=lambda one: self.seqs[one])
        assert [entry.record_id for entry in waiting] == [o for o in by_seq if self.states[o] is State.WAITING]
        assert [entry.record_id for entry in refused] == [o for o in by_seq if self.states[o] is State.REFUSED]
        assert all(verify(entry.record) for entry in [*waiting, *refused])


def _settings(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )


TestStoreAgainstModel = Model.TestCase
TestStoreAgainstModel.settings = _settings(40, 30)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_store_against_the_model_for_long() -> None:
    run_state_machine_as_test(Model, settings=_settings(3000, 60))
