"""
A batch in, one answer out, in one transaction.

The answer is stored beside the records it speaks of: a retry with the same key and the same bytes hears the same, and a
crash between COMMIT and answer costs nothing but that retry.
"""

import hashlib
import json
import sqlite3
from typing import Any

from gateway.core.record import encode_plain
from uploader.receiver import chain
from uploader.receiver.delivery import Delivery, facts, fault
from uploader.receiver.options import Asking
from uploader.receiver.problem import unprocessable
from uploader.receiver.store import Store

# After a week a retry is answered record by record, all duplicates; the outcome is the same.
_ANSWERS_KEPT_MS = 7 * 24 * 3600 * 1000
_REFUSALS_SHOWN_MAX = 200  # for each hub; the refused records themselves stay on the hub

Result = dict[str, str]


def take(store: Store, delivery: Delivery, body: bytes, asking: Asking, now_ms: int) -> bytes:
    """Keep what can be kept; gives the answer's bytes once they are durable. Raises Problem 422 for a reused key."""
    digest = hashlib.sha256(body).digest()
    with store.writing() as db:
        earlier = _earlier_answer(db, delivery, digest)
        if earlier is not None:
            return earlier
        _greet(db, delivery, now_ms)
        results = _settle(db, delivery, now_ms)
        missing = chain.ask(db, delivery.hub, asking, now_ms)
        answer = json.dumps({"batch_id": delivery.batch_id, "results": results, "missing": missing}).encode()
        db.execute("DELETE FROM answer WHERE at_ms < ?", (now_ms - _ANSWERS_KEPT_MS,))
        db.execute("INSERT INTO answer VALUES (?, ?, ?, ?, ?)",
                   (delivery.hub, delivery.batch_id, digest, answer, now_ms))  # fmt: skip
    return answer


def _earlier_answer(db: sqlite3.Connection, delivery: Delivery, digest: bytes) -> bytes | None:
    row = db.execute(
        "SELECT body_sha256, answer FROM answer WHERE hub = ? AND batch_id = ?", (delivery.hub, delivery.batch_id)
    ).fetchone()
    if row is None:
        return None
    if row["body_sha256"] != digest:
        raise unprocessable("This batch_id was used before for other content; give each batch an id of its own.")
    return bytes(row["answer"])


def _greet(db: sqlite3.Connection, delivery: Delivery, now_ms: int) -> None:
    db.execute(
        """INSERT INTO hub VALUES (:hub, :site, :software, :now, :now) ON CONFLICT (hub) DO UPDATE
           SET site = :site, software = :software, last_seen_ms = max(last_seen_ms, :now)""",
        {"hub": delivery.hub, "site": delivery.site, "software": delivery.software, "now": now_ms},
    )


def _settle(db: sqlite3.Connection, delivery: Delivery, now_ms: int) -> list[Result]:
    """A result for each record, in the order they came."""
    results: list[Result] = []
    kept: list[int] = []
    for record in delivery.records:
        reason = fault(record)
        status = None if reason else _known(db, delivery.hub, record)
        if not (reason or status):
            reason = _stranger(db, delivery.hub, record) or chain.misfit(db, delivery.hub, record)
        if reason is not None:
            _refuse(db, delivery.hub, record, reason, now_ms)
            results.append({"record_id": record["record_id"], "status": "refused", "reason": reason})
            continue
        if status is None:
            status = _keep(db, delivery.hub, record, now_ms)
            kept.append(record["seq"])
        results.append({"record_id": record["record_id"], "status": status})
    chain.extend(db, delivery.hub, kept)
    return results


def _known(db: sqlite3.Connection, hub: str, record: dict[str, Any]) -> str | None:
    """`duplicate` where this very link of this hub's chain is here."""
    row = db.execute(
        "SELECT 1 FROM record WHERE hub = ? AND seq = ? AND hash = ?", (hub, record["seq"], record["hash"])
    ).fetchone()
    return "duplicate" if row else None


def _stranger(db: sqlite3.Connection, hub: str, record: dict[str, Any]) -> str | None:
    """Why a record new to us contradicts what this hub sent before."""
    seq = record["seq"]
    if db.execute("SELECT 1 FROM record WHERE hub = ? AND seq = ?", (hub, seq)).fetchone():
        return (
            f"This hub has already sent another record as number {seq}; "
            "a hub whose store began anew needs a hub id of its own."
        )
    row = db.execute("SELECT seq FROM record WHERE record_id = ? AND hub = ?", (record["record_id"], hub)).fetchone()
    return f"This hub has already sent this record_id as number {row['seq']}." if row else None


def _keep(db: sqlite3.Connection, hub: str, record: dict[str, Any], now_ms: int) -> str:
    """Enter a link; `duplicate` where another hub has already told of the same event."""
    other = db.execute("SELECT 1 FROM record WHERE record_id = ?", (record["record_id"],)).fetchone()
    db.execute(
        "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (hub, record["seq"], record["record_id"], record["type"], record["prev"], record["hash"],
         encode_plain(record).decode(), now_ms, *facts(record)),
    )  # fmt: skip
    return "duplicate" if other else "accepted"


def _refuse(db: sqlite3.Connection, hub: str, record: dict[str, Any], reason: str, now_ms: int) -> None:
    """Remember a refusal for people; the oldest beyond the limit go."""
    seq = record.get("seq")
    number = seq if type(seq) is int and abs(seq) < 2**53 else None
    db.execute("INSERT INTO refusal (hub, record_id, seq, reason, at_ms) VALUES (?, ?, ?, ?, ?)",
               (hub, record["record_id"], number, reason, now_ms))  # fmt: skip
    db.execute(
        """DELETE FROM refusal WHERE hub = ?1 AND id <= (
               SELECT id FROM refusal WHERE hub = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)""",
        (hub, _REFUSALS_SHOWN_MAX),
    )
