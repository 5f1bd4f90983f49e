"""`days`, `status` and who lags: from the hub's own ledger."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import BadInput
from gateway.core.link import LinkState
from gateway.lookout import AT_RISK, Lookout, SignOfLife
from tests.gateway.evidence.hub import CUFF, FIRST, OTHER, PATIENT, Hub, furnish, hub, live


def test_the_ledger_names_each_date_and_what_is_needed(tmp_path: Path) -> None:
    async def run() -> dict[str, Any]:
        async with hub(tmp_path) as made:
            await furnish(made)
            await live(made, 12, skip=frozenset({3, 4}))
            await made.ask("enter", patient=PATIENT, values=["weight=70kg"])
            return await made.ask("days", patient=PATIENT)

    found = asyncio.run(run())
    assert (found["patient"], found["program"], found["status"]) == (PATIENT, "RPM", "OPEN")
    assert found["days"] == {"measured": 10, "claimable": 10, "received": 10}
    assert [line["counted"] for line in found["dates"]].count(True) == 10
    assert len(found["dates"]) == 30
    assert found["rejected"] == ["Q01 not automatic"]
    pace = found["pace"]
    assert (pace["day"], pace["needed"], pace["possible"], pace["at_risk"]) == (13, 6, 27, False)


def test_what_waits_for_the_backend_is_not_claimable_yet(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path) as made:
            await furnish(made)
            await made.measure(FIRST + timedelta(days=1))
            found = await made.ask("days", patient=PATIENT)
            assert found["days"] == {"measured": 1, "claimable": 0, "received": 0}
            (line,) = [each for each in (await made.ask("status"))["patients"] if each["patient"] == PATIENT]
            assert (line["days"], line["waiting"]) == (0, 1)
            await made.upload()
            (line,) = [each for each in (await made.ask("status"))["patients"] if each["patient"] == PATIENT]
            assert (line["days"], line["waiting"]) == (1, 0)

    asyncio.run(run())


def test_without_a_backend_the_hubs_receipt_stands_for_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path, uploads=False) as made:
            await furnish(made)
            await made.measure(FIRST + timedelta(days=1))
            assert (await made.ask("days", patient=PATIENT))["days"]["claimable"] == 1
            assert (await made.ask("status"))["patients"][1]["days"] == 1

    asyncio.run(run())


def test_status_and_days_agree(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path) as made:
            await furnish(made)
            await live(made, 11, skip=frozenset({2, 5, 6, 7}))
            for line in (await made.ask("status"))["patients"]:
                days = await made.ask("days", patient=line["patient"])
                assert line["days"] == days["days"]["claimable"]
                assert {key: line[key] for key in days["pace"]} == days["pace"]

    asyncio.run(run())


def test_a_program_that_only_looks_at_the_hub_is_told_of_no_patient(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path) as made:
            await furnish(made)
            assert "patients" not in await made.desk.ask({"do": "status"})

    asyncio.run(run())


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ({"patient": "pt-1"}, "enrolled here"),
        ({"patient": PATIENT, "program": "RTM"}, "not enrolled in RTM"),
        ({"patient": PATIENT, "program": "CCM"}, "RPM or RTM"),
        ({"patient": PATIENT, "period": 2}, "not begun yet"),
        ({"patient": PATIENT, "period": 0}, "counted from 1"),
        ({"patient": PATIENT, "period": 10**9}, "counted from 1"),
        ({"patient": PATIENT, "period": "1"}, "whole number"),
        ({"patient": PATIENT, "episode": 2}, "1 episodes"),
        ({"patient": ""}, "reference"),
        ({}, "reference"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, question: dict[str, Any], word: str) -> None:
    async def run() -> None:
        async with hub(tmp_path) as made:
            await furnish(made)
            for do in ("days", "evidence"):
                with pytest.raises(BadInput, match=word) as caught:
                    await made.ask(do, **question)
                assert "\n" not in str(caught.value)

    asyncio.run(run())


def test_an_earlier_period_and_an_earlier_episode_can_be_asked_for(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path) as made:
            await furnish(made)
            await live(made, 32)
            assert (await made.ask("days", patient=PATIENT))["period"]["number"] == 2
            first = await made.ask("days", patient=PATIENT, period=1)
            assert (first["days"]["claimable"], first["candidate"], first["status"]) == (29, "99454", "CLEAN")
            assert first["pace"] is None
            await made.ask("enrol", patient=PATIENT, end=True, why="moved away")
            made.clock.jump(60)
            await made.enrol(PATIENT)
            assert (await made.ask("days", patient=PATIENT))["days"]["measured"] == 0
            again = await made.ask("days", patient=PATIENT, episode=1, period=1)
            assert again["days"] == first["days"]
            with pytest.raises(BadInput, match="after the end of the service"):
                await made.ask("days", patient=PATIENT, episode=1, period=3)

    asyncio.run(run())


def _lookout(made: Hub, folder: Path, *links: LinkState) -> Lookout:
    return Lookout(made.store, made.clock, links, made.desk.tally, SignOfLife(folder / "alive"))


def test_who_lags_is_told_once_for_each_check_day(tmp_path: Path) -> None:
    async def run() -> list[dict[str, Any]]:
        async with hub(tmp_path) as made:
            await furnish(made)
            look = _lookout(made, tmp_path)
            await live(made, 20, skip=frozenset(range(3, 13)))
            for days in (0, 0, 1):
                made.clock.jump(days * 86_400)
                await made.desk.tally.catch_up(made.clock.now().utc_ms)
                await look.look_at_days()
            return [entry.record for entry in await made.store.events(AT_RISK)]

    (event,) = asyncio.run(run())
    assert (event["patient"], event["check_day"], event["days"], event["program"]) == (PATIENT, 20, 10, "RPM")
    assert event["why"]


def test_days_that_only_wait_for_the_backend_are_no_risk(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path) as made:
            await made.enrol()
            await made.assign(CUFF, PATIENT)
            for n in range(1, 13):
                await made.measure(FIRST + timedelta(days=n))
            await made.desk.tally.catch_up(made.clock.now().utc_ms)
            (found,) = made.desk.tally.progress(made.clock.now().utc_ms)
            assert (found.days, found.waiting) == (0, 12)
            assert found.pace.at_risk
            assert not found.hoped.at_risk

    asyncio.run(run())


def test_rpm_and_rtm_in_one_period_ask_for_a_person(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path) as made:
            await furnish(made)
            await made.enrol(PATIENT, rules="us-medicare-2026-rtm-respiratory")
            await live(made, 31)
            rpm = await made.ask("days", patient=PATIENT, program="RPM", period=1)
            rtm = await made.ask("days", patient=PATIENT, program="RTM", period=1)
            assert (rpm["status"], rpm["reasons"]) == ("REVIEW", ["RTM in same period"])
            assert (rtm["status"], rtm["reasons"]) == ("REVIEW", ["RPM in same period"])
            assert (rpm["days"]["measured"], rtm["days"]["measured"]) == (29, 0)
            assert "setup_98975" in rtm
            packet = await made.packet(program="RTM", period=1)
            assert packet["assessment"]["reasons"] == ["RPM in same period"]
            assert packet["readings"] == []
            assert OTHER not in str(packet)

    asyncio.run(run())
