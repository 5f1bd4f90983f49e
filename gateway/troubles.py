"""
Technical issues, as the daemon finds them: what it was, from when to when, how it ended.

Each is two events on the ledger, `issue.opened` and `issue.closed`, named by their content, so that a restart or a
second look adds nothing. Pure: told what is seen now and what the ledger says, it gives the events to keep. These are
facts about machines and transmission; a silent device says nothing about whoever should have used it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

from gateway.core.link import LinkState
from gateway.core.period import to_ms
from gateway.core.reading import Draft
from gateway.core.record import canonical
from gateway.core.time import utc_text

OPENED, CLOSED = "issue.opened", "issue.closed"
PREFIX = "issue."

OFFLINE, SOURCE_DOWN, REFUSED, CLOCK = "upload.offline", "source.down", "backend.refused", "clock.unsynchronised"
SILENT, BATTERY, HUB_OFF = "device.silent", "battery.low", "hub.off"
# kind -> what it is, and how it ends
WORDS: Mapping[str, tuple[str, str]] = {
    OFFLINE: ("The hub could not reach the backend", "The backend was reached again."),
    SOURCE_DOWN: ("A source of readings was not connected", "The source was connected again."),
    REFUSED: ("The backend refused records", "No refused record is left."),
    CLOCK: ("The hub's clock followed no time source", "The clock follows a time source again."),
    SILENT: ("A device that sent daily sent nothing for two days", "The device sent again, or is nobody's now."),
    BATTERY: ("A device reported a low battery", "The device no longer reports it."),
    HUB_OFF: ("The daemon did not run", "The daemon was started."),
}
# Kinds whose subject is a device; the others concern every patient of the hub.
OF_DEVICES = frozenset({SILENT, BATTERY})

# Below ten minutes a link that drops is the ordinary life of a network.
_DOWN_S = 600.0
_SILENT_MS = 48 * 3_600_000
# Daily: readings on five of the last seven dates it was heard on.
_DAILY_DATES, _DAILY_WINDOW = 5, timedelta(days=7)
# Some devices say "low" once and not again: a week without the word is taken for a new battery.
_BATTERY_MS = 7 * 86_400_000
# The words by which makers say that a battery is low. A percentage or a voltage is no such word: no maker read here
# defines one below which it is.
LOW_WORDS = frozenset({"battery_low", "low_battery"})
_OPEN_MAX = 500

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue; `end_ms` is None while it lasts."""

    kind: str
    subject: str
    start_ms: int
    end_ms: int | None = None
    why: str | None = None
    resolution: str | None = None

    def overlaps(self, from_ms: int, to_ms_: int) -> bool:
        """Whether it lasted at some instant of a span, end exclusive."""
        return self.start_ms < to_ms_ and (self.end_ms is None or self.end_ms >= from_ms)

    def as_json(self) -> dict[str, Any]:
        """One row of a packet."""
        return {
            "issue": self.kind,
            "subject": self.subject,
            "what": WORDS[self.kind][0] if self.kind in WORDS else self.kind,
            "start": utc_text(self.start_ms),
            "end": None if self.end_ms is None else utc_text(self.end_ms),
            "why": self.why,
            "resolution": self.resolution,
        }


