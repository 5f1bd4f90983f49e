"""Who looked, who changed: on the ledger, without a storm, and never in the way of reading."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import GatewayError, StoreFull
from tests.gateway.evidence.hub import CUFF, FIRST, OTHER, PATIENT, Hub, fill, furnish, hub


async def log(made: Hub) -> list[tuple[str, str, str]]:
    """(what, patient, who) of every access so far."""
    records = [entry.record for entry in await made.store.events("access")]
    return [(record["what"], record["patient"], record["who"]) for record in records]


def test_every_command_that_shows_or_changes_leaves_a_line(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path) as made:
            await furnish(made)
            await made.measure(FIRST)
            await made.ask("enter", patient=PATIENT, values=["weight=70kg"])
            await made.ask("days", patient=PATIENT)
            await made.ask("evidence", patient=PATIENT)
            await made.ask("status")
            (entry, *_) = [e for e in await made.store.waiting(99) if e.type == "reading"]
            await made.ask("queue.show", id=entry.record_id)
            await made.ask("unassign", device=CUFF)
            await made.ask("enrol", patient=PATIENT, end=True, why="moved away")
            assert await log(made) == [
                ("enrol", PATIENT, "clerk-1"),
                ("enrol", OTHER, "clerk-1"),
                ("assign", PATIENT, "clerk-1"),
                ("assign", OTHER, "clerk-1"),
                ("enter", PATIENT, "clerk-1"),
                ("days", PATIENT, "clerk-1"),
                ("evidence", PATIENT, "clerk-1"),
                ("status", "*", "clerk-1"),
                ("queue.show", PATIENT, "clerk-1"),
                ("unassign", PATIENT, "clerk-1"),
                ("enrol", PATIENT, "clerk-1"),
            ]

    asyncio.run(run())


def test_a_screen_that_refreshes_leaves_one_line_an_hour(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path) as made:
            await furnish(made)
            before = len(await log(made))
            for _ in range(30):
                await made.ask("status")
                made.clock.jump(60)
            assert len(await log(made)) == before + 1
            made.clock.jump(3600)
            await made.ask("status")
            await made.desk.ask({"do": "status", "operator": "clerk-2"})
            assert [who for _, _, who in await log(made)][-2:] == ["clerk-1", "clerk-2"]

    asyncio.run(run())


def test_the_packet_tells_of_its_own_making_and_of_nobody_elses_patients(tmp_path: Path) -> None:
    async def run() -> dict[str, Any]:
        async with hub(tmp_path) as made:
            await furnish(made)
            await made.ask("days", patient=OTHER)
            return await made.packet()

    rows = asyncio.run(run())["access"]
    assert [row["what"] for row in rows] == ["enrol", "assign", "evidence"]


def test_a_question_that_names_nobody_is_not_logged(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path) as made:
            for question in ({"patient": "Jane Doe"}, {"patient": "pt-0"}, {}):
                for do in ("days", "evidence", "enter", "assign", "enrol"):
                    if do == "enrol" and question.get("patient") == "pt-0":
                        continue
                    with pytest.raises(GatewayError):
                        await made.ask(do, **question)
            assert await log(made) == []

    asyncio.run(run())


def test_a_full_store_keeps_nobody_from_reading_and_says_that_it_was_not_logged(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path, size=8) as made:
            await furnish(made)
            await fill(made)
            for do in ("days", "evidence", "status"):
                answer = await made.ask(do, patient=PATIENT)
                assert "not in the access log" in answer["not_logged"]
            with pytest.raises(StoreFull):
                await made.ask("unassign", device=CUFF)

    asyncio.run(run())
