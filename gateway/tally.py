"""
How far each patient's running period has come, and when each device was last heard, from what is new on the ledger.

`status` and the hourly look at who lags must not read a month of records each time. The first look walks the last weeks
once, in short transactions; later ones walk what came since.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from buffer.rows import Entry
from buffer.store import Store
from gateway.core.days import Pace, pace
from gateway.core.period import Period, civil_date, number_at, period
from gateway.core.period import to_ms as ms_of
from gateway.core.roster import Enrolment, Roster
from gateway.core.rules import Program, Rules
from gateway.troubles import LOW_WORDS, DeviceSeen

_SLICE = 200
# Longer than any period: what is older concerns no running one.
_BACK = timedelta(days=32)
_BACK_MS = _BACK // timedelta(milliseconds=1)
_DATES_KEPT = 8

PatientKey = tuple[str, Program]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """
    A running period of a patient.

    days     dates that count so far
    waiting  further dates whose readings no backend has acknowledged yet
    pace     by the dates that count; hoped: with those that wait, which a hub that is offline must not call lost
    """

    enrolment: Enrolment
    rules: Rules
    period: Period
    days: int
    waiting: int
    pace: Pace
    hoped: Pace

    def as_json(self) -> dict[str, Any]:
        """One line of `status`."""
        return {
            "patient": self.enrolment.patient,
            "program": self.enrolment.program.value,
            "period": self.period.number,
            "start": self.period.start.isoformat(),
            "end": self.period.end.isoformat(),
            "days": self.days,
            "waiting": self.waiting,
            **self.pace.as_json(),
        }


@dataclass(slots=True)
class _Dates:
    """Dates with a reading that qualifies: all of them, and those acknowledged."""

    measured: set[date] = field(default_factory=set)
    acked: set[date] = field(default_factory=set)


class Tally:
    """`catch_up` before asking; everything else only looks."""

    def __init__(self, store: Store, roster: Roster, profiles: Mapping[str, Rules], *, uploads: bool) -> None:
        self.devices: dict[str, DeviceSeen] = {}
        self._store = store
        self._roster = roster
        self._profiles = profiles
        self._uploads = uploads
        self._seq: int | None = None
        self._dates: dict[PatientKey, _Dates] = {}
        self._pending: dict[int, tuple[PatientKey, date]] = {}
        self._turn = asyncio.Lock()

    async def catch_up(self, now_ms: int) -> None:
        """Read what is new; nothing where nobody is enrolled and no device is anybody's."""
        if not self._roster.patients() and not self._roster.worn(now_ms):
            return
        async with self._turn:
            if self._seq is None:
                first = await self._store.first_since(now_ms - _BACK_MS)
                self._seq = None if first is None else first - 1
            while self._seq is not None and (rows := await self._store.follow(self._seq, _SLICE)):
                for row in rows:
                    self._take(row)
                self._seq = rows[-1].seq
            await self._settle()
            self._forget()

    async def _settle(self) -> None:
        for seq in await self._store.accepted_among(self._pending) if self._pending else ():
            key, day = self._pending.pop(seq)
            self._dates[key].acked.add(day)

    def _take(self, row: Entry) -> None:
        if row.type == "event" and b'"name":"device.status"' not in row.bytes:
            return
        if row.type in ("reading", "event"):
            record = row.record
            self._hear(record, row.received_ms)
            if row.type == "reading" and record["qualifies"]["day"]:
                self._count(record, row.seq)

    def _count(self, record: Mapping[str, Any], seq: int) -> None:
        key = (record["patient"], Program(record["program"]))
        episodes = [each for each in self._roster.enrolments(key[0]) if each.program is key[1]]
        if not episodes:
            return
        day = civil_date(_ms(record["measured_at"]), ZoneInfo(episodes[-1].timezone))
        dates = self._dates.setdefault(key, _Dates())
        dates.measured.add(day)
        if not self._uploads:
            dates.acked.add(day)
        elif day not in dates.acked:
            self._pending[seq] = (key, day)

    def _hear(self, record: Mapping[str, Any], received_ms: int) -> None:
        told = record["device"]
        name = told["id"] if isinstance(told, dict) else told
        if name is None or record.get("capture", "device") != "device":
            return
        seen = self.devices.get(name, DeviceSeen(received_ms))
        day = date.fromisoformat(record.get("local_date") or record.get("at", record.get("received_at"))[:10])
        low = not LOW_WORDS.isdisjoint(record["status"])
        self.devices[name] = replace(
            seen,
            last_ms=max(seen.last_ms, received_ms),
            dates=tuple(sorted({*seen.dates, day}))[-_DATES_KEPT:],
            low_first_ms=(seen.low_first_ms or received_ms) if low else seen.low_first_ms,
            low_ms=received_ms if low else seen.low_ms,
        )

    def _forget(self) -> None:
        for dates in self._dates.values():
            since = max(dates.measured, default=date.max) - 2 * _BACK
            dates.measured = {day for day in dates.measured if day > since}
            dates.acked &= dates.measured

    # What is asked of it

    def worn(self, now_ms: int) -> dict[str, DeviceSeen]:
        """The devices that are somebody's now, as far as they were heard."""
        worn = self._roster.worn(now_ms)
        return {name: seen for name, seen in self.devices.items() if name in worn}

    def progress(self, now_ms: int) -> list[Progress]:
        """Every running period, by patient and program."""
        running = [each for name in self._roster.patients() for each in self._roster.enrolments(name)]
        return [found for each in running if (found := self._progress(each, now_ms)) is not None]

    def _progress(self, enrolment: Enrolment, now_ms: int) -> Progress | None:
        rules = self._profiles.get(enrolment.rules)
        if rules is None or enrolment.end_ms is not None or enrolment.start_ms > now_ms:
            return None
        zone = ZoneInfo(enrolment.timezone)
        number = number_at(now_ms, enrolment.start_ms, zone, rules.period_days)
        running = period(number, enrolment.start_ms, zone, rules.period_days)
        dates = self._dates.get((enrolment.patient, enrolment.program), _Dates())
        acked, measured = _within(dates.acked, running), _within(dates.measured, running)
        return Progress(
            enrolment=enrolment,
            rules=rules,
            period=running,
            days=len(acked),
            waiting=len(measured - acked),
            pace=pace(acked, running, zone, rules, now_ms),
            hoped=pace(measured, running, zone, rules, now_ms),
        )


def _within(dates: Iterable[date], running: Period) -> set[date]:
    return {day for day in dates if running.holds(day)}


def _ms(text: str) -> int:
    return ms_of(datetime.fromisoformat(text))
