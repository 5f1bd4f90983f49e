"""Builds evidence bundles as the worked cases do: New York, service from 2 March 2026 10:00, readings at 08:00."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from config.rules import profiles
from gateway.core.assessment import Assessment, assess
from gateway.core.bundle import judge, read_bundle
from gateway.core.record import canonical

NEW_YORK = ZoneInfo("America/New_York")
START = "2026-03-02T10:00:00-05:00"
CLOSED = "2026-04-06T04:00:00+00:00"
Json = dict[str, Any]


def at(text: str, zone: ZoneInfo = NEW_YORK) -> datetime:
    """A civil time in a zone, `2026-03-03 08:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def daily(first: str, count: int, clock: str = "08:00") -> list[datetime]:
    """One instant a day from a date."""
    start = date.fromisoformat(first)
    return [at(f"{start + timedelta(days=n)} {clock}") for n in range(count)]


def reading(measured: datetime | None, **changes: Any) -> Json:
    """A reading that qualifies, received and acknowledged a minute after it was measured."""
    # in UTC: civil arithmetic forgets which of two equal hours it was
    moment = None if measured is None else measured.astimezone(UTC).isoformat()
    heard = None if measured is None else (measured.astimezone(UTC) + timedelta(minutes=1)).isoformat()
    plain = {
        "measured_at": moment,
        "device": "D1",
        "patient": "P",
        "capture": "device",
        "edited": False,
        "kind": "reading",
        "metric": "physiologic",
        "context": "normal",
        "site": "home",
        "in_person_download": False,
        "quality": "ok",
        "time_trusted": True,
        "received_at": heard,
        "acked_at": heard,
        "timezone": None,
    }
    made = {**plain, **changes}
    return {"key": f"{made['device']}|{made['patient']}|{moment}|{made['capture']}", **made}


def readings(moments: Iterable[datetime], **changes: Any) -> list[Json]:
    """A reading for each instant."""
    return [reading(moment, **changes) for moment in moments]


def device(id_: str = "D1", assigned: list[Json] | None = None, **changes: Any) -> Json:
    """A 201(h) device, assigned to P from the start."""
    spans = [span()] if assigned is None else assigned
    return {"id": id_, "status": "device_201h", "specific_code": None, "assigned": spans, **changes}


def span(patient: str = "P", from_: str = START, to: str | None = None) -> Json:
    """An assignment."""
    return {"patient": patient, "from": from_, "to": to}


def bundle(items: list[Json], **changes: Any) -> Json:
    """A bundle; `enrolment` changes single fields of it."""
    service = {
        "start": START,
        "end": None,
        "practitioners": 1,
        "rtm_active": False,
        "setup_record": True,
        "setup_billed": False,
    }
    service |= changes.pop("enrolment", {})
    plain = {
        "bundle": "vitals-evidence/1",
        "rules": "us-medicare-2026",
        "patient": "P",
        "timezone": "America/New_York",
        "enrolment": service,
        "devices": [device()],
        "readings": items,
        "period": 1,
        "now": CLOSED,
    }
    return plain | changes


def assessed(document: Json) -> Assessment:
    """What a bundle comes to."""
    found = read_bundle(canonical(document), profiles())
    return assess(judge(found), found.service, found.period, found.zone, found.rules, found.now_ms)


def short(result: Assessment) -> tuple[str, str, str]:
    """As the table writes it: `16/16/16`, `99454`, `REVIEW: batch upload`."""
    counts = result.counts
    days = f"{counts.measured}/{counts.claimable}/{counts.received}"
    return days, result.candidate, ": ".join([result.status, *result.reasons])
