"""What holds for every history, drawn at random."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.rules import profiles
from gateway.core.bundle import judge, read_bundle
from gateway.core.period import civil_date, period, to_ms
from gateway.core.record import canonical
from tests.core.bundles import Json, assessed, bundle, device, reading, span

ORDER = ["none", "99445", "99454"]
ZONES = [
    "America/New_York",
    "Europe/Berlin",
    "Asia/Beirut",
    "America/Havana",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "UTC",
]
CODE = re.compile(r"Q(0[1-9]|1[0-3]) [^Q]+")
_BASE = datetime(2026, 2, 25, tzinfo=UTC)
_several = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _moment(minutes: int) -> datetime:
    return _BASE + timedelta(minutes=minutes)


@st.composite
def _reading(draw: st.DrawFn) -> Json:
    measured = _moment(draw(st.integers(0, 70 * 1440)))
    heard = measured + timedelta(minutes=draw(st.sampled_from([-20, -4, 1, 1, 1, 60, 3_000, 60_000])))
    changes: dict[str, Any] = {
        "capture": draw(st.sampled_from(["device"] * 6 + ["manual_patient", "unknown"])),
        "edited": draw(st.sampled_from([False] * 9 + [True])),
        "kind": draw(st.sampled_from(["reading"] * 7 + ["alert_with_value", "status"])),
        "context": draw(st.sampled_from(["normal"] * 8 + ["test", "inpatient"])),
        "site": draw(st.sampled_from(["home"] * 8 + ["clinic"])),
        "quality": draw(st.sampled_from(["ok"] * 8 + ["caution", "invalid"])),
        "device": draw(st.sampled_from(["D1", "D1", "D2", "D9", None])),
        "patient": draw(st.sampled_from(["P"] * 8 + ["Q", None])),
        "time_trusted": draw(st.sampled_from([True] * 8 + [False])),
        "timezone": draw(st.sampled_from([None, None, *ZONES])),
        "received_at": draw(st.sampled_from([heard.isoformat()] * 9 + [None])),
        "acked_at": draw(st.sampled_from([heard.isoformat()] * 6 + [None])),
        "key": draw(st.sampled_from([measured.isoformat()] * 4 + ["one", "two"])),
    }
    return reading(measured, **changes)


_history = st.lists(_reading(), max_size=60)
_devices = [
    device(assigned=[span(), span("Q")]),
    device("D2", [span(to="2026-03-12T00:00:00Z"), span(from_="2026-03-20T00:00:00Z")]),
]


def _whole(items: list[Json], **changes: Any) -> Json:
    return bundle(items, devices=_devices, **changes)


@_several
@given(items=_history, extra=_reading(), capture=st.sampled_from(["manual_patient", "manual_staff", "photo_ocr"]))
def test_a_manual_reading_never_raises_a_count(items: list[Json], extra: Json, capture: str) -> None:
    before = assessed(_whole(items)).counts
    after = assessed(_whole([*items, {**extra, "capture": capture}])).counts
    assert after.measured <= before.measured
    assert after.claimable <= before.claimable
    assert after.received <= before.received


@_several
@given(items=_history, dice=st.randoms(use_true_random=False))
def test_the_order_of_arrival_never_matters(items: list[Json], dice: Any) -> None:
    shuffled = list(items)
    dice.shuffle(shuffled)
    assert assessed(_whole(shuffled)) == assessed(_whole(items))


@_several
@given(items=_history, number=st.integers(1, 2))
def test_counts_codes_and_status_hang_together(items: list[Json], number: int) -> None:
    result = assessed(_whole(items, period=number))
    counts = result.counts
    assert 0 <= counts.received <= 31
    assert counts.claimable <= counts.measured <= 30
    assert result.candidate == ("none" if counts.claimable < 2 else "99445" if counts.claimable < 16 else "99454")
    assert ORDER.index(result.conservative) <= ORDER.index(result.candidate)
    assert (result.status == "REVIEW") is bool(result.reasons)
    assert list(result.rejected) == sorted(result.rejected)


@_several
@given(items=_history, late=_history)
def test_what_is_acknowledged_after_the_close_never_moves_a_closed_period(items: list[Json], late: list[Json]) -> None:
    after = "2026-04-10T00:00:00Z"
    new = [{**item, "received_at": after, "acked_at": after, "key": f"late {n}"} for n, item in enumerate(late)]
    before, moved = assessed(_whole(items)), assessed(_whole([*items, *new]))
    assert (moved.period, moved.candidate, moved.setup_due) == (before.period, before.candidate, before.setup_due)
    assert (moved.counts.claimable, moved.counts.received) == (before.counts.claimable, before.counts.received)


@_several
@given(items=_history)
def test_a_reading_qualifies_or_has_exactly_one_code(items: list[Json]) -> None:
    judged = judge(read_bundle(canonical(_whole(items)), profiles()))
    assert len(judged) == len(items)
    assert all(each.reason is None or CODE.fullmatch(each.reason) for each in judged)
    assert assessed(_whole(items)).rejected == tuple(sorted(each.reason for each in judged if each.reason))


@_several
@given(items=_history)
def test_of_equal_keys_exactly_one_is_the_event(items: list[Json]) -> None:
    judged = judge(read_bundle(canonical(_whole(items)), profiles()))
    events = [item["key"] for item, each in zip(items, judged, strict=True) if each.reason != "Q12 duplicate"]
    assert sorted(events) == sorted({item["key"] for item in items})


@_several
@given(minutes=st.integers(0, 3 * 525_600), name=st.sampled_from(ZONES))
def test_the_local_date_is_that_of_the_zone(minutes: int, name: str) -> None:
    moment = _moment(minutes)
    offset = moment.astimezone(ZoneInfo(name)).utcoffset()
    assert offset is not None
    assert civil_date(to_ms(moment), ZoneInfo(name)) == (moment.replace(tzinfo=None) + offset).date()


@_several
@given(minutes=st.integers(0, 3 * 525_600), name=st.sampled_from(ZONES), number=st.integers(1, 30))
def test_periods_are_thirty_dates_each_and_leave_no_gap(minutes: int, name: str, number: int) -> None:
    zone, start_ms = ZoneInfo(name), to_ms(_moment(minutes))
    this, following = (period(n, start_ms, zone, 30) for n in (number, number + 1))
    assert len(this.dates) == 30
    assert this.close_ms == following.open_ms
    assert civil_date(this.open_ms, zone) == this.start
    assert civil_date(this.close_ms - 1, zone) == this.end
