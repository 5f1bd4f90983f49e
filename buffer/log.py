"""The write-ahead log: how large it is, and when it is copied into the database."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite3 import Connection

_FRAME_HEADER_BYTES = 24  # SQLite, "WAL file format": each frame is a header and a page
# Less than this is left in the log on a quiet store: copying after each of a day's few readings wears the card.
_WORTH_BYTES = 256 * 1024


class Log:
    """
    Belongs to the writer, the only one that copies the log back; SQLite's own checkpoints are switched off.

    PASSIVE under load: it waits for nobody, and once all is copied the next COMMIT starts the log anew. TRUNCATE when
    it is quiet. Readers keep their transactions short, so neither is held up for long.
    """

    def __init__(self, db: "Connection", max_bytes: int) -> None:
        self.bytes_written = 0
        self._frame_bytes: int = int(db.execute("PRAGMA page_size").fetchone()[0]) + _FRAME_HEADER_BYTES
        self._max_bytes = max_bytes
        self._frames: int = self._count(db)
        self._moved: int = 0

    def grew(self, db: "Connection") -> None:
        """Count what the last COMMIT wrote."""
        frames = self._count(db)
        if frames < self._frames:  # the log was started anew
            self._frames = self._moved = 0
        self.bytes_written += (frames - self._frames) * self._frame_bytes
        self._frames = frames

    def move(self, db: "Connection") -> None:
        """Copy the log into the database; truncate it where no reader needs it."""
        mode = "PASSIVE" if self.is_due else "TRUNCATE"
        _, frames, moved = db.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        self._frames, self._moved = frames, moved

    @property
    def is_due(self) -> bool:
        """Whether it has grown so far that it is copied even under load."""
        return (self._frames - self._moved) * self._frame_bytes >= self._max_bytes

    @property
    def is_worth_moving(self) -> bool:
        """Whether a quiet moment should be used to copy it."""
        return (self._frames - self._moved) * self._frame_bytes >= min(_WORTH_BYTES, self._max_bytes)

    @staticmethod
    def _count(db: "Connection") -> int:
        """Frames in the log; NOOP copies nothing."""
        frames: int = db.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()[1]
        return frames
