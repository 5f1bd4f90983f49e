"""
Days of data, per patient: read from what was kept, never stored, so it cannot drift from it.

A date counts once, however many readings qualify on it. An event two hubs heard is one reading, and the copy that
counts stands for it; a reading another one corrects stands no more. Readings without a trusted date are listed under
the UTC date on which the hub received them and count for none.
"""

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from gateway.core.time import utc_text
from uploader.receiver import chain
from uploader.receiver.period import Question, latest_30

_LIST_MAX = 1000  # hubs, patients, ranges in one answer
_REFUSALS_MAX = 20


@dataclass(slots=True)
class Day:
    """One date: how many readings, how many of them qualify, how many a person typed, and why others do not count."""

    date: str
    readings: int = 0
    qualifying: int = 0
    manual: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def counted(self) -> bool:
        """Whether this is a day of data."""
        return self.qualifying > 0


@dataclass(slots=True)
class Ledger:
    """The answer to a question; only dates with readings have a Day."""

    question: Question
    days: dict[str, Day]
    undated: Day

    @property
    def counted(self) -> int:
        """The number of days of data."""
        return sum(day.counted for day in self.days.values())


# The indexes are named: chosen by guess, a patient with thousands of readings is compared with itself for each.
_READINGS = """
    FROM record r INDEXED BY record_by_day
    WHERE r.patient = :patient AND r.date BETWEEN :first AND :last AND r.program = :program
    AND NOT EXISTS (
        SELECT 1 FROM record c INDEXED BY record_by_corrected
        WHERE c.corrects = r.record_id AND (c.hub <> r.hub OR c.seq > r.seq))
    AND NOT EXISTS (
        SELECT 1 FROM record o INDEXED BY record_by_id WHERE o.record_id = r.record_id AND o.patient = r.patient
        AND (-o.counts, o.hub, o.seq) < (-r.counts, r.hub, r.seq))
"""


def ledger(db: sqlite3.Connection, question: Question) -> Ledger:
    """The day ledger of a patient in a program for a range of dates."""
    found = Ledger(question, {}, Day(""))
    for row in db.execute(
        f"SELECT r.date, r.dated, r.counts, r.manual, r.reason {_READINGS} ORDER BY r.date, r.record_id",
        _columns(question),
    ):
        day = found.days.setdefault(row["date"], Day(row["date"])) if row["dated"] else found.undated
        day.readings += 1
        day.qualifying += row["counts"]
        day.manual += row["manual"]
        if not row["counts"]:
            day.reasons[row["reason"]] += 1
    return found


def readings(db: sqlite3.Connection, question: Question, limit: int) -> list[dict[str, Any]]:
    """The records behind the ledger, newest date first, each with `counts` and `why_not` beside its own fields."""
    rows = db.execute(
        f"SELECT r.body, r.counts, r.reason {_READINGS} ORDER BY r.date DESC, r.hub, r.seq DESC LIMIT :limit",
        {**_columns(question), "limit": limit},
    )
    return [{**json.loads(row["body"]), "counts": bool(row["counts"]), "why_not": row["reason"]} for row in rows]


def _columns(question: Question) -> dict[str, str]:
    return {
        "patient": question.patient,
        "program": question.program,
        "first": question.first.isoformat(),
        "last": question.last.isoformat(),
    }


def latest_date(db: sqlite3.Connection, patient: str, program: str) -> date | None:
    """The last date with a reading, of this program if it has any; None for a patient without readings."""
    text = db.execute(
        "SELECT coalesce(max(iif(program = ?, date, NULL)), max(date)) FROM record WHERE patient = ?",
        (program, patient),
    ).fetchone()[0]
    return date.fromisoformat(text) if text else None


def as_json(found: Ledger) -> dict[str, Any]:
    """The ledger as `GET /api/v1/patients/{ref}/days` answers it."""
    return {
        "patient": found.question.patient,
        "program": found.question.program,
        "from": found.question.first.isoformat(),
        "to": found.question.last.isoformat(),
        "days_counted": found.counted,
        "days": [_day_json(day) for day in found.days.values()],
        "undated": {"readings": found.undated.readings, "reasons": dict(found.undated.reasons)},
    }


def _day_json(day: Day) -> dict[str, Any]:
    return {
        "date": day.date,
        "counted": day.counted,
        "readings": day.readings,
        "qualifying": day.qualifying,
        "manual": day.manual,
        "reasons": dict(day.reasons),
    }


def patients(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """Every patient with readings: the last date, and the days counted in the 30 dates up to it."""
    rows = db.execute(
        """SELECT patient, max(date) AS latest FROM record
           WHERE patient IS NOT NULL AND date IS NOT NULL GROUP BY patient ORDER BY patient LIMIT ?""",
        (_LIST_MAX,),
    ).fetchall()
    return [_patient(db, row["patient"], date.fromisoformat(row["latest"])) for row in rows]


def _patient(db: sqlite3.Connection, patient: str, latest: date) -> dict[str, Any]:
    counted = {
        program: ledger(db, Question(patient, program, *latest_30(latest))).counted for program in ("RPM", "RTM")
    }
    return {"patient": patient, "latest": latest.isoformat(), "days_counted": counted}


def hubs(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """Every hub with the state of its chain, as `GET /api/v1/hubs` answers it."""
    rows = db.execute("SELECT * FROM hub ORDER BY hub LIMIT ?", (_LIST_MAX,)).fetchall()
    return [_hub(db, row) for row in rows]


def _hub(db: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    hub = row["hub"]
    stretches = chain.spans(db, hub, _LIST_MAX)
    held = db.execute(
        "SELECT coalesce(sum(last - first + 1), 0), coalesce(max(last), 0) FROM span WHERE hub = ?", (hub,)
    )
    records, highest = held.fetchone()
    return {
        "hub": hub,
        "site": row["site"],
        "software": row["software"],
        "first_seen": utc_text(row["first_seen_ms"]),
        "last_seen": utc_text(row["last_seen_ms"]),
        "records": records,
        "highest_seq": highest,
        "verified_to": stretches[0].last if stretches and stretches[0].first == 1 else 0,
        "verified": stretches,
        "missing": chain.gaps(db, hub, _LIST_MAX),
        "missing_records": highest - records,
        "refused": _refusals(db, hub),
    }


def _refusals(db: sqlite3.Connection, hub: str) -> list[dict[str, Any]]:
    """The latest refusals of a hub's records, newest first."""
    rows = db.execute(
        "SELECT record_id, seq, reason, at_ms FROM refusal WHERE hub = ? ORDER BY id DESC LIMIT ?", (hub, _REFUSALS_MAX)
    )
    return [
        {"record_id": row["record_id"], "seq": row["seq"], "reason": row["reason"], "at": utc_text(row["at_ms"])}
        for row in rows
    ]
