"""
The cases of the table (billing rules 7.4) that the file of worked cases does not hold, built from the table's words.

Each says Dm/Dc/Dt, the candidate, the status with its reasons, whether 99453 is due, and what does not qualify.
"""

from typing import Any

import pytest

from tests.core.bundles import Json, assessed, at, bundle, daily, device, reading, readings, short, span

LATER = "2026-05-06T04:00:00+00:00"
PACIFIC = "America/Los_Angeles"


def _late(day: str, received: str) -> Json:
    moment = at(received).isoformat()
    return reading(at(day), received_at=moment, acked_at=moment)


def _resent(day: str, received: str) -> Json:
    return _late(day, received)


_FIFTEEN = daily("2026-03-03", 15)
_SIXTEEN = daily("2026-03-03", 16)
_FEBRUARY = "2026-01-30T10:00:00-05:00"
_DECEMBER = "2025-12-15T10:00:00-05:00"
_OCTOBER = "2026-10-20T10:00:00-04:00"

TABLE: list[tuple[str, Json, tuple[str, str, str], bool, list[str]]] = [
    ("4 one date", bundle(readings(daily("2026-03-03", 1))), ("1/1/1", "none", "CLEAN"), False, []),
    (
        "9 cuff and scale on the same dates",
        bundle(
            [*readings(daily("2026-03-03", 10)), *readings(daily("2026-03-03", 10, "08:05"), device="D2")],
            devices=[device(), device("D2")],
        ),
        ("10/10/10", "99445", "CLEAN"),
        True,
        [],
    ),
    (
        "15 an invalid result and its edited copy",
        bundle(
            [
                *readings(_FIFTEEN),
                reading(at("2026-03-20 08:00"), quality="invalid"),
                reading(at("2026-03-20 08:00"), edited=True, key="edited copy"),
            ]
        ),
        ("15/15/15", "99445", "CLEAN"),
        True,
        ["Q01", "Q11"],
    ),
    (
        "18 assigned on 10 March only",
        bundle(readings(_SIXTEEN), devices=[device(assigned=[span(from_="2026-03-10T00:00:00-05:00")])]),
        ("9/9/9", "99445", "CLEAN"),
        True,
        ["Q03"] * 7,
    ),
    (
        "20 two patients, one scale, no slot",
        bundle(readings(_SIXTEEN, patient=None), devices=[device(assigned=[span(), span("Q")])]),
        ("0/0/0", "none", "CLEAN"),
        False,
        ["Q05"] * 16,
    ),
    (
        "25 readings before the service",
        bundle(
            [*readings([at("2026-02-28 08:00"), at("2026-03-02 08:00")]), *readings(_FIFTEEN)],
            devices=[device(assigned=[span(from_="2026-02-01T00:00:00-05:00")])],
        ),
        ("15/15/15", "99445", "CLEAN"),
        True,
        ["Q06"] * 2,
    ),
    (
        "30 three dates as an inpatient",
        bundle([*readings(daily("2026-03-03", 14)), *readings(daily("2026-03-17", 3), context="inpatient")]),
        ("14/14/14", "99445", "CLEAN"),
        True,
        ["Q08"] * 3,
    ),
    (
        "33 an old, unsynchronised timeline",
        bundle(readings(_SIXTEEN, time_trusted=False)),
        ("0/0/0", "none", "CLEAN"),
        False,
        ["Q09"] * 16,
    ),
    (
        "36 either side of midnight",
        bundle([reading(at("2026-03-10 23:59:59")), reading(at("2026-03-11 00:00:00"))]),
        ("2/2/1", "99445", "REVIEW: batch upload"),
        True,
        [],
    ),
    (
        "38 the hour that comes twice",
        bundle(
            [reading(at("2026-11-01 01:30")), reading(at("2026-11-01 01:30").replace(fold=1))],
            enrolment={"start": _OCTOBER},
            devices=[device(assigned=[span(from_=_OCTOBER)])],
            now="2026-12-01T00:00:00Z",
        ),
        ("1/1/1", "none", "CLEAN"),
        False,
        [],
    ),
    (
        "40 a traveller on Pacific time",
        bundle(
            [
                reading(at("2026-03-10 11:00"), timezone=PACIFIC),
                reading(at("2026-03-11 01:30"), timezone=PACIFIC),
            ]
        ),
        ("2/2/2", "99445", "REVIEW: time zone"),
        True,
        [],
    ),
    (
        "43 memory resent on ten later days",
        bundle(
            [
                *readings(daily("2026-03-03", 2)),
                *[_resent(f"2026-03-{3 + n % 2:02} 08:00", f"2026-03-{6 + n:02} 09:00") for n in range(10)],
            ]
        ),
        ("2/2/2", "99445", "CLEAN"),
        True,
        ["Q12"] * 10,
    ),
    (
        "46 the earliest date replayed after the close",
        bundle([*readings(daily("2026-03-04", 15)), _late("2026-03-03 08:00", "2026-04-12 08:00")], now=LATER),
        ("16/15/15", "99445", "REVIEW: late after close"),
        True,
        [],
    ),
    (
        "47 the same seen from period 2",
        bundle(
            [*readings(daily("2026-03-04", 15)), _late("2026-03-03 08:00", "2026-04-12 08:00")], now=LATER, period=2
        ),
        ("0/0/0", "none", "CLEAN"),
        False,
        [],
    ),
    (
        "48 one acknowledgement missing",
        bundle([*readings(_FIFTEEN), reading(at("2026-03-20 08:00"), acked_at=None)]),
        ("16/15/15", "99445", "REVIEW: late after close"),
        True,
        [],
    ),
    (
        "51 silence, then ten dates of period 2",
        bundle([*readings(_SIXTEEN), *readings(daily("2026-04-20", 10))], period=2, now=LATER),
        ("10/10/10", "99445", "CLEAN"),
        False,
        [],
    ),
    (
        "53 thirty days that end with February",
        bundle(
            readings(daily("2026-01-31", 20)),
            enrolment={"start": _FEBRUARY},
            devices=[device(assigned=[span(from_=_FEBRUARY)])],
        ),
        ("20/20/20", "99454", "CLEAN"),
        True,
        [],
    ),
    (
        "54 a period that began before the code existed",
        bundle(
            readings(daily("2025-12-16", 10)),
            enrolment={"start": _DECEMBER},
            devices=[device(assigned=[span(from_=_DECEMBER)])],
        ),
        ("10/10/10", "99445", "REVIEW: code set date"),
        True,
        [],
    ),
    (
        "59 a date with an alert that carries its value",
        bundle([*readings(_FIFTEEN), reading(at("2026-03-20 08:00"), kind="alert_with_value")]),
        ("16/16/16", "99454", "CLEAN"),
        True,
        [],
    ),
    (
        "63 two practitioners",
        bundle(readings(_SIXTEEN), enrolment={"practitioners": 2}),
        ("16/16/16", "99454", "REVIEW: two practitioners"),
        True,
        [],
    ),
]


