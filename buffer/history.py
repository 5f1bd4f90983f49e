"""
Looking back: what was kept, in the order it was kept.

There is no index by patient. One would write a page more with every reading, for the life of the card, and for a
fleet a page for each patient of a burst; what asks (a day ledger, an evidence packet) is asked a few times a month. A
question walks the numbers from where its period began instead, in short transactions, and the daemon's own tally walks
only what is new. On a home's hub a period is some hundred records; with a thousand patients sixty thousand, a second.
"""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from buffer.rows import STATES, Entry

if TYPE_CHECKING:
    from sqlite3 import Connection

_FOLLOW = """
    SELECT seq, record_id, type, state, received_ms, settled_ms, reason, bytes
    FROM record JOIN standing USING (seq) LEFT JOIN refused USING (seq) WHERE seq > ? ORDER BY seq LIMIT ?
"""
_FIRST_SINCE = "SELECT min(seq) FROM standing WHERE received_ms >= ?"
_ACCEPTED_AMONG = "SELECT seq FROM standing WHERE state = 2 AND seq IN (SELECT value FROM json_each(?))"
_GONE_SINCE = """
    SELECT (SELECT seq FROM head) - first - (SELECT count(*) FROM standing WHERE seq > first)
    FROM (SELECT coalesce(max(seq), 0) AS first FROM standing WHERE received_ms < ?)
"""
_EVENTS = """
    SELECT seq, record_id, type, state, received_ms, settled_ms, reason, bytes
    FROM record JOIN standing USING (seq) LEFT JOIN refused USING (seq)
    WHERE record.type <> 'reading' AND record.type = 'event' AND instr(bytes, ?) ORDER BY seq
"""


def follow(db: "Connection", seq: int, limit: int) -> list[Entry]:
    """The first records after a number, of every type."""
    return [_entry(row) for row in db.execute(_FOLLOW, (seq, limit))]


def first_since(db: "Connection", received_ms: int) -> int | None:
    """The lowest number of a record received then or later; None where there is none."""
    seq: int | None = db.execute(_FIRST_SINCE, (received_ms,)).fetchone()[0]
    return seq


def gone_since(db: "Connection", received_ms: int) -> int:
    """How many records received since then are no longer here: purged, or left behind in a damaged file."""
    count: int = db.execute(_GONE_SINCE, (received_ms,)).fetchone()[0]
    return count


def events(db: "Connection", prefix: str) -> list[Entry]:
    """The events whose name begins so, in order."""
    # Canonical JSON: only a key can stand bare like this; in a text the quotes would be escaped.
    needle = f'"name":"{prefix}'.encode()
    return [_entry(row) for row in db.execute(_EVENTS, (needle,))]


def accepted_among(db: "Connection", seqs: Iterable[int]) -> list[int]:
    """Those of some records that the backend has accepted."""
    return [row[0] for row in db.execute(_ACCEPTED_AMONG, (json.dumps(list(seqs)),))]


def _entry(row: tuple[Any, ...]) -> Entry:
    seq, record_id, type_, state, received_ms, settled_ms, reason, text = row
    return Entry(seq, record_id, type_, STATES[state], received_ms, settled_ms, reason, bytes(text))
