"""Technical issues: found, ended, told once, known again after a restart."""

import asyncio
import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from drivers.virtual.cellular import Message
from gateway.core.link import LinkState
from gateway.core.reading import Draft
from gateway.lookout import Lookout, SignOfLife
from gateway.troubles import (
    BATTERY,
    CLOCK,
    CLOSED,
    HUB_OFF,
    OFFLINE,
    OPENED,
    REFUSED,
    SILENT,
    SOURCE_DOWN,
    WORDS,
    DeviceSeen,
    Seen,
    Troubles,
    paired,
)
from tests.fakes.clock import START_MS, FakeClock
from tests.gateway.evidence.hub import FIRST, PATIENT, Hub, fill, furnish, hub, live

MINUTE = 60.0
DAY_MS = 86_400_000


def up(name: str = "cell", kind: str = "mqtt") -> LinkState:
    link = LinkState(name, kind)
    link.up(0.0)
    return link


def down(name: str = "cell", kind: str = "mqtt") -> LinkState:
    link = LinkState(name, kind)
    link.down("It does not answer.")
    return link


def seen(*links: LinkState, refused: int = 0, synchronised: bool = True, **devices: DeviceSeen) -> Seen:
    return Seen(links, refused, synchronised, devices)


class Watch:
    """Troubles with the events that were kept, and a clock in minutes."""

    def __init__(self) -> None:
        self.troubles = Troubles()
        self.events: list[dict[str, Any]] = []
        self.minute = 0

    def look(self, found: Seen, minutes: int = 1) -> list[tuple[str, str]]:
        self.minute += minutes
        drafts = self.troubles.look(found, START_MS + self.minute * 60_000, self.minute * MINUTE)
        self.keep(drafts)
        return [(draft.body["name"], draft.body["issue"]) for draft in drafts]

    def keep(self, drafts: Sequence[Draft]) -> None:
        for draft in drafts:
            self.events.append(draft.body)
            self.troubles.apply(draft.body)

    def restart(self) -> None:
        self.troubles = Troubles.from_events(self.events)


def test_a_link_that_is_down_for_ten_minutes_is_an_issue_from_when_it_was_seen_to_drop() -> None:
    watch = Watch()
    assert watch.look(seen(down("upload", "upload"), down())) == []
    assert watch.look(seen(down("upload", "upload"), down()), 9) == []
    assert watch.look(seen(down("upload", "upload"), down())) == [(OPENED, OFFLINE), (OPENED, SOURCE_DOWN)]
    assert watch.look(seen(down("upload", "upload"), down())) == []
    assert watch.look(seen(up("upload", "upload"), down()), 30) == [(CLOSED, OFFLINE)]
    (source, upload) = sorted(paired(watch.events), key=lambda issue: issue.kind)
    assert (source.kind, source.end_ms, source.why) == (SOURCE_DOWN, None, "It does not answer.")
    assert upload.start_ms == START_MS + 60_000
    assert upload.end_ms == START_MS + 42 * 60_000
    assert upload.resolution == WORDS[OFFLINE][1]


def test_a_link_that_flaps_is_none() -> None:
    watch = Watch()
    for _ in range(50):
        assert watch.look(seen(down()), 9) == []
        assert watch.look(seen(up())) == []


def test_a_restart_goes_on_with_what_is_open_and_adds_nothing() -> None:
    watch = Watch()
    watch.look(seen(down()))
    watch.look(seen(down()), 10)
    watch.restart()
    assert watch.look(seen(down())) == []
    assert watch.look(seen(up())) == [(CLOSED, SOURCE_DOWN)]
    watch.restart()
    assert watch.look(seen(up())) == []
    assert watch.troubles.open == []


