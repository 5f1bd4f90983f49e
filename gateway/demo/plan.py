"""What the demo's two patients measure: the same every time, dated from some days ago until today."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from drivers.virtual.cellular import Message, cuff, oximeter, scale

ZONE = ZoneInfo("America/New_York")
ANN, BEN = "pt-1001", "pt-1002"
CUFF, SCALE, OXIMETER = "AB:CD:EF:12:34:01", "356789000000001", "350000000000001"
# device id -> patient, and what the demo's operator says a document says of it
DEVICES = {f"stel:{CUFF}": ANN, f"bodytrace:{SCALE}": ANN, f"telli:{OXIMETER}": BEN}
SOURCE = "demonstration only: no document was read"
# Ann skips every seventh day, Ben measures every other: enough for one code each in a month
_SKIPPED_BY_ANN = 7
_BENS_STEP = 2


@dataclass(frozen=True, slots=True)
class Day:
    """One date's messages."""

    date: str
    messages: tuple[Message, ...]


def first_morning(days: int, now: datetime) -> datetime:
    """Seven in the morning of the first day: before anybody measures."""
    return (now - timedelta(days=days)).astimezone(ZONE).replace(hour=7, minute=0, second=0, microsecond=0)


def plan(days: int, now: datetime) -> list[Day]:
    """The messages of each day, none of them later than `now`."""
    begin = first_morning(days, now)
    return [_day(number, begin + timedelta(days=number)) for number in range(days)]


def expected_days(days: int) -> dict[str, int]:
    """How many days of data each patient has."""
    ann = sum(number % _SKIPPED_BY_ANN != _SKIPPED_BY_ANN - 1 for number in range(days))
    return {ANN: ann, BEN: len(range(0, days, _BENS_STEP))}


def _day(number: int, morning: datetime) -> Day:
    return Day(morning.date().isoformat(), tuple(_messages(number, morning)))


def _messages(number: int, morning: datetime) -> Iterator[Message]:
    eight = morning.replace(hour=8)
    if number % _SKIPPED_BY_ANN != _SKIPPED_BY_ANN - 1:
        yield cuff(CUFF, eight, 128 + number % 9, 78 + number % 5, 64 + number % 7)
        yield cuff(CUFF, eight.replace(minute=5), 126 + number % 9, 77 + number % 5, 63 + number % 7)
        yield scale(SCALE, eight.replace(minute=10), 71_200 - 30 * number)
    if number % _BENS_STEP == 0:
        yield oximeter(OXIMETER, eight.replace(minute=30), 95 + number % 4, 70 + number % 8)
