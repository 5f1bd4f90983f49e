"""Looking without disturbing: one thread, one connection that cannot write, short transactions."""

import asyncio
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from sqlcipher3 import dbapi2

from buffer.connection import beside, connect_reader
from buffer.known import FIND, id_key
from buffer.rows import STATES, Entry
from buffer.trouble import translated

if TYPE_CHECKING:
    from sqlite3 import Connection

    from buffer.options import BufferOptions

T = TypeVar("T")

_WAITS = """
    SELECT seq, record_id, type, state, received_ms, settled_ms, NULL, bytes FROM standing JOIN record USING (seq)
    WHERE seq IN (SELECT seq FROM standing INDEXED BY waiting WHERE state = 0 ORDER BY seq LIMIT ?) ORDER BY seq
"""
_REFUSED = """
    SELECT seq, record_id, type, state, received_ms, settled_ms, reason, bytes
    FROM refused JOIN standing USING (seq) JOIN record USING (seq) ORDER BY seq LIMIT ?
"""
_ONE = f"""
    SELECT seq, record_id, type, state, received_ms, settled_ms, reason, bytes
    FROM record JOIN standing USING (seq) LEFT JOIN refused USING (seq)
    WHERE seq IN ({FIND}) AND record_id = ? ORDER BY seq DESC LIMIT 1
"""  # noqa: S608 -- a constant
_LASTING = "SELECT bytes FROM record WHERE type <> 'reading' AND type IN (SELECT value FROM json_each(?)) ORDER BY seq"
_ALL = "SELECT bytes FROM record WHERE type IN (SELECT value FROM json_each(?)) ORDER BY seq"
_READINGS_AFTER = """
    SELECT seq, record_id, type, state, received_ms, settled_ms, reason, bytes
    FROM record JOIN standing USING (seq) LEFT JOIN refused USING (seq)
    WHERE seq > ? AND type = 'reading' ORDER BY seq LIMIT ?
"""
_OLDEST_UNSENT = """
    SELECT received_ms FROM standing WHERE seq = (SELECT min(seq) FROM (
        SELECT * FROM (SELECT seq FROM standing INDEXED BY waiting WHERE state = 0 ORDER BY seq LIMIT 1)
        UNION ALL SELECT min(seq_first) FROM batch))
"""


class Reader:
    """Opened when the first question comes; a daemon that is never asked pays nothing for it."""

    def __init__(self, options: "BufferOptions") -> None:
        self._options = options
        self._db: Connection | None = None
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="buffer-reader")

    async def ask(self, question: "Callable[[Connection], T]") -> T:
        """The answer of a question that reads; raises StoreBroken where the file cannot be read."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, question)

    def close(self) -> None:
        """Wait for the question in hand, drop the others, close the connection."""
        self._pool.shutdown(cancel_futures=True)
        self._drop()

    def _answer(self, question: "Callable[[Connection], T]") -> T:
        try:
            if self._db is None:
                self._db = connect_reader(self._options)
            return self._whole(self._db, question)
        except dbapi2.Error as error:
            self._drop()  # SQLCipher answers nothing more on a connection that met a damaged page
            raise translated(error) from error

    def _drop(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    @staticmethod
    def _whole(db: "Connection", question: "Callable[[Connection], T]") -> T:
        """One transaction, so that the answer's parts belong together; it ends before the answer is used."""
        db.execute("BEGIN")
        try:
            return question(db)
        finally:
            db.execute("ROLLBACK")


def waiting(db: "Connection", limit: int) -> list[Entry]:
    """The oldest that wait."""
    return [_entry(row) for row in db.execute(_WAITS, (limit,))]


def refused(db: "Connection", limit: int) -> list[Entry]:
    """The oldest that the backend refused, with its reason."""
    return [_entry(row) for row in db.execute(_REFUSED, (limit,))]


def entry(db: "Connection", record_id: str) -> Entry | None:
    """One record and where it stands."""
    key = id_key(record_id)
    row = db.execute(_ONE, (key, key, record_id)).fetchone()
    return _entry(row) if row else None


def readings_after(db: "Connection", seq: int, limit: int) -> list[Entry]:
    """The first readings kept after a number."""
    return [_entry(row) for row in db.execute(_READINGS_AFTER, (seq, limit))]


def ledger(db: "Connection", types: Iterable[str]) -> list[dict[str, Any]]:
    """The records of these types, in order; a list with `reading` in it reads the whole store."""
    wanted = sorted(types)
    select = _ALL if "reading" in wanted else _LASTING
    return [json.loads(row[0]) for row in db.execute(select, (json.dumps(wanted),))]


def figures(db: "Connection", options: "BufferOptions") -> dict[str, Any]:
    """The part of Stats that is read from the file."""
    newest, *counts = db.execute("SELECT seq, waiting, batched, accepted, refused FROM head").fetchone()
    oldest = db.execute(_OLDEST_UNSENT).fetchone()
    pages, free, page_bytes = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
    )
    log_bytes = _size(options)
    return {
        "records": dict(zip(STATES, counts, strict=True)),
        "newest_seq": newest,
        "oldest_unsent_ms": oldest[0] if oldest else None,
        "database_bytes": pages * page_bytes,
        "log_bytes": log_bytes,
        "used_bytes": (pages - free) * page_bytes + log_bytes,
        "size_max_bytes": options.size_max_bytes,
    }


def _size(options: "BufferOptions") -> int:
    try:
        return beside(options.path, "-wal").stat().st_size
    except FileNotFoundError:
        return 0


def _entry(row: tuple[Any, ...]) -> Entry:
    seq, record_id, type_, state, received_ms, settled_ms, reason, text = row
    return Entry(seq, record_id, type_, STATES[state], received_ms, settled_ms, reason, bytes(text))