def test_refusals_and_the_clock() -> None:
    watch = Watch()
    assert watch.look(seen(refused=2)) == [(OPENED, REFUSED)]
    assert watch.look(seen(refused=9)) == []
    assert watch.look(seen(synchronised=False)) == [(CLOSED, REFUSED)]
    assert watch.look(seen(synchronised=False), 10) == [(OPENED, CLOCK)]
    assert watch.look(seen()) == [(CLOSED, CLOCK)]


def daily(last_ms: int, dates: int = 7, **more: Any) -> DeviceSeen:
    days = tuple(date(2026, 11, 14) + timedelta(days=n) for n in range(dates))
    return DeviceSeen(last_ms, days, **more)


def test_a_daily_device_is_silent_after_two_days_and_an_occasional_one_never() -> None:
    watch = Watch()
    last = START_MS - 2 * DAY_MS + 120_000
    both: dict[str, DeviceSeen] = {"cuff": daily(last), "scale": daily(last - 9 * DAY_MS, dates=4)}
    assert watch.look(Seen((), 0, synchronised=True, devices=both)) == []
    assert watch.look(Seen((), 0, synchronised=True, devices=both), 2) == [(OPENED, SILENT)]
    back = START_MS + 3_600_000
    assert watch.look(seen(cuff=daily(back)), 70) == [(CLOSED, SILENT)]
    (issue,) = paired(watch.events)
    assert (issue.subject, issue.start_ms, issue.end_ms) == ("cuff", last, back)


def test_a_device_that_is_nobodys_any_more_is_not_missed() -> None:
    watch = Watch()
    watch.look(seen(cuff=daily(START_MS - 3 * DAY_MS)))
    assert watch.look(seen()) == [(CLOSED, SILENT)]


def test_a_low_battery_lasts_until_a_week_without_the_word() -> None:
    watch = Watch()
    low = daily(START_MS, low_first_ms=START_MS - DAY_MS, low_ms=START_MS)
    assert watch.look(seen(cuff=low)) == [(OPENED, BATTERY)]
    later = daily(START_MS + 6 * DAY_MS, low_first_ms=START_MS - DAY_MS, low_ms=START_MS)
    assert watch.look(seen(cuff=later)) == []
    week = daily(START_MS + 7 * DAY_MS, low_first_ms=START_MS - DAY_MS, low_ms=START_MS)
    assert (CLOSED, BATTERY) in watch.look(seen(cuff=week))


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans(), st.integers(1, 30), st.booleans())))
def test_events_pair_up_and_stay_few(story: list[tuple[bool, bool, bool, int, bool]]) -> None:
    watch = Watch()
    for is_up, refused, synchronised, minutes, restarts in story:
        link = up() if is_up else down()
        watch.look(seen(link, refused=int(refused), synchronised=synchronised), minutes)
        if restarts:
            watch.restart()
    assert len(watch.events) <= 6 * len(story)
    starts = [event["start"] for event in watch.events if event["name"] == OPENED]
    assert len(paired(watch.events)) == len(starts)
    assert sorted((i.kind, i.subject) for i in paired(watch.events) if i.end_ms is None) == sorted(
        (i.kind, i.subject) for i in watch.troubles.open
    )


# The daemon's own look, on the real store


# after tests/vectors/tenovi.toml, tenovi-low-battery
LOW = {
    "created": "2026-03-02T15:47:45.248142Z",
    "device_name": "Tenovi BPM - L",
    "estimated_timestamp": False,
    "filter_params": {"measurement_index": 190},
    "hardware_uuid": "AABBCCDDEEFF",
    "hwi_device_id": "AA",
    "metric": "low_battery_event",
    "patient_id": "x",
    "sensor_code": "10",
    "timestamp": "2026-03-02T14:47:00.000000Z",
    "timezone_offset": -5,
    "value_1": "1.00",
    "value_2": None,
}


def lookout(made: Hub, folder: Path, *links: LinkState) -> Lookout:
    return Lookout(made.store, made.clock, links, made.desk.tally, SignOfLife(folder / "alive"))


