import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

import buffer
from buffer.connection import connect
from buffer.migrations import SCHEMA_VERSION, migrate, statements
from gateway.core.errors import StoreBroken
from tests.buffer.make import HUB, drafts, ids, opened, options

_SCHEMA = "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"


def test_every_numbered_file_is_applied() -> None:
    numbers = sorted(int(file.stem) for file in Path(buffer.__file__).with_name("schema").glob("*.sql"))
    assert numbers == list(range(1, SCHEMA_VERSION + 1))


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    given = options(tmp_path)
    given.path.parent.mkdir()
    db = connect(given)
    migrate(db)
    first = db.execute(_SCHEMA).fetchall()
    assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    migrate(db)
    assert db.execute(_SCHEMA).fetchall() == first
    db.execute("PRAGMA user_version = 0")  # sqlite-utils has its own list of what was applied
    migrate(db)
    assert db.execute(_SCHEMA).fetchall() == first
    db.close()


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    given = options(tmp_path)
    given.path.parent.mkdir()
    db = connect(given)
    db.execute("CREATE TABLE batch (in_the_way)")
    with pytest.raises(Exception, match="already exists"):
        migrate(db)
    assert db.execute("PRAGMA user_version").fetchone() == (0,)
    assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'record'").fetchone() == (0,)
    db.close()


def test_a_newer_store_is_left_alone(tmp_path: Path) -> None:
    given = options(tmp_path)
    given.path.parent.mkdir()
    db = connect(given)
    migrate(db)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreBroken, match="newer version"):
        migrate(db)
    db.close()


def test_a_backlog_of_the_first_schema_is_sent_by_this_one(tmp_path: Path) -> None:
    """The first schema's own statements make the file; today's code opens it and sends what waited."""
    given = options(tmp_path)
    given.path.parent.mkdir()
    db = connect(given)
    for statement in statements(1):
        db.execute(statement)
    for text in Path(__file__).with_name("backlog_0001.sql").read_text().splitlines():
        db.execute(text)
    db.execute("PRAGMA user_version = 1")
    db.close()

    async def run() -> None:
        async with opened(tmp_path) as store:
            batch = await store.next_batch(HUB, 10, 10**6)
            assert batch is not None
            assert [json.loads(text)["value"] for text in batch.records] == ["1", "2"]
            assert await store.append(drafts(2, 3)) == [False, True]
            assert await store.inspect() is None
            assert batch.ids == ids(1, 2)

    asyncio.run(run())


def test_a_current_store_opens_without_sqlite_utils(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys; from pathlib import Path; from tests.buffer.test_connection import open_and_close;"
        "from tests.buffer.make import options\n"
        "asyncio.run(open_and_close(options(Path(sys.argv[1]))))\n"
        "print('sqlite_utils' in sys.modules)"
    )
    said = [
        subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    ]
    assert said == ["True\n", "False\n"]
