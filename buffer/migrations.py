"""
The schema: numbered SQL files, each applied once, in its own transaction, by sqlite-utils.

`user_version` holds the number of the last one, so that a store that is up to date is opened without importing
sqlite-utils, which a Pi would pay for in memory and time at every start.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlcipher3.dbapi2 import complete_statement

from gateway.core.errors import StoreBroken

if TYPE_CHECKING:
    from sqlite3 import Connection

SCHEMA_VERSION = 1  # the highest number in buffer/schema; a test compares them
_SET = "buffer"


def is_current(db: "Connection") -> bool:
    """Whether nothing is left to apply."""
    return bool(db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION)


def migrate(db: "Connection") -> None:
    """Bring the schema up to date; raises StoreBroken where a newer gateway made the store."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise StoreBroken("A newer version of the gateway made this store; install that version, or a later one.")
    if version < SCHEMA_VERSION:
        _apply(db)


def _apply(db: "Connection") -> None:
    import sqlite_utils
    from sqlite_utils.migrations import Migrations

    migrations = Migrations(_SET)
    for number in range(1, SCHEMA_VERSION + 1):
        migrations(name=f"{number:04}")(_step(number))
    migrations.apply(sqlite_utils.Database(db, execute_plugins=False))


def _step(number: int) -> Callable[[Any], None]:
    def apply(database: Any) -> None:
        for statement in statements(number):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {number}")  # part of the transaction, like any write

    return apply


def statements(number: int) -> Iterator[str]:
    """The statements of one numbered file; executescript would commit the transaction they belong to."""
    text = Path(__file__).with_name("schema").joinpath(f"{number:04}.sql").read_text("utf-8")
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if complete_statement(statement):
            yield statement
            statement = ""
