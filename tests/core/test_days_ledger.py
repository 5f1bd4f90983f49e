"""The 30-day ledger over records, and how an open period is going."""

from datetime import timedelta
from typing import Any

import pytest

from config.rules import profiles
from gateway.core.assessment import Service
from gateway.core.days import Ledger, Pace, entry, ledger, pace
from gateway.core.period import number_at, period, to_ms
from tests.core.bundles import NEW_YORK, at, daily

RULES = profiles()["us-medicare-2026"]
SERVICE = Service(start_ms=to_ms(at("2026-03-02 10:00")), end_ms=None, setup_record=True)
MARCH = period(1, SERVICE.start_ms, NEW_YORK, 30)
AFTER = to_ms(at("2026-04-06 00:00"))


def record(id_: str, day: str | None, reason: str | None = None, received: str | None = None) -> dict[str, Any]:
    """A reading's record, with what the ledger looks at."""
    measured = at(f"{day} 08:00") if day else at("2026-03-09 08:00")
    heard = at(received) if received else measured + timedelta(minutes=1)
    return {
        "record_id": id_,
        "type": "reading",
        "automatic": reason is None or not reason.startswith("Q01"),
        "qualifies": {"day": reason is None, "reason": reason, "rules": RULES.name},
        "measured_at": measured.isoformat() if day else None,
        "received_at": heard.isoformat(),
    }


def kept(records: list[dict[str, Any]], now_ms: int = AFTER, service: Service = SERVICE, **acked: int | None) -> Ledger:
    """The ledger of March."""
    by_name = acked.get if acked else None
    return ledger([entry(each, by_name) for each in records], service, MARCH, NEW_YORK, RULES, now_ms)


def test_each_date_says_whether_it_counts_and_why_not() -> None:
    made = kept(
        [
            record("a", "2026-03-03"),
            record("b", "2026-03-03", "Q01 not automatic"),
            record("c", "2026-03-04", "Q07 test/setup"),
            record("d", "2026-03-04", "Q07 test/setup"),
            record("e", "2026-03-05", received="2026-04-01 00:00"),
            record("f", None, "Q09 time untrusted"),
            record("g", "2026-04-01"),
        ]
    )
    document = made.as_json()
    dates = {line["date"]: line for line in document["dates"]}
    assert len(dates) == 30
    assert dates["2026-03-03"] == {
        "date": "2026-03-03",
        "counted": True,
        "readings": ["a"],
        "late": [],
        "reasons": {"Q01 not automatic": 1},
    }
    assert dates["2026-03-04"] == {
        "date": "2026-03-04",
        "counted": False,
        "readings": [],
        "late": [],
        "reasons": {"Q07 test/setup": 2},
    }
    assert dates["2026-03-05"] == {"date": "2026-03-05", "counted": False, "readings": [], "late": ["e"], "reasons": {}}
    assert document["undated"] == {"Q09 time untrusted": 1}
    assert document["days"] == {"measured": 2, "claimable": 1, "received": 1}
    assert document["automatic"] == 5
    assert (document["rules"], document["timezone"], document["pace"]) == (RULES.name, "America/New_York", None)


def test_counted_dates_are_the_claimable_ones() -> None:
    made = kept([record(str(n), f"2026-03-{n:02}") for n in range(3, 21)])
    assert sum(line.counted for line in made.lines) == made.assessment.counts.claimable == 18
    assert made.assessment.candidate == "99454"


def test_with_acknowledgements_only_what_was_acknowledged_counts() -> None:
    records = [record("a", "2026-03-03"), record("b", "2026-03-04")]
    assert kept(records, a=AFTER - 10**9, b=None).assessment.counts.claimable == 1


def test_the_order_of_records_does_not_matter() -> None:
    records = [record("b", "2026-03-03"), record("a", "2026-03-03"), record("c", "2026-03-04", "Q08 not remote")]
    assert kept(records) == kept(records[::-1])


