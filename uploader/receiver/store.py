"""SQLite: one file, one connection, one thread at a time. WAL with `synchronous=FULL`: COMMIT means on the disk."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from gateway.core.errors import StoreBroken

_VERSION = 1
_OWNER_ONLY = 0o600  # patients' readings
_BUSY_TIMEOUT_S = 2.0  # another tool may be reading the file


class Store:
    """The open file. Whoever holds it calls it from one thread at a time."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(_OWNER_ONLY)  # SQLite gives the files beside it the same rights
            self.db = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise StoreBroken(
                "The backend's store cannot be opened; check its path, its rights and the disk."
            ) from error

    def _prepare(self) -> None:
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=FULL")
        with self.writing():
            version = self.db.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise StoreBroken("The backend's store was written by newer software; start that one.")
            if version < _VERSION:
                self._create()

    def _create(self) -> None:
        """Statement by statement: `executescript` would end the transaction."""
        script = files("uploader.receiver").joinpath("schema.sql").read_text("utf-8")
        bare = "\n".join(line.partition("--")[0] for line in script.splitlines())
        for statement in bare.split(";"):
            if statement.strip():
                self.db.execute(statement)
        self.db.execute(f"PRAGMA user_version={_VERSION}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield self.db
            self.db.execute("COMMIT")
        finally:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")

    def close(self) -> None:
        """Fold the WAL into the file and let go of it."""
        self.db.close()
