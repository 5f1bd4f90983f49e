"""Drafts and stores for the tests of the buffer."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from buffer.options import BufferOptions
from buffer.store import Store, open_store
from gateway.core.batch import Outcome, Status
from gateway.core.reading import Draft
from gateway.core.secret import SecretRef
from tests.fakes.clock import START_MS, FakeClock

HUB = b'{"id":"hub-7","site":"home","software":"vitals-gateway/0.1.0"}'
KEY = "5AC3" * 16
PLANTED = "planted-words-nobody-else-writes"
MIB = 1024 * 1024


def options(folder: Path, size_max_bytes: int = 64 * MIB, retain_days: int = 90) -> BufferOptions:
    """An encrypted store in this folder."""
    key = folder / "key"
    key.write_text(KEY)
    return BufferOptions(folder / "store" / "buffer.db", size_max_bytes, retain_days, SecretRef("file", str(key)))


def opened(folder: Path, clock: FakeClock | None = None) -> AbstractAsyncContextManager[Store]:
    """The store in this folder."""
    return open_store(options(folder), clock or FakeClock(jumps=True))


def draft(number: int, type_: str = "reading", *, received_ms: int | None = None, size: int = 40) -> Draft:
    """The draft of one event: equal numbers are the same event."""
    body = {"value": str(number), "frame": PLANTED + "x" * size}
    return Draft(f"{number:064x}", type_, body, START_MS + number if received_ms is None else received_ms)


def drafts(*numbers: int, type_: str = "reading") -> list[Draft]:
    """Some of them."""
    return [draft(number, type_) for number in numbers]


def ids(*numbers: int) -> tuple[str, ...]:
    """Their record ids."""
    return tuple(f"{number:064x}" for number in numbers)


def accepted(*record_ids: str) -> list[Outcome]:
    """The backend took them."""
    return [Outcome(record_id, Status.ACCEPTED) for record_id in record_ids]
