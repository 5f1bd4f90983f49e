import asyncio
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from buffer.connection import connect
from buffer.options import BufferOptions
from buffer.store import open_store
from gateway.core.errors import Exit, NotThere, StoreBroken
from gateway.core.secret import SecretRef
from tests.buffer.make import KEY, PLANTED, drafts, opened, options
from tests.fakes.clock import FakeClock


async def open_and_close(given: BufferOptions) -> None:
    async with open_store(given, FakeClock()) as store:
        await store.append(drafts(1))


def test_a_stolen_card_shows_nothing(tmp_path: Path) -> None:
    async def run() -> list[bytes]:
        async with opened(tmp_path) as store:
            await store.append(drafts(*range(50)))
            return [file.read_bytes() for file in (tmp_path / "store").iterdir()]

    contents = asyncio.run(run())
    assert sum(map(len, contents)) > 10_000
    for content in contents:
        assert PLANTED.encode() not in content
        assert b"SQLite format 3" not in content


def test_files_are_the_owner_s_alone(tmp_path: Path) -> None:
    async def run() -> dict[str, int]:
        async with opened(tmp_path) as store:
            await store.append(drafts(1))
            return {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "store").iterdir()}

    before = os.umask(0)
    try:
        modes = asyncio.run(run())
    finally:
        os.umask(before)
    assert set(modes) == {"buffer.db", "buffer.db-wal", "buffer.db-shm", "buffer.db.lock", "buffer.db.headroom"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o700


def test_a_wrong_key_says_so_and_touches_nothing(tmp_path: Path) -> None:
    asyncio.run(open_and_close(options(tmp_path)))
    before = (tmp_path / "store" / "buffer.db").read_bytes()
    (tmp_path / "other").write_text("00" * 32)
    wrong = replace(options(tmp_path), key=SecretRef("file", str(tmp_path / "other")))
    with pytest.raises(StoreBroken, match="The key does not open this store") as caught:
        asyncio.run(open_and_close(wrong))
    assert caught.value.exit_code == Exit.STORE
    with pytest.raises(StoreBroken, match="no key is set"):
        asyncio.run(open_and_close(replace(wrong, key=None)))
    assert (tmp_path / "store" / "buffer.db").read_bytes() == before
    assert not (tmp_path / "store" / "quarantine").exists()
    asyncio.run(open_and_close(options(tmp_path)))


def test_a_key_for_a_plain_store_says_so(tmp_path: Path) -> None:
    asyncio.run(open_and_close(replace(options(tmp_path), key=None)))
    with pytest.raises(StoreBroken, match="is not encrypted"):
        asyncio.run(open_and_close(options(tmp_path)))


def test_a_missing_key_says_so(tmp_path: Path) -> None:
    missing = replace(options(tmp_path), key=SecretRef("file", str(tmp_path / "nowhere")))
    with pytest.raises(NotThere, match="cannot be read"):
        asyncio.run(open_and_close(missing))


@pytest.mark.parametrize("secret", ["a passphrase with 'quotes'", KEY.lower(), KEY[:-1], "g" * 64])
def test_a_key_is_hex_or_words(tmp_path: Path, secret: str) -> None:
    given = options(tmp_path)
    (tmp_path / "key").write_text(secret)
    asyncio.run(open_and_close(given))
    asyncio.run(open_and_close(given))


def test_upper_and_lower_case_hex_are_one_key(tmp_path: Path) -> None:
    given = options(tmp_path)
    asyncio.run(open_and_close(given))
    (tmp_path / "key").write_text(KEY.lower() + "\n")
    asyncio.run(open_and_close(given))


def test_a_second_daemon_is_told_that_there_is_a_first(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            await store.append(drafts(1))
            with pytest.raises(NotThere, match="Another gateway"):
                await open_and_close(options(tmp_path))
            script = (
                "import asyncio, sys; from pathlib import Path; from tests.buffer.make import options;"
                "from tests.buffer.test_connection import open_and_close; from gateway.core.errors import NotThere\n"
                "try: asyncio.run(open_and_close(options(Path(sys.argv[1]))))\n"
                "except NotThere as error: sys.exit(int(error.exit_code))"
            )
            other = await asyncio.to_thread(
                subprocess.run, [sys.executable, "-c", script, str(tmp_path)], check=False, timeout=60
            )
            assert other.returncode == Exit.UNAVAILABLE

    asyncio.run(run())


def test_settings_are_read_back(tmp_path: Path) -> None:
    given = options(tmp_path)
    given.path.parent.mkdir()
    db = connect(given)
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "auto_vacuum", "mmap_size", "journal_size_limit")
    assert [db.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas] == ["wal", 2, 1, 2, 0, 1024 * 1024]
    db.execute("CREATE TABLE made_elsewhere (x)")
    db.execute("PRAGMA journal_mode = DELETE").fetchall()
    db.execute("PRAGMA auto_vacuum = NONE")
    db.execute("VACUUM")
    db.close()
    with pytest.raises(StoreBroken, match="auto_vacuum"):
        connect(given)


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreBroken, match="folder cannot be made"):
        asyncio.run(open_and_close(BufferOptions(tmp_path / "file" / "store" / "buffer.db")))


def test_a_path_that_is_a_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "buffer.db").mkdir()
    with pytest.raises(StoreBroken, match="cannot be opened for writing"):
        asyncio.run(open_and_close(BufferOptions(tmp_path / "buffer.db")))
    (tmp_path / "lockless.db.lock").mkdir()
    with pytest.raises(StoreBroken, match="folder cannot be written"):
        asyncio.run(open_and_close(BufferOptions(tmp_path / "lockless.db")))
