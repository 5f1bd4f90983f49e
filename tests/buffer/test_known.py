import asyncio
from pathlib import Path

import pytest

from buffer.known import id_key
from buffer.store import Store
from gateway.core.reading import Draft
from tests.buffer.make import drafts, ids, opened

# Two record ids that share a key, found by trying: what only says where to look must not decide.
ALIKE = ("event-9583", "event-15261")


def soon(store: Store) -> None:
    """File after a few records, so that the edges come often."""
    store._writer._known._file_at = 10


def test_ids_are_known_before_while_and_after_they_are_filed(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            soon(store)
            for number in range(60):
                assert await store.append(drafts(number)) == [True]
                assert await store.append(drafts(*range(number + 1))) == [False] * (number + 1)
                assert await store.record(ids(number)[0]) is not None
            await store.prove()
            filed, held = await store._writer.submit(
                lambda db: (db.execute("SELECT filed FROM head").fetchone()[0], len(store._writer._known._recent))
            )
            assert 10 <= filed <= 60
            assert held <= 60 - filed + 16  # what came while the slices were filed
            assert (await store.record(ids(0)[0])) is not None
        async with opened(tmp_path) as store:
            assert await store.append(drafts(*range(61))) == [False] * 60 + [True]
            while store._writer._known._unread < 2**31:
                await store.prove()
            assert await store.append(drafts(*range(62))) == [False] * 61 + [True]

    asyncio.run(run())


@pytest.mark.parametrize("others", [0, 40], ids=["held", "filed"])
def test_ids_that_share_a_key_are_two_events(tmp_path: Path, others: int) -> None:
    first, second = (Draft(record_id, "event", {"id": record_id}, 0) for record_id in ALIKE)

    async def run() -> None:
        assert id_key(ALIKE[0]) == id_key(ALIKE[1])
        async with opened(tmp_path) as store:
            soon(store)
            assert await store.append([first]) == [True]
            for number in range(others):
                await store.append(drafts(number))
            assert await store.append([second]) == [True]
            assert await store.append([second, first]) == [False, False]
            entries = [await store.record(record_id) for record_id in ALIKE]
            assert [entry.record["id"] for entry in entries if entry] == list(ALIKE)
        async with opened(tmp_path) as store:
            assert await store.append([first, second]) == [False, False]

    asyncio.run(run())


def test_a_key_is_the_same_on_every_machine() -> None:
    assert id_key("") == 0x1271CF25
    assert id_key("a" * 64) == id_key("a" * 64)
    assert -(2**31) <= id_key("any") < 2**31