def test_the_daemon_keeps_what_it_finds_and_a_packet_tells_it(tmp_path: Path) -> None:
    async def run() -> dict[str, Any]:
        async with hub(tmp_path) as made:
            await furnish(made)
            link = down("upload", "upload")
            look = lookout(made, tmp_path, link)
            await look.begin()
            await live(made, 7)
            for _ in range(12):
                made.clock.jump(60)
                await look.look()
            link.up(made.clock.monotonic_s())
            await look.look()
            made.at(FIRST + timedelta(days=10))
            await look.look()
            return await made.packet()

    found = asyncio.run(run())
    assert [(each["issue"], each["end"] is None) for each in found["issues"]] == [(SILENT, True), (OFFLINE, False)]
    assert found["issues"][1]["resolution"] == WORDS[OFFLINE][1]
    assert [each["subject"] for each in found["issues"]] == ["stel:AB:CD:EF:12:34:01", "upload"]


def test_a_makers_word_for_a_low_battery_is_an_issue(tmp_path: Path) -> None:
    async def run() -> list[dict[str, Any]]:
        async with hub(tmp_path) as made:
            await made.enrol()
            await made.ask("assign", device="tenovi:AA", patient=PATIENT)
            look = lookout(made, tmp_path)
            await look.begin()
            await made.hear(Message("tenovi/x", json.dumps(LOW).encode()), "tenovi")
            await look.look()
            return [entry.record for entry in await made.store.events("issue.")]

    (event,) = asyncio.run(run())
    assert (event["name"], event["issue"], event["subject"]) == (OPENED, BATTERY, "tenovi:AA")


def test_a_hub_that_was_off_says_so_once(tmp_path: Path) -> None:
    async def run() -> list[dict[str, Any]]:
        clock = FakeClock(jumps=True)
        async with hub(tmp_path, clock) as made:
            sign = SignOfLife(tmp_path / "alive")
            sign.leave(clock.now(), "stopped")
            clock.jump(7200)
            clock.reboot()
            for _ in range(2):
                await lookout(made, tmp_path).begin()
            return [entry.record for entry in await made.store.events("issue.")]

    begun, ended = asyncio.run(run())
    assert (begun["issue"], begun["start"]) == (HUB_OFF, "2026-11-21T14:00:03.120Z")
    assert ended["end"] == "2026-11-21T16:00:03.120Z"


def test_a_quick_restart_is_no_outage(tmp_path: Path) -> None:
    clock = FakeClock()
    sign = SignOfLife(tmp_path / "alive")
    assert sign.gap(clock.now()) == []
    sign.leave(clock.now(), "running")
    clock.jump(3000)
    assert sign.gap(clock.now()) == []  # a crash in the same boot: the sign is too old to tell
    clock.jump(1300)
    assert len(sign.gap(clock.now())) == 2
    sign.leave(clock.now(), "stopped")
    clock.jump(500)
    assert sign.gap(clock.now()) == []


def test_looking_for_an_hour_writes_nothing_where_nothing_is_wrong(tmp_path: Path) -> None:
    async def run() -> None:
        clock = FakeClock(jumps=True)
        async with hub(tmp_path, clock) as made:
            await furnish(made)
            look = lookout(made, tmp_path, up())
            await look.begin()
            before = (await made.store.stats()).bytes_written
            for _ in range(60):
                clock.jump(60)
                await look.look()
            await look.look_at_days()
            assert (await made.store.stats()).bytes_written == before

    asyncio.run(run())


def test_a_full_store_finds_the_same_again_later(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path, size=8) as made:
            await furnish(made)
            look = lookout(made, tmp_path, down())
            await look.begin()
            await fill(made)
            for _ in range(12):
                made.clock.jump(60)
                await look.look()
            assert look.troubles.open == []
            await made.upload()
            await look.look()
            assert [issue.kind for issue in look.troubles.open] == [SOURCE_DOWN]

    asyncio.run(run())
