"""Drafts to records: who is there already, the next places in the chain, the rows."""

from typing import TYPE_CHECKING

from buffer.known import Known, id_key
from buffer.rows import LASTING, WAITING
from gateway.core.record import chain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection

    from gateway.core.reading import Draft

_KEEP, _KEPT = "INSERT INTO record VALUES", "(?, ?, ?, ?)"
_STAND, _STANDS = "INSERT INTO standing VALUES", "(?, ?, ?, NULL, ?, ?)"
# Rows of one INSERT. Every statement gives up the interpreter and has to get it back from a loop that is decoding.
_ROWS = 64
_HEAD = "UPDATE head SET seq = ?, hash = ?, waiting = waiting + ?"
_HEARD = "SELECT 1 FROM once WHERE key = ? AND heard_ms BETWEEN ? AND ?"
_HEAR = "INSERT OR REPLACE INTO once VALUES (?, ?, ?)"
# A redelivery asks an hour back (gateway.intake), however short the window of the first delivery was.
_REMEMBERED_MS = 3_600_000


def keep(db: "Connection", known: Known, drafts: "Sequence[Draft]") -> list[bool]:
    """
    Keep the drafts that are new, in order; for each whether it was.

    Raises BadInput for a body that has no canonical form; the caller rolls back.
    """
    keys = [id_key(draft.record_id) for draft in drafts]
    there = known.among(db, keys)
    seq, prev = db.execute("SELECT seq, hash FROM head").fetchone()
    answers: list[bool] = []
    records: list[tuple[int, str, str, bytes]] = []
    standings: list[tuple[int, int, int, bool, int]] = []
    for draft, key in zip(drafts, keys, strict=True):
        is_new = draft.record_id not in there and not _is_repeat(db, draft)
        answers.append(is_new)
        if not is_new:
            continue
        there.add(draft.record_id)
        seq += 1
        known.add(key, seq)
        text, prev = chain(draft.body, record_id=draft.record_id, type_=draft.type, seq=seq, prev=prev)
        records.append((seq, draft.record_id, draft.type, text))
        standings.append((seq, WAITING, draft.received_ms, draft.type in LASTING, key))
    if records:
        _insert(db, _KEEP, _KEPT, records)
        _insert(db, _STAND, _STANDS, standings)
        db.execute(_HEAD, (seq, prev, len(records)))
    return answers


def _insert(db: "Connection", verb: str, row: str, rows: "Sequence[tuple[object, ...]]") -> None:
    """Insert the rows with few statements."""
    for at in range(0, len(rows), _ROWS):
        some = rows[at : at + _ROWS]
        db.execute(f"{verb} {', '.join([row] * len(some))}", [value for each in some for value in each])


def _is_repeat(db: "Connection", draft: "Draft") -> bool:
    """
    Whether an equal event without number or time was heard just now; if not, it is heard now.

    The window begins with the record that was kept and does not slide, so that equal values never merge without end.
    """
    if draft.once_key is None:
        return False
    heard_ms, window_ms = draft.received_ms, draft.once_ms
    if db.execute(_HEARD, (draft.once_key, heard_ms - window_ms, heard_ms + window_ms)).fetchone():
        return True
    db.execute(_HEAR, (draft.once_key, heard_ms, heard_ms + max(window_ms, _REMEMBERED_MS)))
    return False
