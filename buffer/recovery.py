"""
Start-up is recovery: what is checked, and what becomes of a file that is damaged.

SQLite replays its own log. After a crash the end of the chain is checked at once (`_TAIL_RECORDS`), since only pages
lately written can be torn, and the whole of it later, a slice at a time, while the store serves.

A page that turns out damaged later is told (`Stats.damage`) and the rest is served, unless the writer itself meets it:
then the daemon leaves, and the next start moves the file aside, since it would meet that page again and again.

A damaged file is never mended in place and never deleted: it is moved to `quarantine/` with its log, and a new store
continues its numbers where the end of its chain can still be read.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlcipher3 import dbapi2

from buffer.connection import beside, connect
from buffer.migrations import is_current, migrate
from buffer.rows import STATES
from buffer.trouble import is_damage
from gateway.core.record import verify
from gateway.core.time import Instant

if TYPE_CHECKING:
    from pathlib import Path
    from sqlite3 import Connection

    from buffer.options import BufferOptions

_TAIL_RECORDS = 100  # at most one group of COMMITs; some milliseconds
_MARK = ".damaged"
_APART_S = 120.0  # a large store on a slow card; where it takes longer, this process does it again
_HASH_KEY = b'"hash":"'
_HASH_DIGITS = 64


class Damage(Exception):
    """The content is not what was written. Never leaves this package."""


@dataclass(frozen=True, slots=True)
class Opened:
    """`quarantined` is the name of the file that was moved aside, `was_clean` whether the last daemon closed it."""

    db: "Connection"
    was_clean: bool
    quarantined: str | None = None


def open_checked(options: "BufferOptions", now: Instant, *, apart: bool = False) -> Opened:
    """The writing connection on a store that is up to date and sound at its end."""
    db = _connect_migrated(options) if apart else connect(options)
    try:
        _check_mark(options.path)
        return Opened(db, _begin(db))
    except (Damage, dbapi2.DatabaseError) as error:
        if not isinstance(error, Damage) and not is_damage(error):
            db.close()
            raise
    head = _salvaged_head(db)
    db.close()
    name = _quarantine(options.path, now)
    db = connect(options)
    _begin(db)
    if head:
        db.execute("UPDATE head SET seq = ?, hash = ?", head)
    return Opened(db, was_clean=True, quarantined=name)


def _connect_migrated(options: "BufferOptions") -> "Connection":
    """
    The writing connection; a store that is behind is brought up to date by a process of its own.

    sqlite-utils is needed for a second at the first start and after an update, and would cost this one 8 MiB for as
    long as it runs. Where that process fails, the migration is done here and its error is the one that is told.
    """
    db = connect(options)
    if is_current(db):
        return db
    db.close()
    secret = [options.key.kind, options.key.name] if options.key else []
    command = [sys.executable, "-m", "buffer.apart", str(options.path), *secret]
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(command, check=False, timeout=_APART_S, stderr=subprocess.DEVNULL)  # noqa: S603 -- our own
    return connect(options)


def mark_damaged(path: "Path") -> None:
    """Let the next start move the file aside."""
    with suppress(OSError):  # a disk that takes no mark: the next start finds out by itself
        beside(path, _MARK).touch(mode=0o600)


def _check_mark(path: "Path") -> None:
    if beside(path, _MARK).exists():
        raise Damage("The last run met a damaged page.")


def _begin(db: "Connection") -> bool:
    """Bring the schema up to date and note that the store is open; whether it was closed well."""
    migrate(db)
    was_clean = bool(db.execute("SELECT is_clean FROM head").fetchone()[0])
    if not was_clean:
        _check_tail(db)
    db.execute("UPDATE head SET is_clean = 0")
    return was_clean


def _check_tail(db: "Connection") -> None:
    newest, end = db.execute("SELECT seq, hash FROM head").fetchone()
    rows = db.execute("SELECT seq, bytes FROM record ORDER BY seq DESC LIMIT ?", (_TAIL_RECORDS,)).fetchall()
    check_chain(rows[::-1])
    if rows and (rows[0][0] > newest or (rows[0][0] == newest and json.loads(rows[0][1])["hash"] != end)):
        raise Damage("The end of the chain is not where the head says.")


def check_chain(rows: list[tuple[int, bytes]]) -> None:
    """Raise Damage unless each record has its own hash, and that of the record before it where that is there too."""
    seq_before, hash_before = 0, ""
    for seq, text in rows:
        digest = _digest(text)
        if digest is None:
            raise Damage(f"Record {seq} does not have its hash.")
        if seq == seq_before + 1 and hash_before and f'"prev":"{hash_before}"'.encode() not in text:
            raise Damage(f"Record {seq} does not follow the one before it.")
        seq_before, hash_before = seq, digest


def _digest(text: bytes) -> str | None:
    """The hash a record carries, if it is its own. Cutting it out of the bytes is far cheaper than parsing them."""
    start = text.find(_HASH_KEY)
    end = start + len(_HASH_KEY) + _HASH_DIGITS
    digest = text[start + len(_HASH_KEY) : end].decode("ascii", "replace")
    if sha256(text[:start] + text[end + 2 :]).hexdigest() == digest:
        return digest
    try:
        record = json.loads(text)
    except ValueError:
        return None
    return record["hash"] if verify(record) else None


def slices(seq_last: int, records: int) -> Iterator[tuple[int, int]]:
    """Ranges of seq, each of so many numbers, that cover everything up to `seq_last`."""
    return ((first, first + records - 1) for first in range(1, seq_last + 1, records))


def inspect(db: "Connection", first: int, last: int) -> None:
    """Raise Damage, or SQLite's own error, unless these records are sound."""
    check_chain(
        db.execute("SELECT seq, bytes FROM record WHERE seq BETWEEN ? AND ? ORDER BY seq", (first, last)).fetchall()
    )


def inspect_tallies(db: "Connection") -> None:
    """Raise Damage unless the counts are those of the rows."""
    told = db.execute("SELECT waiting, batched, accepted, refused FROM head").fetchone()
    counted = dict(db.execute("SELECT state, count(*) FROM standing GROUP BY state"))
    if list(told) != [counted.get(state, 0) for state in range(len(STATES))]:
        raise Damage("The counts are not those of the rows.")


def _salvaged_head(db: "Connection") -> tuple[int, str] | None:
    """The end of the chain, where that page can still be read."""
    try:
        row: tuple[int, str] | None = db.execute("SELECT seq, hash FROM head").fetchone()
    except dbapi2.DatabaseError:
        return None
    return row


def _quarantine(path: "Path", now: Instant) -> str:
    """Move the file and its log aside; the new name."""
    folder = path.parent / "quarantine"
    folder.mkdir(mode=0o700, exist_ok=True)
    stamp = now.text.replace(":", "").replace("-", "")
    name = f"{path.name}.{stamp}"
    for ending in ("", "-wal"):
        part = beside(path, ending)
        if part.exists():
            part.rename(folder / f"{name}{ending}")
    for ending in ("-shm", _MARK):
        beside(path, ending).unlink(missing_ok=True)
    return name
