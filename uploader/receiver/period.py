"""
Which dates are asked about: the ones named, else the patient's 30-day period, else a month or the last 30 dates.

Periods run from the local date on which the service began, 30 dates each, never slid to fit the data (billing rules
7.3). When it began is an `enrolment` record's word; without one there are no periods, and none is guessed.
"""

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DAYS_MAX = 366  # in one question
PERIOD_DAYS = 30


@dataclass(frozen=True, slots=True)
class Question:
    """A patient, a program (RPM or RTM), and dates, both included."""

    patient: str
    program: str
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Period:
    """A 30-day period of service; `number` counts from 1."""

    number: int
    first: date
    last: date


def period_at(db: sqlite3.Connection, patient: str, program: str, day: date) -> Period | None:
    """The period that holds a date; None before any service began."""
    began = [start for start in _starts(db, patient, program) if start <= day]
    return _nth(max(began), (day - max(began)).days // PERIOD_DAYS + 1) if began else None


def _nth(start: date, number: int) -> Period:
    first = start + timedelta(days=(number - 1) * PERIOD_DAYS)
    return Period(number, first, first + timedelta(days=PERIOD_DAYS - 1))


def _starts(db: sqlite3.Connection, patient: str, program: str) -> list[date]:
    rows = db.execute(
        "SELECT body FROM record WHERE patient = ? AND type = 'enrolment' AND program = ?", (patient, program)
    )
    starts = (_local_start(json.loads(row["body"])) for row in rows)
    return [start for start in starts if start is not None]


def _local_start(enrolment: dict[str, Any]) -> date | None:
    """The local date on which an episode began; None where the record does not say it in a way that can be read."""
    try:
        start = datetime.fromisoformat(enrolment["start"])
        return start.replace(tzinfo=start.tzinfo or UTC).astimezone(ZoneInfo(enrolment["timezone"])).date()
    except (KeyError, ValueError, TypeError, OSError, OverflowError):
        return None


def month_of(day: date) -> tuple[date, date]:
    """The first and last date of a month."""
    following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return day.replace(day=1), following - timedelta(days=1)


def latest_30(day: date) -> tuple[date, date]:
    """The 30 dates up to one."""
    return date.fromordinal(max(day.toordinal() - PERIOD_DAYS + 1, 1)), day


def asked(first: str | None, last: str | None, usual: tuple[date, date]) -> tuple[date, date]:
    """The dates a question names, each `usual` where it names none. Raises ValueError for dates that cannot be."""
    begin = _plain_date(first) if first is not None else usual[0]
    end = _plain_date(last) if last is not None else usual[1]
    if not 0 <= (end - begin).days < DAYS_MAX:
        raise ValueError("dates out of order or too far apart")
    return begin, end


def _plain_date(text: str) -> date:
    """`2026-11-01` and no other way to write it."""
    day = date.fromisoformat(text)
    if day.isoformat() != text:
        raise ValueError("not a plain date")
    return day
