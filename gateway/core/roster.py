"""
Which device is whose, from when to when: a view rebuilt from the ledger.

The ledger's records of the types `device`, `assignment`, `enrolment` and `setup` are the truth; this folds them, in
order of seq, and forgets nothing. A correction is a new record. `gateway.registry` makes their bodies and checks what a
person asks for against this view, which changes only when the record is applied.

Every body has `at` (UTC), `by` and `why`. Beside them:

    device      device, status, specific_code, clearance, source, checked, manufacturer, model, serial, firmware, udi_di
    assignment  action assign | unassign, device, patient, slot, from, to, backdated
    enrolment   action begin | amend | end, patient, program, rules, timezone, practitioners, order_at, consent_at,
                setup_at, start, end, backdated
    setup       state begun | answered | done | abandoned, patient, device (gateway.setup tells the rest)

What could not be told apart stays ambiguous, and an unknown is never guessed: neither counts (billing rules Q03, Q05).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self
from zoneinfo import ZoneInfo

from gateway.core.assessment import Service
from gateway.core.catalogue import UNKNOWN, Evidence
from gateway.core.period import Period, to_ms
from gateway.core.rules import Program

# How far a device's clock may be off and what it sends at a visit still be known for a demonstration.
CLOCK_SLACK_MS = 300_000

LEDGER_TYPES = ("device", "assignment", "enrolment", "setup")


@dataclass(frozen=True, slots=True)
class Assignment:
    """A device, or one slot of it, is a patient's; `to_ms` is exclusive."""

    device: str
    patient: str
    slot: int | None
    from_ms: int
    to_ms: int | None = None

    def covers(self, instant_ms: int) -> bool:
        """Whether the instant lies within."""
        return self.from_ms <= instant_ms and (self.to_ms is None or instant_ms < self.to_ms)

    def overlaps(self, other: "Assignment") -> bool:
        """Whether both hold one device and slot at some instant."""
        far = float("inf")
        mine, theirs = (far if span.to_ms is None else span.to_ms for span in (self, other))
        same = (self.device, self.slot) == (other.device, other.slot)
        return same and self.from_ms < theirs and other.from_ms < mine


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """One episode of care; `start_ms` is the last of order, consent and setup."""

    patient: str
    program: Program
    rules: str
    timezone: str
    start_ms: int
    end_ms: int | None = None
    practitioners: int = 1

    def covers(self, instant_ms: int) -> bool:
        """Whether the instant lies within; the end itself still does."""
        return self.start_ms <= instant_ms and (self.end_ms is None or instant_ms <= self.end_ms)


