"""
What is held of a hub's chain, what is missing, and which missing ranges to ask for.

A span is an unbroken stretch of records; every link inside it was verified. Gaps lie below the highest record seen,
from number 1 on.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from gateway.core.record import GENESIS
from uploader.receiver.options import Asking


class Range(NamedTuple):
    """Sequence numbers, both ends included."""

    first: int
    last: int


def misfit(db: sqlite3.Connection, hub: str, record: dict[str, Any]) -> str | None:
    """Why a record does not fit its neighbours in the chain; None where it does or where they are not here."""
    seq = record["seq"]
    if seq == 1:
        if record["prev"] != GENESIS:
            return "It is the first record of its hub, and its prev is not 64 zeros."
    elif (before := _link(db, hub, seq - 1)) is not None and before["hash"] != record["prev"]:
        return f"Its prev is not the hash of record {seq - 1}; the chain was altered or begun anew."
    after = _link(db, hub, seq + 1)
    if after is not None and after["prev"] != record["hash"]:
        return f"Its hash is not the prev of record {seq + 1}; the chain was altered or begun anew."
    return None


def _link(db: sqlite3.Connection, hub: str, seq: int) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        "SELECT prev, hash FROM record WHERE hub = ? AND seq = ?", (hub, seq)
    ).fetchone()
    return row


def extend(db: sqlite3.Connection, hub: str, seqs: Iterable[int]) -> None:
    """Enter numbers that were not held before into the spans."""
    for run in _runs(sorted(seqs)):
        first, last = run
        left = db.execute(
            "SELECT first, last FROM span WHERE hub = ? AND first < ? ORDER BY first DESC LIMIT 1", (hub, first)
        ).fetchone()
        right = db.execute("SELECT last FROM span WHERE hub = ? AND first = ?", (hub, last + 1)).fetchone()
        if right is not None:
            db.execute("DELETE FROM span WHERE hub = ? AND first = ?", (hub, last + 1))
            last = right["last"]
        if left is not None and left["last"] == first - 1:
            first = left["first"]
        db.execute("INSERT OR REPLACE INTO span (hub, first, last) VALUES (?, ?, ?)", (hub, first, last))


def _runs(seqs: list[int]) -> Iterator[Range]:
    """Sorted numbers as unbroken runs."""
    start = 0
    for at in range(1, len(seqs) + 1):
        if at == len(seqs) or seqs[at] != seqs[at - 1] + 1:
            yield Range(seqs[start], seqs[at - 1])
            start = at


def spans(db: sqlite3.Connection, hub: str, limit: int) -> list[Range]:
    """The lowest unbroken stretches."""
    rows = db.execute("SELECT first, last FROM span WHERE hub = ? ORDER BY first LIMIT ?", (hub, limit))
    return [Range(*row) for row in rows]


_GAPS = """
    SELECT * FROM (
        SELECT coalesce(lag(last) OVER (ORDER BY first), 0) + 1 AS first, first - 1 AS last FROM span WHERE hub = ?
    ) WHERE first <= last ORDER BY first LIMIT ?
"""


def gaps(db: sqlite3.Connection, hub: str, limit: int) -> list[Range]:
    """The lowest missing ranges below the highest record seen."""
    return [Range(*row) for row in db.execute(_GAPS, (hub, limit))]


def ask(db: sqlite3.Connection, hub: str, asking: Asking, now_ms: int) -> list[Range]:
    """
    The missing ranges to ask for now; remembers that they were.

    A gap that shrank or was split inherits how often it was asked for, so that no order of arrival makes a range be
    asked for more than `times_max` times.
    """
    open_gaps = gaps(db, hub, asking.ranges_max)
    if not open_gaps:
        db.execute("DELETE FROM asked WHERE hub = ?", (hub,))
    return [gap for gap in open_gaps if _due(db, hub, gap, asking, now_ms)]


def _due(db: sqlite3.Connection, hub: str, gap: Range, asking: Asking, now_ms: int) -> bool:
    times, next_ms = db.execute(
        """SELECT coalesce(max(times), 0), coalesce(max(next_ms), 0) FROM asked
           WHERE hub = ? AND first <= ? AND last >= ?""",
        (hub, gap.last, gap.first),
    ).fetchone()
    if times >= asking.times_max or now_ms < next_ms:
        return False
    later_ms = now_ms + asking.spacing_s * 1000 * 2**times
    db.execute("INSERT OR REPLACE INTO asked VALUES (?, ?, ?, ?, ?)", (hub, *gap, times + 1, later_ms))
    return True
