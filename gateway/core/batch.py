"""What leaves the hub and what comes back. Shared by buffer and uploader, which do not know each other."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a record stands on its way out."""

    WAITING = "waiting"
    BATCHED = "batched"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Batch:
    """
    Records that travel together, stored before they are first sent, so that every retry has the same bytes.

    hub       canonical JSON of the `hub` object as it was when the batch was made
    records   each record's canonical JSON, in order of seq
    ids       record ids, in the same order
    """

    batch_id: str
    hub: bytes
    records: tuple[bytes, ...]
    ids: tuple[str, ...]


class Status(StrEnum):
    """The backend's word on one record."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The backend's word on one record, with its reason where it refused."""

    record_id: str
    status: Status
    reason: str | None = None
