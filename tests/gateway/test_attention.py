"""What only a person can mend: said at once where it is, after an hour where it may mend itself."""

from dataclasses import replace

import pytest

from buffer.rows import Stats
from gateway.attention import CLOCK, lasting, wanting
from gateway.core.batch import State
from gateway.core.link import LinkState
from gateway.core.time import Instant
from gateway.troubles import BATTERY, OFFLINE, SILENT, SOURCE_DOWN, Issue

HOUR_MS = 3_600_000
NOW = Instant(1_800_000_000_000, 0, "boot", synchronised=True)
WELL = Stats(
    records=dict.fromkeys(State, 0),
    newest_seq=0,
    oldest_unsent_ms=None,
    database_bytes=0,
    log_bytes=0,
    used_bytes=0,
    size_max_bytes=1000,
    is_full=False,
    bytes_written=0,
    last_commit_s=None,
    sqlite_version="3.51.3",
    damage=None,
)


def test_all_is_well() -> None:
    assert wanting([], WELL, NOW) == []


def test_a_clock_without_a_source_is_said() -> None:
    assert wanting([], WELL, replace(NOW, synchronised=False)) == [CLOCK]


@pytest.mark.parametrize(("used_bytes", "what"), [(10, "The disk is full"), (990, "The store is full")])
def test_a_full_disk_is_told_from_a_full_store(used_bytes: int, what: str) -> None:
    (said,) = wanting([], replace(WELL, is_full=True, used_bytes=used_bytes), NOW)
    assert said.startswith(what)


@pytest.mark.parametrize(
    ("kind", "link_kind", "hours", "expected"),
    [
        (SOURCE_DOWN, "mqtt", 0, 0),
        (SOURCE_DOWN, "mqtt", 1, 1),
        (OFFLINE, "upload", 5, 1),
        (SOURCE_DOWN, "serial", 48, 0),
    ],
)
def test_a_link_that_stays_down_is_said_after_an_hour(kind: str, link_kind: str, hours: int, expected: int) -> None:
    link = LinkState("cell", link_kind)
    link.down("Nothing listens.")
    said = lasting([Issue(kind, "cell", NOW.utc_ms - hours * HOUR_MS - 1)], [link], NOW.utc_ms)
    assert len(said) == expected
    assert all("Nothing listens." in sentence for sentence in said)


def test_a_link_that_is_up_again_or_held_is_not_said_twice() -> None:
    up, held = LinkState("a", "mqtt"), LinkState("b", "mqtt")
    up.up(0.0)
    held.down("The password is refused.", needs_person=True)
    issues = [Issue(SOURCE_DOWN, link.name, NOW.utc_ms - 9 * HOUR_MS) for link in (up, held)]
    assert lasting(issues, [up, held], NOW.utc_ms) == []


def test_a_silent_device_and_a_low_battery_are_said() -> None:
    issues = [Issue(SILENT, "stel:a", NOW.utc_ms - 50 * HOUR_MS), Issue(BATTERY, "stel:b", NOW.utc_ms)]
    silent, battery = lasting(issues, [], NOW.utc_ms)
    assert "stel:a" in silent
    assert "50 hours" in silent
    assert "stel:b" in battery
