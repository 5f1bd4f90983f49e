"""Where each span begins and ends, to the millisecond."""

import json
from datetime import date, timedelta

import pytest

from config.rules import profiles
from gateway.core.bundle import read_bundle
from tests.core.bundles import Json, assessed, at, bundle, device, reading, readings, span

LATER = "2026-06-01T00:00:00Z"
EDGE = at("2026-03-10 12:00")
WIDE = [device(assigned=[span(from_="2026-01-01T00:00:00Z")])]


def reasons(items: list[Json], **changes: object) -> list[str]:
    """The codes of what does not qualify."""
    return [reason[:3] for reason in assessed(bundle(items, **changes)).rejected]


@pytest.mark.parametrize(
    ("clock", "codes"), [("11:59:59.999", ["Q03"]), ("12:00", []), ("12:59:59.999", []), ("13:00", ["Q03"])]
)
def test_an_assignment_holds_from_its_start_up_to_its_end(clock: str, codes: list[str]) -> None:
    hour = span(from_=EDGE.isoformat(), to=at("2026-03-10 13:00").isoformat())
    assert reasons([reading(at(f"2026-03-10 {clock}"))], devices=[device(assigned=[hour])]) == codes


@pytest.mark.parametrize(
    ("clock", "codes"), [("11:59:59.999", ["Q06"]), ("12:00", []), ("13:00", []), ("13:00:00.001", ["Q06"])]
)
def test_a_service_holds_from_its_start_to_its_end_both_included(clock: str, codes: list[str]) -> None:
    service = {"start": EDGE.isoformat(), "end": at("2026-03-10 13:00").isoformat()}
    assert reasons([reading(at(f"2026-03-10 {clock}"))], devices=WIDE, enrolment=service) == codes


_NOONS = [f"2026-03-{day:02} 12:00" for day in range(3, 32)]


@pytest.mark.parametrize(
    ("number", "moments", "outcome"),
    [
        (1, ["2026-03-10 08:00", "2026-03-31 22:30"], ("99445", "none", "REVIEW: time zone")),
        (2, ["2026-04-10 08:00", "2026-03-31 22:30"], ("none", "none", "REVIEW: time zone")),
        (1, [*_NOONS, "2026-03-02 12:00", "2026-03-31 22:30"], ("99454", "99454", "CLEAN")),
    ],
    ids=["falls out of the period", "falls into the next", "makes no date a thirty-first"],
)
def test_a_readings_own_zone_is_held_to_the_same_period(
    number: int, moments: list[str], outcome: tuple[str, str, str]
) -> None:
    away = reading(at(moments[-1]), timezone="Europe/London")
    near = readings([at(moment) for moment in moments[:-1]])
    result = assessed(bundle([*near, away], period=number, now=LATER))
    status = ": ".join([result.status, *result.reasons])
    assert (result.candidate, result.conservative, status) == outcome


@pytest.mark.parametrize(("number", "truncated"), [(1, False), (2, True)])
def test_an_end_at_midnight_lies_in_the_period_it_opens(number: int, truncated: bool) -> None:
    document = bundle(
        [], enrolment={"end": at("2026-04-01 00:00").isoformat()}, now="2026-06-01T00:00:00Z", period=number
    )
    assert assessed(document).reasons == (("truncated period",) if truncated else ())


def test_a_period_may_be_assessed_from_its_first_instant() -> None:
    document = bundle([], now=at("2026-03-02 00:00").isoformat())
    assert assessed(document).status == "OPEN"


def test_a_service_or_an_assignment_of_no_length_is_no_mistake() -> None:
    nothing = span(from_=EDGE.isoformat(), to=EDGE.isoformat())
    document = bundle(
        [], enrolment={"start": EDGE.isoformat(), "end": EDGE.isoformat()}, devices=[device(assigned=[nothing])]
    )
    assert read_bundle(json.dumps(document).encode(), profiles()).period.number == 1


@pytest.mark.parametrize(("end", "days"), [("2025-12-31", 16), ("2026-01-01", 2)])
def test_the_setup_minimum_is_that_of_the_date_the_period_ends(end: str, days: int) -> None:
    assert profiles()["us-medicare-2026"].setup_days(date.fromisoformat(end)) == days


@pytest.mark.parametrize(("seconds", "codes"), [(300, []), (300.001, ["Q10"])])
def test_a_reading_may_be_five_minutes_ahead_of_its_receipt(seconds: float, codes: list[str]) -> None:
    heard = (EDGE - timedelta(seconds=seconds)).isoformat()
    assert reasons([reading(EDGE, received_at=heard)]) == codes
