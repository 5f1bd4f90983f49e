"""Records on their way out: batches, the backend's word on them, and the way back to waiting."""

import json
from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from buffer.known import FIND, id_key
from buffer.rows import ACCEPTED, BATCHED, REFUSED, WAITING, Settlement
from gateway.core.batch import Batch, Outcome, Status

if TYPE_CHECKING:
    from sqlite3 import Connection

_SEQ_MAX = 2**63 - 1  # SQLite's largest integer; an answer may ask for more
_STORED = "SELECT batch_id, hub, seqs FROM batch ORDER BY seq_first"
_OLDEST = "SELECT seq FROM standing INDEXED BY waiting WHERE state = 0 ORDER BY seq LIMIT ?"
_NEWEST = "SELECT seq FROM standing INDEXED BY waiting WHERE state = 0 ORDER BY seq DESC LIMIT ?"
_SIZES = "SELECT seq, length(bytes) FROM record WHERE seq IN (SELECT value FROM json_each(?))"
_CONTENT = "SELECT bytes, record_id FROM record WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq"
_IDS = "SELECT record_id, seq FROM record WHERE seq IN (SELECT value FROM json_each(?))"
_STAND = "UPDATE standing SET state = ?, settled_ms = ? WHERE seq IN (SELECT value FROM json_each(?))"
_STORE = "INSERT INTO batch VALUES (?, ?, ?, ?, ?)"
_TALLY = "UPDATE head SET waiting = waiting + ?, batched = batched + ?, accepted = accepted + ?, refused = refused + ?"
_DEAD = f"SELECT seq FROM refused JOIN record USING (seq) WHERE seq IN ({FIND}) AND record_id = ?"  # noqa: S608 -- a constant
_AGAIN = (
    "UPDATE standing SET state = 0, settled_ms = NULL WHERE state = 2 AND seq BETWEEN ? AND ?"  # accepted -> waiting
)


def next_batch(  # noqa: PLR0913 -- the order, the limits, and what is in hand already: all the caller's
    db: "Connection",
    hub: bytes,
    records_max: int,
    bytes_max: int,
    *,
    newest_first: bool,
    in_hand: Container[str],
    now_ms: int,
) -> Batch | None:
    """The oldest stored batch that is not in hand, else a new one from what waits; None where nothing does."""
    for batch_id, stored_hub, stored_seqs in db.execute(_STORED).fetchall():
        if batch_id not in in_hand:
            return _read(db, batch_id, stored_hub, stored_seqs)
    seqs = _choose(db, records_max, bytes_max, newest_first=newest_first)
    if not seqs:
        return None
    batch_id = _store(db, seqs, hub, now_ms)
    _stand(db, seqs, BATCHED, None)
    _tally(db, waiting=-len(seqs), batched=len(seqs))
    return _read(db, batch_id, hub, json.dumps(seqs))


def _choose(db: "Connection", records_max: int, bytes_max: int, *, newest_first: bool) -> list[int]:
    """What waits, in the order asked for, until a limit is met; at least one record where any waits."""
    order = _NEWEST if newest_first else _OLDEST
    seqs = [row[0] for row in db.execute(order, (max(records_max, 1),))]
    sizes = dict(db.execute(_SIZES, (json.dumps(seqs),)))
    chosen: list[int] = []
    room = bytes_max
    for seq in seqs:
        room -= sizes[seq]
        if chosen and room < 0:
            break
        chosen.append(seq)
    return sorted(chosen)


def _store(db: "Connection", seqs: list[int], hub: bytes, made_ms: int) -> str:
    batch_id = uuid4().hex
    db.execute(_STORE, (batch_id, seqs[0], made_ms, hub, json.dumps(seqs)))
    return batch_id


def _read(db: "Connection", batch_id: str, hub: bytes, seqs: str) -> Batch:
    rows = db.execute(_CONTENT, (seqs,)).fetchall()
    return Batch(batch_id, bytes(hub), tuple(bytes(row[0]) for row in rows), tuple(row[1] for row in rows))


def settle(db: "Connection", batch_id: str, outcomes: Sequence[Outcome], now_ms: int) -> Settlement:
    """Write the backend's word on each record; the batch is no more. Of two words on one record the first counts."""
    stored = db.execute("SELECT seqs FROM batch WHERE batch_id = ?", (batch_id,)).fetchone()
    if stored is None:
        return Settlement(unknown=len(outcomes))
    left: dict[str, int] = dict(db.execute(_IDS, stored))
    accepted: list[int] = []
    refused: list[tuple[int, str]] = []
    unknown = 0
    for outcome in outcomes:
        seq = left.pop(outcome.record_id, None)
        if seq is None:
            unknown += 1
        elif outcome.status is Status.REFUSED:
            refused.append((seq, outcome.reason or "no reason given"))
        else:
            accepted.append(seq)
    _stand(db, accepted, ACCEPTED, now_ms)
    _refuse(db, refused, now_ms)
    _stand(db, list(left.values()), WAITING, None)
    db.execute("DELETE FROM batch WHERE batch_id = ?", (batch_id,))
    settled = Settlement(len(accepted), len(refused), len(left), unknown)
    _tally(db, settled.waiting, -len(accepted) - len(refused) - len(left), settled.accepted, settled.refused)
    return settled


def _refuse(db: "Connection", refused: list[tuple[int, str]], now_ms: int) -> None:
    _stand(db, [seq for seq, _ in refused], REFUSED, now_ms)
    db.executemany("INSERT INTO refused VALUES (?, ?)", refused)


def split(db: "Connection", batch_id: str, now_ms: int) -> tuple[str, ...]:
    """Two stored batches in place of one, and their ids; none where the batch is not there or holds one record."""
    stored = db.execute("SELECT hub, seqs FROM batch WHERE batch_id = ?", (batch_id,)).fetchone()
    seqs: list[int] = json.loads(stored[1]) if stored else []
    if len(seqs) <= 1:
        return ()
    middle = len(seqs) // 2
    db.execute("DELETE FROM batch WHERE batch_id = ?", (batch_id,))
    return tuple(_store(db, half, bytes(stored[0]), now_ms) for half in (seqs[:middle], seqs[middle:]))


def send_again(db: "Connection", ranges: Iterable[tuple[int, int]]) -> int:
    """Accepted records of these ranges (both ends included) wait again; how many there were."""
    bounded = ((max(first, 1), min(last, _SEQ_MAX)) for first, last in ranges)
    count: int = sum(db.execute(_AGAIN, pair).rowcount for pair in bounded)
    _tally(db, waiting=count, accepted=-count)
    return count


def retry(db: "Connection", record_id: str) -> bool:
    """A refused record waits again; whether there was such a one."""
    key = id_key(record_id)
    found = db.execute(_DEAD, (key, key, record_id)).fetchone()
    if found is None:
        return False
    db.execute("DELETE FROM refused WHERE seq = ?", found)
    _stand(db, [found[0]], WAITING, None)
    _tally(db, waiting=1, refused=-1)
    return True


def _stand(db: "Connection", seqs: list[int], state: int, settled_ms: int | None) -> None:
    if seqs:
        db.execute(_STAND, (state, settled_ms, json.dumps(seqs)))


def _tally(db: "Connection", waiting: int = 0, batched: int = 0, accepted: int = 0, refused: int = 0) -> None:
    db.execute(_TALLY, (waiting, batched, accepted, refused))
