"""The fake cloud and the real server, seen through the client, keep one contract."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from gateway.core.batch import Batch
from gateway.core.errors import GatewayError, LinkLost, LinkTimeout
from gateway.core.record import canonical
from tests.fakes import cloud
from tests.fakes.clock import FakeClock
from tests.fakes.cloud import Books, FakeCloud, Say
from tests.uploader.conftest import Serve
from uploader.client import Client
from uploader.envelope import Parcel, pack
from uploader.loop import Sender
from uploader.options import UploadOptions
from uploader.verdict import Again, Hold, Settled, Split, judge

Opened = Callable[[Say], AbstractAsyncContextManager[tuple[Sender, Books]]]


def parcel(batch_id: str = "k", count: int = 4) -> Parcel:
    ids = tuple(f"r{number}" for number in range(count))
    records = tuple(canonical({"record_id": record_id}) for record_id in ids)
    return pack(Batch(batch_id, canonical({"id": "hub-7"}), records, ids), "gzip")


@pytest.fixture(params=["fake", "real"])
def opened(request: pytest.FixtureRequest, serve: Serve, ca: Path) -> Opened:
    @asynccontextmanager
    async def real(say: Say) -> AsyncIterator[tuple[Sender, Books]]:
        with serve(lambda _number: say) as running:
            timeout_s = 0.2 if say == cloud.SILENT else 10.0
            options = UploadOptions(running.url, ca=ca, timeout_s=timeout_s)
            async with Client(options, "hub-7", FakeClock()) as client:
                try:
                    yield client, running.books
                finally:
                    running.release.set()

    @asynccontextmanager
    async def fake(say: Say) -> AsyncIterator[tuple[Sender, Books]]:
        made = FakeCloud(lambda _number: say)
        yield made, made.books

    return real if request.param == "real" else fake


@pytest.mark.parametrize(
    ("say", "kind", "kept"),
    [
        (cloud.OK, Settled, 4),
        (cloud.ASKS, Settled, 4),
        (cloud.HALF, Settled, 2),
        (cloud.NONE, Settled, 0),
        (cloud.PORTAL, Again, 0),
        (cloud.HUGE, Again, 0),
        (cloud.PACKED, Again, 4),
        (cloud.OTHER_BATCH, Again, 4),
        (302, Again, 0),
        (400, Split, 0),
        (401, Hold, 0),
        (404, Again, 0),
        (413, Split, 0),
        (429, Again, 0),
        (503, Again, 0),
    ],
)
def test_an_answer_reaches_the_judge(opened: Opened, say: Say, kind: type, kept: int) -> None:
    async def run() -> None:
        sent = parcel()
        async with opened(say) as (sender, books):
            answer = await sender.send(sent)
        verdict = judge(answer, sent.batch_id, sent.ids, 0)
        assert type(verdict) is kind
        assert len(books.records) == kept
        if say in (429, 503):
            assert verdict == Again(f"The backend is not ready (HTTP {say}).", 1.0)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("say", "error", "kept"),
    [
        (cloud.LOST, LinkLost, 0),
        (cloud.LOST_AFTER_COMMIT, LinkLost, 4),
        (cloud.RESET, LinkLost, 4),
        (cloud.SILENT, LinkTimeout, 0),
    ],
)
def test_no_answer_is_an_error_of_ours(opened: Opened, say: Say, error: type[GatewayError], kept: int) -> None:
    async def run() -> None:
        async with opened(say) as (sender, books):
            with pytest.raises(error):
                await sender.send(parcel())
            assert len(books.records) == kept

    asyncio.run(run())


def test_what_was_sent_twice_is_a_duplicate(opened: Opened) -> None:
    async def run() -> None:
        async with opened(cloud.OK) as (sender, books):
            first = await sender.send(parcel("k1"))
            second = await sender.send(parcel("k2"))
            assert first.body.count(b"accepted") == 4
            assert second.body.count(b"duplicate") == 4
            assert books.faults == []

    asyncio.run(run())


def test_an_altered_retry_is_noticed(opened: Opened) -> None:
    async def run() -> None:
        async with opened(cloud.OK) as (sender, books):
            await sender.send(parcel("k", 4))
            await sender.send(parcel("k", 3))
            assert books.faults == ["a retry was not byte-identical"]

    asyncio.run(run())


def test_poison_and_refusals(opened: Opened) -> None:
    async def run() -> None:
        async with opened(cloud.OK) as (sender, books):
            books.refuses = frozenset({"r1"})
            assert (await sender.send(parcel())).body.count(b"refused") == 1
            books.poison = frozenset({"r2"})
            assert (await sender.send(parcel("k2"))).status == 422

    asyncio.run(run())