def test_an_end_entered_later_takes_back_what_came_after_it() -> None:
    service = Service(start_ms=SERVICE.start_ms, end_ms=to_ms(at("2026-03-04 00:00")))
    made = kept(
        [record("a", "2026-03-03"), record("b", "2026-03-05"), record("c", "2026-03-06", "Q08 not remote")],
        service=service,
    )
    assert made.assessment.rejected == ("Q06 outside enrolment", "Q08 not remote")
    assert made.assessment.counts.claimable == 1


def test_an_open_period_shows_its_pace() -> None:
    made = kept([record("a", "2026-03-03")], now_ms=to_ms(at("2026-03-04 12:00")))
    assert made.pace is not None
    assert made.as_json()["pace"] == {
        "day": 3, "days_left": 28, "possible": 29, "needed": 15, "needed_per_week": 4, "checkpoint": 0,
        "at_risk": False, "why": None,
    }  # fmt: skip


def going(days: int, now: str, first: str = "2026-03-03") -> Pace:
    """The pace with a number of counted dates, at a local time."""
    return pace({moment.date() for moment in daily(first, days)}, MARCH, NEW_YORK, RULES, to_ms(at(now)))


@pytest.mark.parametrize(
    ("days", "now", "at_risk", "why"),
    [
        (0, "2026-03-10 12:00", False, None),  # day 9: too early to judge
        (0, "2026-03-11 12:00", True, "at the present pace the threshold will be missed"),
        (4, "2026-03-11 12:00", True, "at the present pace the threshold will be missed"),  # 4 of 9 days gone
        (5, "2026-03-11 12:00", False, None),
        (8, "2026-03-17 12:00", False, None),  # 8 of 15 days: exactly 16 of 30
        (10, "2026-03-21 12:00", True, "at the present pace the threshold will be missed"),
        (11, "2026-03-21 12:00", False, None),
        (5, "2026-03-22 12:00", True, "the dates left are fewer than the days needed"),
        (16, "2026-03-31 12:00", False, None),
    ],
)
def test_a_period_is_at_risk_from_day_ten_by_its_pace_and_always_when_out_of_reach(
    days: int, now: str, at_risk: bool, why: str | None
) -> None:
    made = going(days, now)
    assert (made.at_risk, made.why) == (at_risk, why)


def test_today_is_left_until_it_counts() -> None:
    assert going(1, "2026-03-03 20:00").days_left == 28
    assert going(0, "2026-03-03 20:00").days_left == 29


@pytest.mark.parametrize(
    ("now", "checkpoint"),
    [("2026-03-10 12:00", 0), ("2026-03-11 00:00", 10), ("2026-03-20 23:59", 10), ("2026-03-21 00:00", 20)],
)
def test_the_checkpoint_is_the_last_check_day_that_came(now: str, checkpoint: int) -> None:
    assert going(1, now).checkpoint == checkpoint


@pytest.mark.parametrize(
    ("days", "now", "needed", "per_week"),
    [
        (16, "2026-03-20 12:00", 0, 0),
        (10, "2026-03-20 12:00", 6, 4),
        (4, "2026-03-20 12:00", 12, 7),
        (3, "2026-03-20 12:00", 13, None),
        (0, "2026-03-02 12:00", 16, 4),
    ],
)
def test_what_is_needed_per_week(days: int, now: str, needed: int, per_week: int | None) -> None:
    made = going(days, now)
    assert (made.needed, made.needed_per_week) == (needed, per_week)


def test_before_the_period_its_first_day_is_shown() -> None:
    assert going(0, "2026-03-01 12:00").day == 1


@pytest.mark.parametrize(
    ("now", "number"),
    [("2026-03-02 00:00", 1), ("2026-03-31 23:59", 1), ("2026-04-01 00:00", 2), ("2026-03-01 23:00", 0)],
)
def test_the_number_of_the_period_of_an_instant(now: str, number: int) -> None:
    assert number_at(to_ms(at(now)), SERVICE.start_ms, NEW_YORK, 30) == number