@pytest.mark.parametrize(
    ("document", "expected", "setup", "rejected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_a_case_of_the_table(document: Json, expected: tuple[str, str, str], setup: bool, rejected: list[str]) -> None:
    result = assessed(document)
    assert short(result) == expected
    assert result.setup_due is setup
    assert [reason[:3] for reason in result.rejected] == rejected


@pytest.mark.parametrize(
    ("document", "conservative"),
    [(TABLE[8][1], "none"), (TABLE[10][1], "none"), (TABLE[12][1], "99445")],
    ids=["midnight", "traveller", "late"],
)
def test_the_conservative_code_is_the_lowest_of_the_bands(document: Json, conservative: str) -> None:
    assert assessed(document).conservative == conservative


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"end": "2026-03-20T10:00:00-04:00"}, ("truncated period",)),
        ({"end": "2026-03-31T23:59:59-04:00"}, ("truncated period",)),
        ({"end": "2026-04-01T00:00:00-04:00"}, ()),
        ({"rtm_active": True}, ("RTM in same period",)),
        ({"practitioners": 0}, ()),
    ],
    ids=str,
)
def test_a_reason_holds_only_where_its_fact_does(changes: dict[str, Any], reasons: tuple[str, ...]) -> None:
    assert assessed(bundle(readings(daily("2026-03-03", 5)), enrolment=changes)).reasons == reasons


def test_an_open_period_has_neither_reasons_nor_a_setup_code() -> None:
    document = bundle(readings(_SIXTEEN, acked_at=None), enrolment={"rtm_active": True}, now="2026-04-01T03:59:59Z")
    result = assessed(document)
    assert (result.status, result.reasons, result.setup_due) == ("OPEN", (), False)


def test_the_period_closes_at_local_midnight_after_its_last_date() -> None:
    assert assessed(bundle([], now="2026-04-01T04:00:00Z")).status == "CLEAN"


@pytest.mark.parametrize(("acked", "claimable"), [("2026-04-01T03:59:59.999Z", 1), ("2026-04-01T04:00:00Z", 0)])
def test_an_acknowledgement_counts_before_the_close_and_not_at_it(acked: str, claimable: int) -> None:
    assert assessed(bundle([reading(at("2026-03-31 20:00"), acked_at=acked)])).counts.claimable == claimable


def test_setup_is_not_due_without_its_record_or_twice() -> None:
    days = readings(_SIXTEEN)
    assert not assessed(bundle(days, enrolment={"setup_record": False})).setup_due
    assert not assessed(bundle(days, enrolment={"setup_billed": True})).setup_due


def test_setup_needed_sixteen_days_in_periods_that_ended_before_2026() -> None:
    start = "2025-11-01T10:00:00-04:00"
    changes: Json = {"enrolment": {"start": start}, "devices": [device(assigned=[span(from_=start)])]}
    assert not assessed(bundle(readings(daily("2025-11-02", 10)), **changes)).setup_due
    assert assessed(bundle(readings(daily("2025-11-02", 16)), **changes)).setup_due


def test_the_rules_of_2025_know_no_code_below_sixteen_days() -> None:
    assert assessed(bundle(readings(_FIFTEEN), rules="us-medicare-2025")).candidate == "none"
    assert assessed(bundle(readings(_SIXTEEN), rules="us-medicare-2025")).candidate == "99454"


def test_self_report_counts_under_rtm_and_is_still_not_automatic() -> None:
    items = readings(daily("2026-03-03", 20), capture="manual_patient", metric="therapeutic")
    result = assessed(bundle(items, rules="us-medicare-2026-rtm-musculoskeletal", enrolment={"rtm_active": True}))
    assert (result.automatic, result.candidate, result.reasons) == (0, "98977", ("RPM in same period",))
    assert result.as_json()["setup_98975"] is True


def test_an_edited_or_staff_report_does_not_count_under_rtm() -> None:
    edited = reading(at("2026-03-03 08:00"), capture="manual_patient", metric="therapeutic", edited=True)
    staff = reading(at("2026-03-04 08:00"), capture="manual_staff", metric="therapeutic")
    vitals = reading(at("2026-03-05 08:00"), capture="manual_patient")
    device_ = reading(at("2026-03-06 08:00"))
    result = assessed(bundle([edited, staff, vitals, device_], rules="us-medicare-2026-rtm-cbt"))
    assert result.rejected == ("Q01 not automatic",) * 3 + ("Q02 no therapeutic value",)
