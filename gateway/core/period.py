"""
Periods: consecutive runs of local calendar dates from the event that began the service.

Source: billing rules 7.3. A period is never slid to fit the data, stretched or paused, and it closes at 00:00 local
after its last date. The zone is the patient's, fixed for the whole period.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gateway.core.time import local_date

_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Period `number` of an episode: its first and last date, and both ends as UTC milliseconds (end exclusive)."""

    number: int
    start: date
    end: date
    open_ms: int
    close_ms: int

    def holds(self, day: date) -> bool:
        """Whether a date is one of the period's."""
        return self.start <= day <= self.end

    @property
    def dates(self) -> list[date]:
        """Every date of the period."""
        return [self.start + n * _DAY for n in range((self.end - self.start).days + 1)]


def civil_date(utc_ms: int, zone: ZoneInfo) -> date:
    """The local calendar date of an instant."""
    return date.fromisoformat(local_date(utc_ms, zone))


def to_ms(instant: datetime) -> int:
    """An instant with its offset as UTC milliseconds since 1970."""
    return (instant.astimezone(UTC) - _EPOCH) // _MILLISECOND


def period(number: int, service_start_ms: int, zone: ZoneInfo, days: int) -> Period:
    """Period `number` (from 1) of an episode whose service began at an instant; raises OverflowError past year 9999."""
    start = civil_date(service_start_ms, zone) + (number - 1) * days * _DAY
    end = start + (days - 1) * _DAY
    return Period(number, start, end, _midnight(start, zone), _midnight(end + _DAY, zone))


def number_at(instant_ms: int, service_start_ms: int, zone: ZoneInfo, days: int) -> int:
    """The number of the period an instant lies in; zero or less before the service began."""
    return (civil_date(instant_ms, zone) - civil_date(service_start_ms, zone)).days // days + 1


def _midnight(day: date, zone: ZoneInfo) -> int:
    # Where a zone skips midnight (Beirut, Havana) fold 0 names the instant of the change itself.
    return to_ms(datetime.combine(day, time(0), zone))
