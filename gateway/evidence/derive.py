"""
Everything in a packet that follows from its records.

`derived` is asked twice: when the packet is made, and when it is verified. What it gives must therefore depend on
nothing but `Core`: no clock, no store, no registry other than the records in the packet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.access import access_rows
from gateway.core.assessment import Service, assess
from gateway.core.bundle import FORMAT, judge, read_bundle
from gateway.core.days import Entry, Ledger, entry, ledger
from gateway.core.period import to_ms
from gateway.core.record import canonical
from gateway.core.roster import Assignment, Roster
from gateway.core.rules import Rules
from gateway.core.time import utc_text
from gateway.evidence.scope import Asked, Scope, scope_of
from gateway.troubles import CLOCK, OF_DEVICES, Issue, paired

Json = dict[str, Any]
DERIVED = ("rules", "timezone", "enrolment", "devices", "readings", "assessment", "days",
           "issues", "clock", "access", "notes")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Core:
    """
    What a packet is made of; `held` are items as they stand in it, {"record", "state", "acked_at", "reason"}.

    uploads  whether a backend acknowledges; without one the hub is the system of record and its receipt stands for it
    gone     records of the hub received since the period began that are no longer on it
    """

    asked: Asked
    now_ms: int
    uploads: bool
    gone: int
    transmissions: tuple[Json, ...]
    history: tuple[Json, ...]
    events: tuple[Json, ...]


def derived(core: Core, profiles: Mapping[str, Rules]) -> Json:
    """The derived sections by their keys in the document; raises BadInput where the records contradict the question."""
    roster = Roster.from_ledger(item["record"] for item in core.history)
    scope = scope_of(core.asked, roster, profiles, core.now_ms)
    service = roster.service(scope.enrolment, scope.period)
    sections = {
        "rules": scope.rules.name,
        "timezone": scope.zone.key,
        "enrolment": _enrolment(service),
        "devices": _devices(roster, core.asked.patient),
        "readings": [_reading(item, uploads=core.uploads) for item in core.transmissions],
    }
    judged = _assessment(core, scope, sections, profiles)
    days = _days(core, scope, service)
    events = [item["record"] for item in core.events]
    issues = issues_of(events, core.asked.patient, roster, scope, core.now_ms)
    return {
        **sections,
        "assessment": judged,
        "days": days.as_json(),
        "issues": [issue.as_json() for issue in issues],
        "clock": _clock(core, issues),
        "access": access_rows(events, core.asked.patient),
        "notes": [*notes_of(uploads=core.uploads, gone=core.gone), *_difference(judged, days)],
    }


def bundle_of(patient: str, period: int, now_ms: int, sections: Mapping[str, Any]) -> Json:
    """The contract's part of the document."""
    kept = {key: sections[key] for key in ("rules", "timezone", "enrolment", "devices", "readings")}
    return {"bundle": FORMAT, "patient": patient, "period": period, "now": utc_text(now_ms), **kept}


def _assessment(core: Core, scope: Scope, sections: Json, profiles: Mapping[str, Rules]) -> Json:
    """The bundle's own assessment, exactly as `assess` gives it for this file."""
    document = bundle_of(core.asked.patient, scope.period.number, core.now_ms, sections)
    bundle = read_bundle(canonical(document), profiles)
    found = assess(judge(bundle), bundle.service, bundle.period, bundle.zone, bundle.rules, bundle.now_ms)
    return found.as_json()


def _days(core: Core, scope: Scope, service: Service) -> Ledger:
    """The day ledger by the verdicts the records were kept with."""
    entries = day_entries(core.transmissions, uploads=core.uploads)
    return ledger(entries, service, scope.period, scope.zone, scope.rules, core.now_ms)


def day_entries(items: Iterable[Json], *, uploads: bool) -> list[Entry]:
    """Readings as the ledger takes them."""
    acked = {item["record"]["record_id"]: item["acked_at"] for item in items}

    def asked(record_id: str) -> int | None:
        return None if acked[record_id] is None else to_ms_text(acked[record_id])

    return [entry(item["record"], asked if uploads else None) for item in items]


def to_ms_text(text: str) -> int:
    """An instant of a record as UTC milliseconds."""
    return to_ms(datetime.fromisoformat(text))


