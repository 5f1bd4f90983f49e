import asyncio
import json
import shutil
from pathlib import Path

import pytest

from buffer.recovery import Damage, check_chain
from buffer.store import Store
from gateway.core.errors import StoreBroken
from gateway.core.record import GENESIS, chain
from tests.buffer.make import HUB, accepted, draft, drafts, ids, opened
from tests.fakes.clock import FakeClock

PAGE = 4096


async def crashed(folder: Path, numbers: range) -> Path:
    """A copy of the files of a store that is running; what is in the log is not yet in the database."""
    copy = folder / "crashed"
    copy.mkdir()
    async with opened(folder) as store:
        await store.append([draft(number, size=1000) for number in numbers])
        await moved(store)
        await store.append(drafts(*range(numbers.stop, numbers.stop + 5)))
        shutil.copytree(folder / "store", copy / "store")
    return copy


async def moved(store: Store) -> None:
    """The log is in the database."""
    store._writer._idle_s = 0.0
    store._writer._log._max_bytes = 0
    while store._writer._log._frames != store._writer._log._moved:
        await store.prove()


def spoil(file: Path, page: int) -> None:
    """Overwrite one page, as a dying card does."""
    with file.open("r+b") as opened_file:
        opened_file.seek((page - 1) * PAGE)
        opened_file.write(b"\x5a" * PAGE)


def test_after_a_crash_all_is_checked_and_found_sound(tmp_path: Path) -> None:
    async def run() -> None:
        copy = await crashed(tmp_path, range(300))
        async with opened(copy, FakeClock(jumps=True)) as store:
            assert await store.inspect() is None
            assert (await store.stats()).newest_seq == 305
            assert (await store.stats()).damage is None

    asyncio.run(run())


def test_damage_in_old_records_is_told_and_the_rest_served(tmp_path: Path) -> None:
    async def run() -> None:
        copy = await crashed(tmp_path, range(300))
        pages = (copy / "store" / "buffer.db").stat().st_size // PAGE
        for page in range(40, pages - 60):
            spoil(copy / "store" / "buffer.db", page)
        async with opened(copy, FakeClock(jumps=True)) as store:
            assert await store.inspect() is not None
            stats = await store.stats()
            assert stats.damage is not None
            assert await store.append(drafts(1000)) == [True]
            events = await store.ledger(["event"])
            assert {event["name"] for event in events} == {"store.damaged"}
            with pytest.raises(StoreBroken):
                await store.next_batch(HUB, 1000, 10**9)
        async with opened(copy, FakeClock(jumps=True)) as store:  # the writer met it: a new file goes on
            (event,) = await store.ledger(["event"])
            assert (event["name"], event["seq"] > 300) == ("store.quarantined", True)
            assert await store.append(drafts(1)) == [True]
        assert not list((copy / "store").glob("*.damaged"))

    asyncio.run(run())


def test_damage_at_the_end_moves_the_file_aside_and_the_numbers_go_on(tmp_path: Path) -> None:
    async def run() -> None:
        copy = await crashed(tmp_path, range(300))
        async with opened(copy, FakeClock()) as store:  # lay the log down
            await moved(store)
            head = await store._writer.submit(lambda db: db.execute("SELECT seq, hash FROM head").fetchone())
            await store._writer.submit(
                lambda db: db.execute(
                    "UPDATE record SET bytes = CAST(replace(CAST(bytes AS TEXT), 'value', 'x') AS BLOB) WHERE seq = 305"
                )
            )
            await moved(store)
            shutil.copytree(copy / "store", tmp_path / "again" / "store")
        again = tmp_path / "again"
        async with opened(again, FakeClock()) as store:
            (event,) = await store.ledger(["event"])
            assert event["name"] == "store.quarantined"
            assert (event["seq"], event["prev"]) == (head[0] + 1, head[1])
            assert await store.append(drafts(1)) == [True]
            moved_to = again / "store" / "quarantine" / event["detail"]["file"]
            assert moved_to.stat().st_size > 300 * 1000
        async with opened(again, FakeClock()) as store:
            assert await store.append(drafts(1)) == [False]
            assert len(await store.ledger(["event"])) == 1

    asyncio.run(run())


def test_a_spoiled_page_at_the_end_moves_the_file_aside(tmp_path: Path) -> None:
    async def run() -> None:
        copy = await crashed(tmp_path, range(300))
        (copy / "store" / "buffer.db-wal").unlink()
        for page in range(3, (copy / "store" / "buffer.db").stat().st_size // PAGE + 1):
            spoil(copy / "store" / "buffer.db", page)
        async with opened(copy, FakeClock()) as store:
            (event,) = await store.ledger(["event"])
            assert (event["name"], event["seq"]) == ("store.quarantined", 1)
            assert len(list((copy / "store" / "quarantine").iterdir())) == 1

    asyncio.run(run())


def test_counts_that_are_not_those_of_the_rows_are_damage(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path, FakeClock(jumps=True)) as store:
            await store.append(drafts(1, 2))
            assert await store.inspect() is None
            await store._writer.submit(lambda db: db.execute("UPDATE head SET waiting = 7"))
            assert await store.inspect() == "The counts are not those of the rows."

    asyncio.run(run())


def rows(*bodies: dict[str, object]) -> list[tuple[int, bytes]]:
    made, prev = [], GENESIS
    for seq, body in enumerate(bodies, start=1):
        text, prev = chain(body, record_id=str(seq), type_="reading", seq=seq, prev=prev)
        made.append((seq, text))
    return made


def test_a_chain_is_checked_link_by_link() -> None:
    sound = rows({"a": 1}, {"deep": {"hash": "x" * 64}}, {"before": {"hash": "y"}})
    check_chain(sound)
    check_chain(sound[::2])  # a purged record breaks nothing
    changed = [sound[0], (2, sound[1][1].replace(b"deep", b"deer")), sound[2]]
    with pytest.raises(Damage, match="Record 2 does not have its hash"):
        check_chain(changed)
    with pytest.raises(Damage, match="Record 1 does not have its hash"):
        check_chain([(1, b"not a record")])
    replaced = [sound[0], (2, chain({"a": 2}, record_id="2", type_="reading", seq=2, prev="0" * 64)[0])]
    with pytest.raises(Damage, match="Record 2 does not follow"):
        check_chain(replaced)


def test_a_batch_that_was_out_is_sound_after_a_crash(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            await store.append(drafts(1, 2, 3))
            batch = await store.next_batch(HUB, 2, 10**6)
            shutil.copytree(tmp_path / "store", tmp_path / "crashed" / "store")
        async with opened(tmp_path / "crashed", FakeClock(jumps=True)) as store:
            again = await store.next_batch(HUB, 2, 10**6)
            assert again == batch
            assert again is not None
            await store.settle(again.batch_id, accepted(*ids(1, 2)))
            assert [json.loads(entry.bytes)["seq"] for entry in await store.waiting(5)] == [3]

    asyncio.run(run())
