"""
Who looked at or changed what belongs to a patient, when: events `access` on the ledger.

A look is told once an hour for each person, command and patient (its record id is those four, so the store knows it
again): a screen that refreshes every second leaves one line an hour. A change is told each time.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from gateway.core.reading import Draft
from gateway.core.record import canonical
from gateway.core.time import utc_text

NAME = "access"
# What only shows; every other command changes something. A visit of `setup` tells each step in records of its own.
LOOKS = frozenset({"status", "days", "evidence", "queue.show", "setup"})
EVERYONE = "*"  # a screen with every patient of the hub on it
_WINDOW_MS = 3_600_000
_UNNAMED = "unknown"


def access_draft(who: str | None, what: str, patient: str, now_ms: int) -> Draft:
    """The record of one access; `patient` is a reference, or EVERYONE."""
    window_ms = now_ms // _WINDOW_MS * _WINDOW_MS if what in LOOKS else now_ms
    body = {"name": NAME, "who": who or _UNNAMED, "what": what, "patient": patient}
    digest = sha256(canonical({**body, "window": utc_text(window_ms)})).hexdigest()
    return Draft(digest, "event", {**body, "at": utc_text(now_ms)}, now_ms)


def concerns(event: Mapping[str, Any], patient: str) -> bool:
    """Whether an event tells of an access to this patient."""
    return event.get("name") == NAME and event.get("patient") in (patient, EVERYONE)


def access_rows(events: Iterable[Mapping[str, Any]], patient: str) -> list[dict[str, Any]]:
    """The access log of a patient, in the order of the ledger."""
    return [
        {"at": event["at"], "who": event["who"], "what": event["what"], "seq": event["seq"]}
        for event in events
        if concerns(event, patient)
    ]