def _enrolment(service: Service) -> Json:
    return {
        "start": utc_text(service.start_ms),
        "end": None if service.end_ms is None else utc_text(service.end_ms),
        "practitioners": service.practitioners,
        "rtm_active": service.rtm_active,
        "setup_record": service.setup_record,
        "setup_billed": service.setup_billed,
    }


def _devices(roster: Roster, patient: str) -> list[Json]:
    spans: dict[str, list[Assignment]] = {}
    for span in roster.devices_of(patient):
        spans.setdefault(span.device, []).append(span)
    return [_device(roster, name, held, patient) for name, held in sorted(spans.items())]


def _device(roster: Roster, name: str, spans: list[Assignment], patient: str) -> Json:
    evidence = roster.evidence(name)
    assigned = [
        {"patient": patient, "from": utc_text(from_ms), "to": None if to is None else utc_text(to)}
        for from_ms, to in _merged(spans)
    ]
    return {"id": name, "status": evidence.status, "specific_code": evidence.specific_code, "assigned": assigned}


def _merged(spans: list[Assignment]) -> list[tuple[int, int | None]]:
    """Spans without overlap: two slots of one device may be one patient's at the same time."""
    merged: list[tuple[int, int | None]] = []
    for span in sorted(spans, key=lambda span: span.from_ms):
        last = merged[-1] if merged else None
        if last and (last[1] is None or span.from_ms < last[1]):
            ends = None if last[1] is None or span.to_ms is None else max(last[1], span.to_ms)
            merged[-1] = (last[0], ends)
        else:
            merged.append((span.from_ms, span.to_ms))
    return merged


def _reading(item: Json, *, uploads: bool) -> Json:
    """A record as the contract's bundle has it: what the gates ask, in their words."""
    record = item["record"]
    says_anything = bool(record["observations"] or record["absent"])
    return {
        "measured_at": record["measured_at"],
        "device": record["device"]["id"],
        "patient": record["patient"],
        "capture": record["capture"],
        "edited": False,  # nothing can edit a record: a correction is another one
        "kind": record["kind"],
        "metric": record["metric"] if says_anything else "technical",
        "context": record["context"],
        "site": record["site"],
        "in_person_download": False,
        "quality": record["quality"] if record["observations"] else "invalid",
        "time_trusted": record["measured_at"] is not None and record["time"]["quality"] != "untrusted",
        "received_at": record["received_at"],
        "acked_at": item["acked_at"] if uploads else record["received_at"],
        "key": record["record_id"],
        "timezone": None,
    }


def issues_of(
    events: Iterable[Mapping[str, Any]], patient: str, roster: Roster, scope: Scope, now_ms: int
) -> list[Issue]:
    """The issues of the period that concern a patient: those of the hub, and those of devices of theirs."""
    own = {span.device for span in roster.devices_of(patient)}
    until_ms = min(scope.period.close_ms, now_ms + 1)
    return [
        issue
        for issue in paired(events)
        if issue.overlaps(scope.period.open_ms, until_ms) and (issue.kind not in OF_DEVICES or issue.subject in own)
    ]


def _clock(core: Core, issues: list[Issue]) -> Json:
    """What each reading's time rests on, and when the hub's own clock could not be trusted."""
    rows = [
        {"seq": item["record"]["seq"], "device": item["record"]["device"]["id"], **item["record"]["time"]}
        for item in core.transmissions
    ]
    return {"readings": rows, "hub": [issue.as_json() for issue in issues if issue.kind == CLOCK]}


def notes_of(*, uploads: bool, gone: int) -> list[str]:
    """What a reader must know to read a day ledger rightly."""
    notes = []
    if not uploads:
        notes.append("No backend is configured: the hub's receipt stands for the acknowledgement.")
    if gone:
        notes.append(
            f"{gone} records received since the period began are no longer on this hub, so dates may be missing here: "
            "ask the backend, which accepted them, or export a period before retain_days are over."
        )
    return notes


def _difference(judged: Json, days: Ledger) -> Iterable[str]:
    if judged["days"] != days.as_json()["days"]:
        yield (
            "The counts of the day ledger, by the verdicts recorded with each reading, differ from the counts by the "
            "devices, assignments and enrolment as they are documented now; a person must look at why."
        )
