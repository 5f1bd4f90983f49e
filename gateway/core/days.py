"""
The 30-day ledger of a patient: each date, counted or not, and why; and how the period is going.

Pure over the hub's own records. A reading's verdict is the one its record carries; what it needs from elsewhere is when
the provider's side acknowledged it. Where the hub itself is the system of record, its own receipt
stands for that (billing rules 7.3).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from gateway.core.assessment import Assessment, Judged, Service, assess
from gateway.core.gates import OUTSIDE
from gateway.core.period import Period, civil_date, to_ms
from gateway.core.rules import Rules

# record_id -> when the provider's side acknowledged it, UTC milliseconds; None where it has not.
Acked = Callable[[str], int | None]
_WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Entry:
    """A reading's record as the ledger needs it."""

    record_id: str
    received_ms: int
    judged: Judged


@dataclass(slots=True)
class DayLine:
    """One date: the readings that make it count, and why others on it do not."""

    day: date
    reading_ids: list[str] = field(default_factory=list)
    late_ids: list[str] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def counted(self) -> bool:
        """Whether the date is claimable."""
        return bool(self.reading_ids)

    def as_json(self) -> dict[str, Any]:
        """One date of `days --json`."""
        return {
            "date": self.day.isoformat(),
            "counted": self.counted,
            "readings": self.reading_ids,
            "late": self.late_ids,
            "reasons": dict(sorted(self.reasons.items())),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """
    How an open period is going.

    day               which day of the period it is (1 to 30)
    days_left         dates on which a day can still be gained, today's included while it has none
    possible          the most days the period can still come to
    needed            days still missing to the highest code
    needed_per_week   the same as a rate over the dates left, rounded up; None where it cannot be reached
    checkpoint        the last of the profile's check days that has come, else 0
    at_risk           the threshold is out of reach, or from the first check day on, out of reach at the present pace
    """

    day: int
    days_left: int
    possible: int
    needed: int
    needed_per_week: int | None
    checkpoint: int
    at_risk: bool
    why: str | None

    def as_json(self) -> dict[str, Any]:
        """`pace` of `days --json`."""
        return {
            "day": self.day,
            "days_left": self.days_left,
            "possible": self.possible,
            "needed": self.needed,
            "needed_per_week": self.needed_per_week,
            "checkpoint": self.checkpoint,
            "at_risk": self.at_risk,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A period of a patient, date by date. `pace` is None once it is closed."""

    rules: Rules
    zone: ZoneInfo
    assessment: Assessment
    lines: tuple[DayLine, ...]
    undated: dict[str, int]
    pace: Pace | None

    def as_json(self) -> dict[str, Any]:
        """The document of `days --json`."""
        return {
            "rules": self.rules.name,
            "timezone": self.zone.key,
            **self.assessment.as_json(),
            "dates": [line.as_json() for line in self.lines],
            "undated": dict(sorted(self.undated.items())),
            "pace": self.pace.as_json() if self.pace else None,
        }


def entry(record: Mapping[str, Any], acked: Acked | None = None) -> Entry:
    """A record of type `reading` as an entry; without `acked` the hub's receipt stands for the acknowledgement."""
    received_ms = _ms(record["received_at"])
    verdict = record["qualifies"]
    measured = record["measured_at"]
    judged = Judged(
        automatic=record["automatic"],
        reason=None if verdict["day"] else str(verdict["reason"]),
        measured_ms=None if measured is None else _ms(measured),
        acked_ms=received_ms if acked is None else acked(record["record_id"]),
    )
    return Entry(record["record_id"], received_ms, judged)


def ledger(
    entries: Iterable[Entry], service: Service, period: Period, zone: ZoneInfo, rules: Rules, now_ms: int
) -> Ledger:
    """The ledger of one period. `automatic` and `rejected` tell of the period's own dates and of undated readings."""
    lines = {day: DayLine(day) for day in period.dates}
    undated: dict[str, int] = {}
    inside: list[Judged] = []
    for each in sorted(entries, key=lambda each: (each.judged.measured_ms or 0, each.record_id)):
        day = None if each.judged.measured_ms is None else civil_date(each.judged.measured_ms, zone)
        if day is not None and day not in lines:
            continue
        judged = _within(each.judged, service)
        inside.append(judged)
        if day is None:
            _add(undated, judged.reason or "")
        else:
            _enter(lines[day], replace(each, judged=judged), period)
    assessment = assess(inside, service, period, zone, rules, now_ms)
    counted = {line.day for line in lines.values() if line.counted}
    pace_ = pace(counted, period, zone, rules, now_ms) if assessment.status == "OPEN" else None
    return Ledger(
        rules=rules, zone=zone, assessment=assessment, lines=tuple(lines.values()), undated=undated, pace=pace_
    )


def pace(counted: set[date], period: Period, zone: ZoneInfo, rules: Rules, now_ms: int) -> Pace:
    """How an open period is going, from the dates that count so far."""
    today = max(civil_date(now_ms, zone), period.start)
    day = (today - period.start).days + 1
    days_left = sum(each >= today and each not in counted for each in period.dates)
    possible = len(counted) + days_left
    needed = max(0, rules.threshold - len(counted))
    checkpoint = max((check for check in rules.check_days if check <= day), default=0)
    why = _lag(len(counted), day - (today not in counted), checkpoint, rules) if needed <= days_left else _OUT_OF_REACH
    return Pace(
        day=day,
        days_left=days_left,
        possible=possible,
        needed=needed,
        needed_per_week=_per_week(needed, days_left),
        checkpoint=checkpoint,
        at_risk=why is not None,
        why=why,
    )


_OUT_OF_REACH = "the dates left are fewer than the days needed"
_TOO_SLOW = "at the present pace the threshold will be missed"


def _within(judged: Judged, service: Service) -> Judged:
    """A reading kept while the service ran does not count where its end was entered later, for an earlier instant."""
    if judged.reason is not None or judged.measured_ms is None or service.covers(judged.measured_ms):
        return judged
    return replace(judged, reason=OUTSIDE)


def _per_week(needed: int, days_left: int) -> int | None:
    """Days a week from now on, rounded up: nobody measures on a part of a day."""
    if needed > days_left:
        return None
    return min(_WEEK_DAYS, -(-needed * _WEEK_DAYS // days_left)) if needed else 0


def _lag(counted: int, elapsed: int, checkpoint: int, rules: Rules) -> str | None:
    """Whether the count so far, kept up over the whole period, falls short of the threshold."""
    falls_short = counted * rules.period_days < rules.threshold * elapsed
    return _TOO_SLOW if checkpoint and falls_short else None


def _enter(line: DayLine, each: Entry, period: Period) -> None:
    if each.judged.reason is not None:
        _add(line.reasons, each.judged.reason)
    elif each.judged.acked_ms is not None and each.judged.acked_ms < period.close_ms:
        line.reading_ids.append(each.record_id)
    else:
        line.late_ids.append(each.record_id)


def _add(reasons: dict[str, int], reason: str) -> None:
    reasons[reason] = reasons.get(reason, 0) + 1


def _ms(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))
