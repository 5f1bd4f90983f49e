"""
How much room there is, what may go when there is none, and the headroom to say so.

The order of shedding: history the backend has accepted, oldest first, even inside retention; then nothing. An unsent or
refused record is never deleted to make room, and neither is what the registry is rebuilt from.
"""

import json
import os
from typing import TYPE_CHECKING

from buffer.connection import beside
from gateway.core.errors import StoreFull

if TYPE_CHECKING:
    from sqlite3 import Connection

    from buffer.options import BufferOptions

# Released when the disk is full, so that settling and purging can still write their few pages.
HEADROOM_BYTES = 4 * 1024 * 1024
# Above this the log is copied into the database: large enough that pages written often are copied once, small enough
# that a restart replays it in a moment.
LOG_MAX_BYTES = 4 * 1024 * 1024
# Records deleted in one transaction: appends waiting behind it wait for some milliseconds.
SLICE_RECORDS = 500
# On a full disk the log of one slice has to fit into the headroom.
_SLICE_FULL_RECORDS = 100
# Free pages left in the file for the next records; giving them back would write them twice.
_FREE_KEPT_PAGES = 256
# Pages between the point where appends are refused and the hard cap: room for settling.
_RESERVE_PAGES_MIN, _RESERVE_PAGES_MAX = 32, 1024

_HISTORY = "SELECT seq, id_key FROM standing INDEXED BY history WHERE state = 2 AND is_lasting = 0 AND received_ms < ?"
_EVER_MS = 2**63 - 1


class Space:
    """Belongs to the writer; `is_full` is read by others."""

    def __init__(self, options: "BufferOptions") -> None:
        self.is_full = False
        self._headroom = beside(options.path, ".headroom")
        self._headroom_bytes = min(HEADROOM_BYTES, options.size_max_bytes // 8)
        self._size_max_bytes = options.size_max_bytes
        self.log_max_bytes = min(LOG_MAX_BYTES, options.size_max_bytes // 4)
        self._soft_pages = self._hard_pages = 0
        self._wanted_pages = 0  # by the records refused last
        self._has_headroom = False

    def limit(self, db: "Connection") -> None:
        """Set the hard cap on the connection and put the headroom in place."""
        page_bytes = int(db.execute("PRAGMA page_size").fetchone()[0])  # text, from SQLCipher
        hard_pages = (self._size_max_bytes - self.log_max_bytes) // page_bytes
        reserve = min(_RESERVE_PAGES_MAX, max(_RESERVE_PAGES_MIN, hard_pages // 32))
        self._soft_pages, self._hard_pages = hard_pages - reserve, hard_pages
        db.execute(f"PRAGMA max_page_count = {hard_pages}").fetchall()
        self._has_headroom = self._reserve()

    def claim(self, db: "Connection") -> None:
        """Make sure that there is room for new records, shedding history if need be; raises StoreFull."""
        if not self._has_headroom:
            self._claim_disk(db)
        while used_pages(db) >= self._soft_pages:
            self.make_room(db)
        self.is_full = False

    def fits(self, db: "Connection", before_pages: int) -> bool:
        """Whether what was written in this transaction, on top of the pages before it, leaves the reserve untouched."""
        used = used_pages(db)
        does_fit = used <= self._soft_pages
        self._wanted_pages = 0 if does_fit else used - before_pages
        return does_fit

    def overflowed(self, before_pages: int) -> bool:
        """What was written on top of these pages met the hard cap: it does not fit."""
        self._wanted_pages = max(self._hard_pages - before_pages, 1)
        return False

    def make_room(self, db: "Connection") -> None:
        """Shed some history; raises StoreFull where there is none."""
        if not shed(db):
            self.is_full = True
            raise StoreFull("The store is full of records not yet sent; nothing new is taken until some are.")

    def _claim_disk(self, db: "Connection") -> None:
        """Take the headroom again before any record; while the disk has no room for it, give history's room back."""
        self._has_headroom = self._reserve()
        if self._has_headroom:
            return
        self.is_full = True
        shed(db, slice_=_SLICE_FULL_RECORDS)
        vacuum(db, 0)
        raise StoreFull("The disk is full; nothing new is taken until it has room.")

    def relieve(self) -> None:
        """The disk has no room: give up the headroom, so that what frees space can be written."""
        self.is_full = True
        self._has_headroom = False
        self._headroom.unlink(missing_ok=True)

    def look(self, db: "Connection") -> None:
        """Say whether there is room again, after something was written."""
        self._has_headroom = self._has_headroom or self._reserve()
        used = used_pages(db)
        has_room = used < self._soft_pages and used + self._wanted_pages <= self._soft_pages
        self.is_full = not (self._has_headroom and has_room)

    def _reserve(self) -> bool:
        if self._headroom.exists():
            return True
        disk = os.statvfs(self._headroom.parent)
        if disk.f_bavail * disk.f_frsize < 2 * self._headroom_bytes:
            return False
        try:
            file = os.open(self._headroom, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            os.posix_fallocate(file, 0, self._headroom_bytes)
        except OSError:
            self._headroom.unlink(missing_ok=True)
            return False
        finally:
            os.close(file)
        return True


def used_pages(db: "Connection") -> int:
    """Pages that hold something."""
    count: int = db.execute("PRAGMA page_count").fetchone()[0]
    free: int = db.execute("PRAGMA freelist_count").fetchone()[0]
    return count - free


def shed(db: "Connection", before_ms: int = _EVER_MS, slice_: int = SLICE_RECORDS) -> int:
    """Delete a slice of accepted history received before then, oldest first; how many records went."""
    rows = db.execute(f"{_HISTORY} ORDER BY received_ms LIMIT {slice_}", (before_ms,)).fetchall()
    if rows:
        db.executemany("DELETE FROM known WHERE seq = ? AND id_key = ?", rows)
        seqs = json.dumps([row[0] for row in rows])
        db.execute("DELETE FROM record WHERE seq IN (SELECT value FROM json_each(?))", (seqs,))
        db.execute("UPDATE head SET accepted = accepted - ?", (len(rows),))
    return len(rows)


def tidy(db: "Connection", now_ms: int) -> None:
    """Forget repeats that are over, and give free pages beyond a few back to the disk."""
    db.execute("DELETE FROM once WHERE until_ms < ?", (now_ms,))
    vacuum(db, _FREE_KEPT_PAGES)


def vacuum(db: "Connection", kept_pages: int) -> None:
    """Give free pages back to the disk but for so many; the file shrinks with the next checkpoint."""
    free = db.execute("PRAGMA freelist_count").fetchone()[0]
    if free > kept_pages:
        db.execute(f"PRAGMA incremental_vacuum({free - kept_pages})").fetchall()