@dataclass(frozen=True, slots=True)
class DeviceSeen:
    """
    What is known of a device somebody wears; times are UTC milliseconds of receipt.

    dates                    local dates it was heard on lately, ascending
    low_first_ms, low_ms     when it first and last said that its battery is low
    """

    last_ms: int
    dates: tuple[date, ...] = ()
    low_first_ms: int | None = None
    low_ms: int | None = None

    @property
    def is_daily(self) -> bool:
        """Whether it was heard on most dates of the week before it was last heard."""
        return bool(self.dates) and sum(day > self.dates[-1] - _DAILY_WINDOW for day in self.dates) >= _DAILY_DATES


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look finds; `devices` are those that somebody wears now."""

    links: Sequence[LinkState]
    refused: int
    synchronised: bool
    devices: Mapping[str, DeviceSeen] = field(default_factory=dict)


class Troubles:
    """The open issues, and since when what may become one has lasted (monotonic seconds)."""

    def __init__(self) -> None:
        self._open: dict[Key, Issue] = {}
        self._since: dict[Key, tuple[float, int]] = {}

    @classmethod
    def from_events(cls, events: Iterable[Mapping[str, Any]]) -> "Troubles":
        """What the ledger says is open."""
        found = cls()
        for issue in paired(events):
            if issue.end_ms is None:
                found._open[issue.kind, issue.subject] = issue
        return found

    @property
    def open(self) -> list[Issue]:
        """What lasts now, oldest first."""
        return sorted(self._open.values(), key=lambda issue: (issue.start_ms, issue.kind, issue.subject))

    def look(self, seen: Seen, now_ms: int, now_s: float) -> list[Draft]:
        """The events to keep after this look; nothing changes until they are applied."""
        bad = self._lasting(_conditions(seen, now_ms), now_ms, now_s)
        new = [issue for key, issue in bad.items() if key not in self._open]
        room = _OPEN_MAX - len(self._open)
        opened = [_draft(issue, now_ms) for issue in new[: max(0, room)]]
        over = [issue for key, issue in self._open.items() if key not in bad]
        return opened + [_draft(_ended(issue, seen, now_ms), now_ms) for issue in over]

    def apply(self, body: Mapping[str, Any]) -> None:
        """Fold in one event that is kept."""
        key = (body["issue"], body["subject"])
        if body["name"] == OPENED:
            self._open[key] = _opened(body)
        else:
            self._open.pop(key, None)

    def _lasting(self, conditions: "dict[Key, _Condition]", now_ms: int, now_s: float) -> dict[Key, Issue]:
        """Those conditions that have lasted long enough to be an issue, or are one already."""
        self._since = {key: self._since.get(key, (now_s, now_ms)) for key in conditions}
        return {
            key: Issue(*key, self._since[key][1] if found.start_ms is None else found.start_ms, why=found.why)
            for key, found in conditions.items()
            if key in self._open or now_s - self._since[key][0] >= found.after_s
        }


@dataclass(frozen=True, slots=True)
class _Condition:
    """Something wrong now; an issue once it has lasted `after_s`. `start_ms` where more is known than by looking."""

    after_s: float
    start_ms: int | None = None
    why: str | None = None


def _conditions(seen: Seen, now_ms: int) -> dict[Key, _Condition]:
    found: dict[Key, _Condition] = {}
    for link in seen.links:
        if not link.is_up:
            kind = OFFLINE if link.kind == "upload" else SOURCE_DOWN
            found[kind, link.name] = _Condition(_DOWN_S, why=link.why)
    if seen.refused:
        found[REFUSED, "upload"] = _Condition(0.0)
    if not seen.synchronised:
        found[CLOCK, "hub"] = _Condition(_DOWN_S)
    for name, device in seen.devices.items():
        if device.is_daily and now_ms - device.last_ms > _SILENT_MS:
            found[SILENT, name] = _Condition(0.0, device.last_ms)
        if device.low_ms is not None and device.last_ms - device.low_ms < _BATTERY_MS:
            found[BATTERY, name] = _Condition(0.0, device.low_first_ms)
    return found


def _ended(issue: Issue, seen: Seen, now_ms: int) -> Issue:
    device = seen.devices.get(issue.subject) if issue.kind == SILENT else None
    end_ms = device.last_ms if device and device.last_ms > issue.start_ms else now_ms
    return replace(issue, end_ms=end_ms, resolution=WORDS[issue.kind][1] if issue.kind in WORDS else None)


def hub_was_off(last_ms: int, started_ms: int) -> list[Draft]:
    """Both events of a time in which the daemon did not run; it begins with the last sign of life."""
    issue = Issue(HUB_OFF, "hub", last_ms, why="The last sign of life may be up to an hour older than the stop.")
    ended = replace(issue, end_ms=started_ms, resolution=WORDS[HUB_OFF][1])
    return [_draft(issue, started_ms), _draft(ended, started_ms)]


def paired(events: Iterable[Mapping[str, Any]]) -> list[Issue]:
    """The issues that events tell of, in order of their start; an end without a beginning is passed over."""
    found: dict[tuple[str, str, str], Issue] = {}
    for event in events:
        if event.get("name") not in (OPENED, CLOSED):
            continue
        key = (event["issue"], event["subject"], event["start"])
        if event["name"] == OPENED:
            found.setdefault(key, _opened(event))
        elif key in found:
            found[key] = replace(found[key], end_ms=_ms(event["end"]), resolution=event["resolution"])
    return sorted(found.values(), key=lambda issue: (issue.start_ms, issue.kind, issue.subject))


def _opened(event: Mapping[str, Any]) -> Issue:
    return Issue(event["issue"], event["subject"], _ms(event["start"]), why=event["why"])


def _draft(issue: Issue, now_ms: int) -> Draft:
    """The event of a beginning or an end; its content names it."""
    named = {"issue": issue.kind, "subject": issue.subject, "start": utc_text(issue.start_ms)}
    if issue.end_ms is None:
        body = {"name": OPENED, **named, "why": issue.why}
    else:
        body = {"name": CLOSED, **named, "end": utc_text(issue.end_ms), "resolution": issue.resolution}
    digest = sha256(canonical({"name": body["name"], **named})).hexdigest()
    return Draft(digest, "event", {**body, "at": utc_text(now_ms)}, now_ms)


def _ms(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))
