"""
Which record ids are there: the newest in memory, the others in a table they are filed into from time to time.

An index over ids that are hashes has its next entry on any of its pages: kept up to date with every record, it would
cost a page read and a page written for each once the store is large, as much as the record itself. So each record
carries its key in its own row (`standing.id_key`), the rows beyond `head.filed` are also held here, and thousands at a
time are filed into `known` in order of key, a slice of the keys in each transaction. A crash costs nothing: what is not
filed is read from the rows at the next start.

A key is 32 bits of a hash, so it only says where to look: ids are compared whole. A bit in memory for each value of a
key's first 24 bits says which keys need no look at the table: with a million records, 94 % of the new ones. The bits
are read from the table a slice at a time while the store works, so that the start does not wait for them.
"""

import json
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite3 import Connection

# Records held in memory before they are filed: some 5 MiB, and a few milliseconds at start.
FILE_AT_RECORDS = 32_768
# A slice touches this part of the table's pages: with a million records about 250, some 10 ms.
SLICES = 16
_KEY_BYTES = 4
# 2 MiB of bits, taken once something is filed.
_BITS = 24
# Read from the table in one go: with a million records 4,000 rows, some milliseconds.
_READ_SPAN = 2**24
_KEY_MIN, _KEY_MAX, _KEY_SPAN = -(2**31), 2**31, 2**32

# The seq of every record with this key; ids are compared by the caller. Two parameters: the key, twice.
FIND = """
    SELECT seq FROM known WHERE id_key = ?
    UNION SELECT seq FROM standing WHERE seq > (SELECT filed FROM head) AND id_key = ?
"""
_FILED = """
    SELECT record_id FROM known CROSS JOIN record USING (seq) WHERE id_key IN (SELECT value FROM json_each(?))
"""
_RECENT = "SELECT record_id FROM record WHERE seq IN (SELECT value FROM json_each(?))"
_KEYS = "SELECT id_key FROM known WHERE id_key >= ? AND id_key < ?"
_FILE = """
    INSERT OR IGNORE INTO known SELECT id_key, seq FROM standing
    WHERE seq > (SELECT filed FROM head) AND seq <= ? AND id_key >= ? AND id_key < ? ORDER BY id_key
"""


def id_key(record_id: str) -> int:
    """The first 32 bits of BLAKE2b of a record id."""
    return int.from_bytes(blake2b(record_id.encode(), digest_size=_KEY_BYTES).digest(), "big", signed=True)


class Known:
    """Belongs to the writer. What it holds beyond the table may be too much, after a rollback, and never too little."""

    def __init__(self, db: "Connection") -> None:
        self._recent: dict[int, int] = {}  # the seq of the newest record with this key
        self._alike: dict[int, list[int]] = {}  # those of older ones with the same key, of which there are hardly any
        self._file_at, self._slices = FILE_AT_RECORDS, SLICES  # tests make them small, so that the edges come often
        self._slice = 0
        self._upto = 0
        self._bits = bytearray()
        filed = db.execute("SELECT filed FROM head").fetchone()[0]
        self._unread = _KEY_MIN if filed else _KEY_MAX  # from this key on the table has to be asked
        for key, seq in db.execute("SELECT id_key, seq FROM standing WHERE seq > (SELECT filed FROM head)"):
            self.add(key, seq)

    def among(self, db: "Connection", keys: Sequence[int]) -> set[str]:
        """The ids of all records that have one of these keys."""
        filed = [key for key in keys if self._may_be_filed(key)]
        found = {row[0] for row in db.execute(_FILED, (json.dumps(filed),))} if filed else set()
        recent = [self._recent[key] for key in keys if key in self._recent]
        if recent:
            recent += [seq for key in keys for seq in self._alike.get(key, ())]
            found.update(row[0] for row in db.execute(_RECENT, (json.dumps(recent),)))
        return found

    def add(self, key: int, seq: int) -> None:
        """A record is there from now on."""
        if key in self._recent:
            self._alike.setdefault(key, []).append(self._recent[key])
        self._recent[key] = seq

    def _may_be_filed(self, key: int) -> bool:
        bit = (key - _KEY_MIN) >> (8 * _KEY_BYTES - _BITS)
        return key >= self._unread or bool(self._bits and self._bits[bit >> 3] & 1 << (bit & 7))

    def _set(self, keys: Iterable[int]) -> None:
        self._bits = self._bits or bytearray(1 << (_BITS - 3))
        for key in keys:
            bit = (key - _KEY_MIN) >> (8 * _KEY_BYTES - _BITS)
            self._bits[bit >> 3] |= 1 << (bit & 7)

    def read(self, db: "Connection") -> None:
        """Read the next slice of the table into the bits; nothing once all is read."""
        if self._unread < _KEY_MAX:
            upto = self._unread + _READ_SPAN
            self._set(row[0] for row in db.execute(_KEYS, (self._unread, upto)))
            self._unread = upto

    @property
    def is_due(self) -> bool:
        """Whether a slice should be filed."""
        return self._slice > 0 or len(self._recent) >= self._file_at

    def file(self, db: "Connection") -> None:
        """File the next slice of keys; to be called in a transaction of its own, again and again while it is due."""
        if self._slice == 0:
            self._upto = db.execute("SELECT seq FROM head").fetchone()[0]
        first = _KEY_MIN + self._slice * _KEY_SPAN // self._slices
        db.execute(_FILE, (self._upto, first, first + _KEY_SPAN // self._slices))
        if self._slice == self._slices - 1:
            db.execute("UPDATE head SET filed = ?", (self._upto,))

    def filed(self) -> None:
        """The slice is committed."""
        self._slice = (self._slice + 1) % self._slices
        if self._slice == 0:
            self._set(self._recent)
            self._recent = {key: seq for key, seq in self._recent.items() if seq > self._upto}
            self._alike = {key: seqs for key, seqs in self._alike.items() if key in self._recent}
