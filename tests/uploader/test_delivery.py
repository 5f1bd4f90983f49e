"""
The whole promise: whatever the cloud, the network and the power do, every record is settled once and altered never.

The cloud loses, repeats, refuses, asks for what it has, answers nonsense; the process ends at any turn of its loop.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.core.batch import State
from gateway.core.link import LinkState
from gateway.core.record import canonical
from tests.fakes import cloud
from tests.fakes.clock import START_MS, FakeClock
from tests.fakes.cloud import FakeCloud, Say
from tests.fakes.outbox import FakeOutbox
from uploader.loop import Uploader
from uploader.options import UploadOptions

HUB = canonical({"id": "hub-7"})
WEEK_MS = 7 * 24 * 3_600_000
SPLITS = (400, 413, 422)
SAYS: tuple[Say, ...] = (*cloud.ANSWERED, *cloud.UNANSWERED, *SPLITS, 302, 401, 403, 404, 408, 425, 429, 500, 503)


@dataclass(frozen=True)
class Story:
    """What happens: records come in these lots, the cloud says this, the process ends after so many turns."""

    lots: Sequence[int]
    says: Sequence[Say]
    ends: Sequence[int]
    poison: frozenset[int]
    refuses: frozenset[int]
    missing: Sequence[tuple[int, int]]
    batch_max: int
    is_late: bool


numbers = st.integers(1, 30)
stories = st.builds(
    Story,
    lots=st.lists(st.integers(0, 12), min_size=1, max_size=4),
    says=st.lists(st.sampled_from(SAYS), max_size=25),
    ends=st.lists(st.integers(0, 60), max_size=4),
    poison=st.frozensets(numbers, max_size=3),
    refuses=st.frozensets(numbers, max_size=3),
    missing=st.lists(st.tuples(numbers, numbers).map(lambda pair: (min(pair), max(pair))), max_size=2),
    batch_max=st.integers(1, 8),
    is_late=st.booleans(),
)


class Stage:
    """One story as it happens."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.outbox = FakeOutbox()
        self.cloud = FakeCloud(lambda number: story.says[number] if number < len(story.says) else cloud.OK)
        books = self.cloud.books
        books.poison = frozenset(f"r{number}" for number in story.poison)
        books.refuses = frozenset(f"r{number}" for number in story.refuses)
        books.missing = [list(pair) for pair in story.missing]
        self.clock = FakeClock(jumps=True)
        self.came = 0

    def add(self, count: int) -> None:
        for _ in range(count):
            self.came += 1
            record = canonical({"record_id": f"r{self.came}", "seq": self.came})
            self.outbox.add((f"r{self.came}", record), received_ms=START_MS - WEEK_MS * self.story.is_late)

    async def run(self, turns: int | None) -> None:
        """Upload for so many turns of the loop, or until nothing waits."""
        options = UploadOptions("http://localhost/", batch_max=self.story.batch_max, batch_wait_s=0.1)
        link = LinkState("upload", "upload")
        up = Uploader(self.outbox, self.cloud, options, self.clock, lambda: 0.5, link, HUB)
        self.outbox.crash()
        task = asyncio.create_task(up.run())
        if turns is None:
            async with asyncio.timeout(20):
                await self.outbox.until_sent()
        else:
            for _ in range(turns):
                await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def play(self) -> None:
        ends = iter(self.story.ends)
        for lot in self.story.lots:
            self.add(lot)
            turns = next(ends, None)
            if turns is not None:
                await self.run(turns)
        await self.run(None)


def bare(**told: object) -> Story:
    given_: dict[str, object] = {
        "lots": [5],
        "says": [],
        "ends": [],
        "poison": frozenset(),
        "refuses": frozenset(),
        "missing": [],
        "batch_max": 3,
        "is_late": False,
    }
    return Story(**(given_ | told))  # type: ignore[arg-type] # the fields as told


@settings(max_examples=300, deadline=None)
@example(bare(says=[cloud.LOST_AFTER_COMMIT, cloud.RESET, cloud.OTHER_BATCH, cloud.PACKED]))
@example(bare(ends=[0, 7, 13, 29]))
@example(bare(lots=[8], says=[cloud.HALF, cloud.NONE, cloud.ASKS], missing=[(1, 30)], is_late=True))
@given(stories)
def test_every_record_is_settled_once_and_altered_never(story: Story) -> None:
    stage = Stage(story)
    asyncio.run(stage.play())
    books, outbox = stage.cloud.books, stage.outbox
    assert books.faults == []
    accepted, refused = outbox.standing(State.ACCEPTED), outbox.standing(State.REFUSED)
    assert accepted | refused == {f"r{number}" for number in range(1, stage.came + 1)}
    assert not accepted & refused
    assert accepted <= set(books.records)
    if not set(SPLITS) & set(story.says):
        assert refused <= books.poison | books.refuses
    if cloud.ASKS not in story.says and not story.ends:
        assert {kept.words for kept in outbox.records.values()} <= {1}
    assert not outbox.batches
