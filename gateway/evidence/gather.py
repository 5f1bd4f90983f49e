"""
A patient's records of one period, out of the store, with their places in the chain.

The readings are found by walking the numbers from the first record received since the period began
(buffer/history.py). What lies between two of ours is named by its links where that is short; a longer stretch is named
by its two ends, which prove as much: the hash of a record whose content is not there cannot be computed either way.
"""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from buffer.rows import Entry
from buffer.store import Store
from gateway import access, troubles
from gateway.core.batch import State
from gateway.core.errors import BadInput
from gateway.core.roster import LEDGER_TYPES
from gateway.core.time import utc_text
from gateway.evidence.derive import Core, Json, to_ms_text
from gateway.evidence.scope import Asked, Scope

# One transaction's records: some milliseconds, so that nobody who writes or asks waits longer.
_SLICE = 500
# Links told one by one between two records of ours.
_STRETCH_MAX = 100
# A clock that was some minutes off must not hide the first readings of a period.
_SLACK_MS = 3_600_000
# Enough for a reading every few minutes; more is no day ledger, and would not fit the memory of a small hub.
_READINGS_MAX = 20_000

Link = tuple[int, str, str]


@dataclass(slots=True)
class Found:
    """What a walk found: the readings, and the links of the records between them where the stretch is short."""

    readings: list[Entry] = field(default_factory=list)
    links: dict[int, Link] = field(default_factory=dict)


async def gathered(store: Store, asked: Asked, scope: Scope, now_ms: int, *, uploads: bool) -> tuple[Core, list[Json]]:
    """What the packet is made of, and the links of the chain between its records."""
    found = await _walk(store, scope)
    history = await _history(store, asked.patient)
    events = await _events(store, scope, now_ms)
    gone = await store.gone_since(scope.period.open_ms)
    core = Core(asked, now_ms, uploads, gone, _items(found.readings), _items(history), _items(events))
    records = [item["record"] for item in (*core.transmissions, *core.history, *core.events)]
    return core, _links(sorted(records, key=lambda record: record["seq"]), found.links)


async def readings_of(store: Store, scope: Scope) -> list[Json]:
    """The readings of a period alone, as items, for the day ledger."""
    return list(_items((await _walk(store, scope)).readings))


async def walk(store: Store, from_ms: int) -> AsyncIterator[Entry]:
    """Every record received since an instant, in the order of the ledger."""
    first = await store.first_since(from_ms)
    seq = None if first is None else first - 1
    while seq is not None:
        rows = await store.follow(seq, _SLICE)
        for row in rows:
            yield row
        seq = rows[-1].seq if rows else None


async def _walk(store: Store, scope: Scope) -> Found:
    found = Found()
    between: list[Entry] = []
    async for each in walk(store, scope.period.open_ms - _SLACK_MS):
        if each.type == "reading" and _is_meant(each, scope):
            found.readings.append(each)
            found.links.update(_told(between))
            between = []
        elif len(between) <= _STRETCH_MAX:
            between.append(each)
        if len(found.readings) > _READINGS_MAX:
            raise BadInput(f"The period has more than {_READINGS_MAX} readings; its packet would be too large to file.")
    found.links.update(_told(between))
    return found


def _told(between: Sequence[Entry]) -> dict[int, Link]:
    if len(between) > _STRETCH_MAX:
        return {}
    records = [json.loads(each.bytes) for each in between]
    return {record["seq"]: (record["seq"], record["prev"], record["hash"]) for record in records}


def _is_meant(each: Entry, scope: Scope) -> bool:
    """Whether it is a reading of this patient and program, measured in the period, or undated and received in it."""
    # A patient's reference is plain ASCII, so its key and value stand in the canonical bytes as they are.
    if f'"patient":"{scope.enrolment.patient}"'.encode() not in each.bytes:
        return False
    record = each.record
    if record["patient"] != scope.enrolment.patient or record["program"] not in (scope.enrolment.program.value, None):
        return False
    at_ms = each.received_ms if record["measured_at"] is None else to_ms_text(record["measured_at"])
    return scope.period.open_ms <= at_ms < scope.period.close_ms


async def _history(store: Store, patient: str) -> list[Entry]:
    """Records of the registry that concern the patient: theirs, and those of the devices they were given."""
    records = await store.ledger(LEDGER_TYPES)
    own = {record["device"] for record in records if record["type"] == "assignment" and record["patient"] == patient}
    ids = [record["record_id"] for record in records if _concerns(record, patient, own)]
    entries = [await store.record(record_id) for record_id in ids]
    return [entry for entry in entries if entry is not None]


def _concerns(record: Mapping[str, Any], patient: str, devices: set[str]) -> bool:
    if record["type"] == "device":
        return record["device"] in devices
    return bool(record["patient"] == patient)


async def _events(store: Store, scope: Scope, now_ms: int) -> list[Entry]:
    """Issues that touch the period, who looked since it began, what the hub said of it."""
    patient, period = scope.enrolment.patient, scope.period
    issues = await store.events(troubles.PREFIX)
    lasting = {
        (issue.kind, issue.subject, utc_text(issue.start_ms))
        for issue in troubles.paired(entry.record for entry in issues)
        if issue.overlaps(period.open_ms, min(period.close_ms, now_ms + 1))
    }
    devices = {entry.record["device"] for entry in await _history(store, patient) if entry.type == "device"}
    kept = [entry for entry in issues if _of_issue(entry.record, lasting, devices)]
    looks = [
        entry
        for entry in await store.events(access.NAME)
        if access.concerns(entry.record, patient) and entry.received_ms >= period.open_ms
    ]
    lags = [entry for entry in await store.events("days.at_risk") if entry.record["patient"] == patient]
    faults = [entry for entry in await store.events("store.") if entry.received_ms >= period.open_ms]
    return sorted([*kept, *looks, *lags, *faults], key=lambda entry: entry.seq)


def _of_issue(record: Mapping[str, Any], lasting: set[tuple[str, str, str]], devices: set[str]) -> bool:
    key = (record["issue"], record["subject"], record["start"])
    return key in lasting and (record["issue"] not in troubles.OF_DEVICES or record["subject"] in devices)


def _items(entries: Iterable[Entry]) -> tuple[Json, ...]:
    return tuple(
        {
            "record": entry.record,
            "state": entry.state.value,
            "acked_at": utc_text(entry.settled_ms)
            if entry.state is State.ACCEPTED and entry.settled_ms is not None
            else None,
            "reason": entry.reason,
        }
        for entry in entries
    )


def _links(records: Sequence[Mapping[str, Any]], told: Mapping[int, Link]) -> list[Json]:
    """What connects our records: each link of a short stretch, the two ends of a long one."""
    links: list[Json] = []
    for earlier, later in pairwise(records):
        first, last = earlier["seq"] + 1, later["seq"] - 1
        if first > last:
            continue
        each = [told.get(seq) for seq in range(first, min(last, first + _STRETCH_MAX) + 1)]
        if last - first < _STRETCH_MAX and None not in each:
            links += [_link(link[0], link[0], link[1], link[2]) for link in each if link]
        else:
            links.append(_link(first, last, earlier["hash"], later["prev"]))
    return links


def _link(first: int, last: int, prev: str, digest: str) -> Json:
    return {"seq": first, "to_seq": last, "prev": prev, "hash": digest}