@dataclass(frozen=True, slots=True)
class Visit:
    """A technician's setup of a device for a patient; `to_ms` is None while it is open."""

    device: str
    patient: str
    from_ms: int
    to_ms: int | None = None
    done: bool = False

    def covers(self, instant_ms: int) -> bool:
        """Whether the instant lies within."""
        return self.from_ms <= instant_ms and (self.to_ms is None or instant_ms < self.to_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """
    What the registry knows of a device at an instant.

    patient     None where nobody wears it, or nobody can say who
    ambiguous   several could be meant, or the device is shared by slots and the reading names none
    enrolments  the patient's episodes that cover the instant
    in_setup    a technician is at work with it: what it sends is a rehearsal
    """

    device: str
    slot: int | None
    known: bool
    evidence: Evidence
    patient: str | None = None
    ambiguous: bool = False
    enrolments: tuple[Enrolment, ...] = ()
    in_setup: bool = False

    def enrolment(self, program: Program | None) -> Enrolment | None:
        """The episode of a program, None where the patient is not in it."""
        return next((each for each in self.enrolments if each.program is program), None)


class Roster:
    """The view. Pure: it reads no clock and no file, and the same records always give the same view."""

    def __init__(self) -> None:
        self._evidence: dict[str, Evidence] = {}
        self._assignments: dict[str, list[Assignment]] = {}
        self._enrolments: dict[str, list[Enrolment]] = {}
        self._visits: dict[str, list[Visit]] = {}

    @classmethod
    def from_ledger(cls, records: Iterable[Mapping[str, Any]]) -> Self:
        """The view after these records, in their order; other types are passed over."""
        roster = cls()
        for record in records:
            roster.apply(record)
        return roster

    def apply(self, record: Mapping[str, Any]) -> None:
        """Fold in one record (its body with its `type`)."""
        match record["type"]:
            case "device":
                self._evidence[record["device"]] = _evidence(record)
            case "assignment":
                self._apply_assignment(record)
            case "enrolment":
                self._apply_enrolment(record)
            case "setup":
                self._apply_setup(record)
            case _:
                pass  # readings and events say nothing of whose a device is

    def _apply_assignment(self, record: Mapping[str, Any]) -> None:
        spans = self._assignments.setdefault(record["device"], [])
        span = Assignment(
            record["device"], record["patient"], record["slot"], _ms(record["from"]), _ms_or_none(record["to"])
        )
        if record["action"] == "unassign":
            spans[:] = [old for old in spans if replace(old, to_ms=None) != replace(span, to_ms=None)]
        spans.append(span)

    def _apply_enrolment(self, record: Mapping[str, Any]) -> None:
        episodes = self._enrolments.setdefault(record["patient"], [])
        episode = Enrolment(
            patient=record["patient"],
            program=Program(record["program"]),
            rules=record["rules"],
            timezone=record["timezone"],
            practitioners=record["practitioners"],
            start_ms=_ms(record["start"]),
            end_ms=_ms_or_none(record["end"]),
        )
        key = (episode.program, episode.start_ms)
        episodes[:] = [old for old in episodes if (old.program, old.start_ms) != key]
        episodes.append(episode)

    def _apply_setup(self, record: Mapping[str, Any]) -> None:
        visits = self._visits.setdefault(record["device"], [])
        at_ms = _ms(record["at"])
        if record["state"] == "begun":
            visits.append(Visit(record["device"], record["patient"], at_ms))
        if record["state"] in ("begun", "answered"):
            return
        done = record["state"] == "done"
        is_open = [visit.to_ms is None and visit.patient == record["patient"] for visit in visits]
        visits[:] = [
            replace(visit, to_ms=at_ms, done=done) if open_ else visit
            for visit, open_ in zip(visits, is_open, strict=True)
        ]
        if not any(is_open):
            visits.append(Visit(record["device"], record["patient"], at_ms, at_ms, done))

    # What is asked of the view

    def binding(self, device: str, slot: int | None, instant_ms: int | None) -> Binding:
        """
        Whose a reading is that was measured at an instant.

        Without an instant nobody is named: a stored value may be of whoever wore the device before.
        """
        known = device in self._evidence
        bare = Binding(device=device, slot=slot, known=known, evidence=self._evidence.get(device, UNKNOWN))
        return bare if instant_ms is None or not known else self._bound(bare, instant_ms)

    def _bound(self, bare: Binding, instant_ms: int) -> Binding:
        """What the assignments and enrolments add."""
        spans = [span for span in self._assignments.get(bare.device, ()) if span.covers(instant_ms)]
        patients, unsure = _wearers(spans, bare.slot)
        bare = replace(bare, in_setup=self._in_setup(bare.device, instant_ms), ambiguous=unsure)
        if unsure or not patients:
            return bare
        (patient,) = patients
        episodes = tuple(each for each in self._enrolments.get(patient, ()) if each.covers(instant_ms))
        return replace(bare, patient=patient, enrolments=episodes)

    def _in_setup(self, device: str, instant_ms: int) -> bool:
        return any(visit.covers(instant_ms) for visit in self._visits.get(device, ()))

    def is_rehearsal(self, device: str, measured_ms: int | None, received_ms: int) -> bool:
        """
        Whether a reading belongs to a technician's visit.

        Measured within one, or received within one and not measured before it: a device's clock that is some minutes
        off must not carry a demonstration out of its visit. What was stored before the visit is the patient's own.
        """
        return any(
            (measured_ms is not None and visit.covers(measured_ms))
            or (visit.covers(received_ms) and (measured_ms is None or measured_ms > visit.from_ms - CLOCK_SLACK_MS))
            for visit in self._visits.get(device, ())
        )

    def open_visits(self) -> tuple[Visit, ...]:
        """The visits that are under way."""
        return tuple(visit for visits in self._visits.values() for visit in visits if visit.to_ms is None)

    def is_registered(self, device: str) -> bool:
        """Whether a `device` record names it."""
        return device in self._evidence

    def assignments(self, device: str) -> tuple[Assignment, ...]:
        """Every assignment of a device, in order of its start."""
        return tuple(sorted(self._assignments.get(device, ()), key=lambda span: span.from_ms))

    def devices_of(self, patient: str) -> tuple[Assignment, ...]:
        """Every assignment to a patient, in order of its start."""
        spans = [span for spans in self._assignments.values() for span in spans if span.patient == patient]
        return tuple(sorted(spans, key=lambda span: (span.from_ms, span.device)))

    def worn(self, instant_ms: int) -> set[str]:
        """The devices that are somebody's at an instant."""
        return {device for device, spans in self._assignments.items() if any(s.covers(instant_ms) for s in spans)}

    def evidence(self, device: str) -> Evidence:
        """What is documented of a device; `unknown` where nothing is."""
        return self._evidence.get(device, UNKNOWN)

    def patients(self) -> tuple[str, ...]:
        """Every patient with an enrolment."""
        return tuple(sorted(self._enrolments))

    def enrolments(self, patient: str) -> tuple[Enrolment, ...]:
        """A patient's episodes, in order of their start."""
        return tuple(sorted(self._enrolments.get(patient, ()), key=lambda each: (each.start_ms, each.program)))

    def zone_of(self, patient: str, instant_ms: int) -> ZoneInfo | None:
        """Where a patient lives, by the episode that covers an instant; None outside every episode."""
        covering = (each for each in self.enrolments(patient) if each.covers(instant_ms))
        return next((ZoneInfo(each.timezone) for each in covering), None)

    def open_enrolment(self, patient: str, program: Program) -> Enrolment | None:
        """A patient's episode of a program that has not ended."""
        episodes = self.enrolments(patient)
        return next((each for each in episodes if each.program is program and each.end_ms is None), None)

    def service(self, enrolment: Enrolment, period: Period, *, setup_billed: bool = False) -> Service:
        """An episode as counting sees it, for one of its periods."""
        others = [each for each in self.enrolments(enrolment.patient) if each.program is not enrolment.program]
        return Service(
            start_ms=enrolment.start_ms,
            end_ms=enrolment.end_ms,
            practitioners=enrolment.practitioners,
            rtm_active=any(_touches(each, period) for each in others),
            setup_record=self._was_set_up(enrolment),
            setup_billed=setup_billed,
        )

    def _was_set_up(self, enrolment: Enrolment) -> bool:
        """Whether a setup was completed since the episode before this one ended."""
        since, until = -1, float("inf") if enrolment.end_ms is None else enrolment.end_ms
        for each in self.enrolments(enrolment.patient):
            if each.program is enrolment.program and each.end_ms is not None and each.end_ms < enrolment.start_ms:
                since = max(since, each.end_ms)
        visits = [visit for visits in self._visits.values() for visit in visits if visit.patient == enrolment.patient]
        return any(visit.done and visit.to_ms is not None and since < visit.to_ms <= until for visit in visits)


def _wearers(spans: list[Assignment], slot: int | None) -> tuple[set[str], bool]:
    """Who may be meant, and whether that is unsure."""
    by_slot = {span.patient for span in spans if span.slot == slot and slot is not None}
    whole = {span.patient for span in spans if span.slot is None}
    shared = any(span.slot is not None for span in spans)
    patients = by_slot or whole
    return patients, len(patients) > 1 or (slot is None and shared)


def _touches(enrolment: Enrolment, period: Period) -> bool:
    ended = enrolment.end_ms is not None and enrolment.end_ms < period.open_ms
    return enrolment.start_ms < period.close_ms and not ended


def _evidence(record: Mapping[str, Any]) -> Evidence:
    return Evidence(
        status=record["status"],
        specific_code=record["specific_code"],
        clearance=record["clearance"],
        source=record["source"],
        checked=record["checked"],
    )


def _ms(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))


def _ms_or_none(text: str | None) -> int | None:
    return None if text is None else _ms(text)
