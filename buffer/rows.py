"""What is read from the store, and the words its columns use."""

import json
from dataclasses import dataclass
from typing import Any, Final

from gateway.core.batch import State

# The codes of standing.state.
WAITING, BATCHED, ACCEPTED, REFUSED = range(4)
STATES: Final = (State.WAITING, State.BATCHED, State.ACCEPTED, State.REFUSED)

# What the registry is rebuilt from: kept for ever.
LASTING: Final = frozenset({"device", "assignment", "enrolment", "setup"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One record and where it stands. `bytes` is its canonical JSON, as it is uploaded."""

    seq: int
    record_id: str
    type: str
    state: State
    received_ms: int
    settled_ms: int | None
    reason: str | None
    bytes: bytes

    @property
    def record(self) -> dict[str, Any]:
        """The record itself."""
        record: dict[str, Any] = json.loads(self.bytes)
        return record


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an answer changed. `waiting` had no outcome; `unknown` outcomes named no record of the batch."""

    accepted: int = 0
    refused: int = 0
    waiting: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """
    The store at a glance.

    oldest_unsent_ms  when the oldest record that no backend has settled was received; None where there is none
    newest_seq        the last number given; 0 in an empty store
    database_bytes    the file, with free pages; log_bytes: the write-ahead log beside it
    used_bytes        what counts against size_max_bytes
    bytes_written     what COMMIT wrote to the log since the start; a checkpoint writes each changed page once more
    last_commit_s     monotonic time of the last COMMIT; None before the first
    damage            one sentence, where a check after a crash found some
    """

    records: dict[State, int]
    newest_seq: int
    oldest_unsent_ms: int | None
    database_bytes: int
    log_bytes: int
    used_bytes: int
    size_max_bytes: int
    is_full: bool
    bytes_written: int
    last_commit_s: float | None
    sqlite_version: str
    damage: str | None
