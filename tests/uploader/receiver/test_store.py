"""The file: who may read it, and what happens where it cannot be opened or written."""

import sqlite3
from pathlib import Path

import pytest

from gateway.core.errors import StoreBroken
from tests.uploader.receiver import samples
from tests.uploader.receiver.conftest import CLIENT, Live
from uploader.receiver.store import Store


def test_only_its_owner_reads_it(store: Store, tmp_path: Path) -> None:
    store.db.execute("INSERT INTO hub VALUES ('h', 'home', 's', 0, 0)")
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("receiver.db*")} == {0o600}


def test_commit_means_on_the_disk(store: Store) -> None:
    assert store.db.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    assert store.db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    def twice() -> None:
        with store.writing() as db:
            db.execute("INSERT INTO hub VALUES ('h', 'home', 's', 0, 0)")
            db.execute("INSERT INTO hub VALUES ('h', 'home', 's', 0, 0)")

    with pytest.raises(sqlite3.IntegrityError):
        twice()
    assert store.db.execute("SELECT count(*) FROM hub").fetchone()[0] == 0


def test_what_is_no_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, and long enough to have a header of one" * 20)
    with pytest.raises(StoreBroken, match="cannot be opened"):
        Store(tmp_path / "text")


def test_a_newer_store_is_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "receiver.db")
    store.db.execute("PRAGMA user_version=2")
    store.close()
    with pytest.raises(StoreBroken, match="newer"):
        Store(tmp_path / "receiver.db")


def test_while_it_cannot_write_hubs_are_asked_to_come_later(live: Live) -> None:
    other = sqlite3.connect(live.store, isolation_level=None)
    fields = {"Content-Type": "application/json", "Idempotency-Key": "b-1"}
    content = samples.batch(samples.chained([samples.reading(0)]))
    address = f"{live.url}/api/v1/readings/batches/"
    other.execute("BEGIN IMMEDIATE")
    refused = CLIENT.post(address, content=content, headers=fields)
    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
    assert int(refused.headers["retry-after"]) > 0
    other.execute("ROLLBACK")
    other.close()
    assert CLIENT.post(address, content=content, headers=fields).status_code == 200
