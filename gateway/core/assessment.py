"""
From judged readings to counts, a code candidate and what a person must look at.

Source: billing rules 7.3, kept in docs/billing.md. Three counts of dates stand side by side because no public rule says
what a late upload is: measured (Dm), claimable (Dc: acknowledged before the period closed) and received (Dt: distinct
dates of those acknowledgements). The gateway reports counts and reasons; people bill.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from gateway.core.period import Period, civil_date
from gateway.core.rules import Program, Rules


@dataclass(frozen=True, slots=True)
class Judged:
    """
    One reading after the gates; `reason` is None where it qualifies.

    acked_ms   when the provider's side had it; None where that is not shown
    own_zone   the zone the reading itself was taken in, where it says so
    """

    automatic: bool
    reason: str | None
    measured_ms: int | None
    acked_ms: int | None
    own_zone: ZoneInfo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """
    One episode of care, as far as counting asks.

    start_ms     max(order, consent, setup completed); an event, entered and logged, never taken from data
    rtm_active   the other program runs as well (for an RTM profile: RPM does)
    """

    start_ms: int
    end_ms: int | None
    practitioners: int = 1
    rtm_active: bool = False
    setup_record: bool = False
    setup_billed: bool = False

    def covers(self, instant_ms: int) -> bool:
        """Whether an instant lies within the service: not before its start, not after its end."""
        return self.start_ms <= instant_ms and (self.end_ms is None or instant_ms <= self.end_ms)


@dataclass(frozen=True, slots=True)
class Counts:
    """Distinct dates: `measured` Dm, `claimable` Dc, `received` Dt; `own_zone` is Dc by the readings' own zones."""

    measured: int
    claimable: int
    received: int
    own_zone: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What one period of one patient comes to."""

    period: Period
    automatic: int
    counts: Counts
    candidate: str
    conservative: str
    status: str
    reasons: tuple[str, ...]
    setup_code: str
    setup_due: bool
    rejected: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The result of `assess --json`."""
        return {
            "period": {
                "number": self.period.number,
                "start": self.period.start.isoformat(),
                "end": self.period.end.isoformat(),
            },
            "automatic": self.automatic,
            "days": {
                "measured": self.counts.measured,
                "claimable": self.counts.claimable,
                "received": self.counts.received,
            },
            "candidate": self.candidate,
            "conservative": self.conservative,
            "status": self.status,
            "reasons": list(self.reasons),
            f"setup_{self.setup_code}": self.setup_due,
            "rejected": list(self.rejected),
        }


def assess(
    readings: Iterable[Judged], service: Service, period: Period, zone: ZoneInfo, rules: Rules, now_ms: int
) -> Assessment:
    """Count one period; the order of the readings does not matter."""
    judged = list(readings)
    counts = count(judged, period, zone)
    is_closed = now_ms >= period.close_ms
    reasons = tuple(_reasons(counts, service, period, rules)) if is_closed else ()
    days = (counts.claimable, counts.measured, counts.received, counts.own_zone)
    return Assessment(
        period=period,
        automatic=sum(reading.automatic for reading in judged),
        counts=counts,
        candidate=rules.code(counts.claimable),
        # Bands ascend with days, so the lowest count gives the lowest of the bands.
        conservative=rules.code(min(days)),
        status="OPEN" if not is_closed else "REVIEW" if reasons else "CLEAN",
        reasons=reasons,
        setup_code=rules.setup_code,
        setup_due=is_closed and _setup_due(counts, service, period, rules),
        rejected=tuple(sorted(reading.reason for reading in judged if reading.reason)),
    )


def count(readings: Iterable[Judged], period: Period, zone: ZoneInfo) -> Counts:
    """Count dates, never readings."""
    measured, claimable, received, own = set[date](), set[date](), set[date](), set[date]()
    for reading in readings:
        if reading.reason is not None or reading.measured_ms is None:
            continue
        day, own_day = (civil_date(reading.measured_ms, each) for each in (zone, reading.own_zone or zone))
        in_time = reading.acked_ms is not None and reading.acked_ms < period.close_ms
        if in_time and period.holds(own_day):
            own.add(own_day)
        if not period.holds(day):
            continue
        measured.add(day)
        if reading.acked_ms is not None and in_time:
            claimable.add(day)
            received.add(civil_date(reading.acked_ms, zone))
    return Counts(len(measured), len(claimable), len(received), len(own))


def _reasons(counts: Counts, service: Service, period: Period, rules: Rules) -> Iterable[str]:
    """Why a person must look at a closed period, in the words of the rules."""
    claimed = rules.band(counts.claimable)
    if rules.band(counts.measured) != claimed:
        yield "late after close"
    if rules.band(counts.received) != claimed:
        yield "batch upload"
    if rules.band(counts.own_zone) != claimed:
        yield "time zone"
    if claimed and period.start < claimed.since:
        yield "code set date"
    if service.rtm_active:
        yield "RTM in same period" if rules.program is Program.RPM else "RPM in same period"
    if service.practitioners > 1:
        yield "two practitioners"
    if service.end_ms is not None and period.open_ms <= service.end_ms < period.close_ms:
        yield "truncated period"


def _setup_due(counts: Counts, service: Service, period: Period, rules: Rules) -> bool:
    """The setup code goes with the first period of an episode, once, where its record is complete."""
    unused = service.setup_record and not service.setup_billed
    return unused and period.number == 1 and counts.claimable >= rules.setup_days(period.end)
