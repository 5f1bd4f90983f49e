"""Opening the file: lock, permissions, key, settings. The only module that connects."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlcipher3 import dbapi2

from buffer.options import BufferOptions
from buffer.trouble import SQLITE_NOTADB, code_of
from gateway.core.errors import NotThere, StoreBroken

if TYPE_CHECKING:
    from sqlite3 import Connection  # sqlcipher3 ships no types; its connection is sqlite3's with a key

_PLAIN_MAGIC = b"SQLite format 3\0"
_RAW_KEY_DIGITS = 64  # 32 bytes in hex: taken as the key itself, without derivation
_AUTO_VACUUM_INCREMENTAL = 2
# A Pi has little memory to give; 4 MiB holds the hot ends of every table, and no table is read all over.
_CACHE_KIB = 4096
# Nobody else writes: only a checkpoint can meet a reader, and the next one will do.
_WAIT_S = 0.0
# What a checkpoint leaves of the log file at most, so that a burst does not keep its size for ever.
_LOG_KEPT_BYTES = 1024 * 1024


def beside(path: Path, ending: str) -> Path:
    """A file that belongs to the store: `buffer.db` + `.lock`."""
    return path.with_name(path.name + ending)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the store for this process; raises NotThere where another daemon has it."""
    _make_folder(path.parent)
    try:
        file = os.open(beside(path, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreBroken("The store's folder cannot be written; check its owner and permissions.") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(file)
        raise NotThere(
            "Another gateway has this store open. If it is starting, ask again in a few seconds; else stop it first."
        ) from error
    try:
        yield
    finally:
        os.close(file)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreBroken("The store's folder cannot be made; check the owner of the folder above it.") from error


def connect(options: BufferOptions) -> "Connection":
    """The writing connection, keyed and set; raises NotThere, StoreBroken or SQLite's own errors for damage."""
    _make_file(options.path)
    db = _keyed(options)
    try:
        if _is_new(db):
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # has no effect once a table is there
        for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "wal_autocheckpoint = 0",
                        f"journal_size_limit = {_LOG_KEPT_BYTES}"):  # fmt: skip
            db.execute(f"PRAGMA {setting}").fetchall()
        _check_settings(db)
    except BaseException:
        db.close()
        raise
    return db


def connect_reader(options: BufferOptions) -> "Connection":
    """A connection that can only look."""
    db = _keyed(options)
    db.execute("PRAGMA query_only = ON")
    return db


def _make_file(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StoreBroken("The store's file cannot be opened for writing; check its owner and permissions.") from error


def _keyed(options: BufferOptions) -> "Connection":
    """A connection that has read the first page, so that the key is known to be right."""
    secret = options.key.read() if options.key else None
    # isolation_level None: no BEGIN but our own. The thread is the caller's to keep.
    db: Connection = dbapi2.connect(str(options.path), isolation_level=None, check_same_thread=False, timeout=_WAIT_S)
    try:
        if secret is not None:
            db.set_key(_key_text(secret))  # type: ignore[attr-defined] # SQLCipher's own
        db.execute("PRAGMA cipher_log_level = NONE").fetchall()  # it would write to stderr, beside the log
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        db.execute("PRAGMA temp_store = MEMORY")  # nothing of a record in a temporary file
        db.execute("PRAGMA user_version").fetchone()
    except dbapi2.DatabaseError as error:
        db.close()
        if code_of(error) != SQLITE_NOTADB:
            raise
        raise _wrong_key(options) from error
    return db


def _key_text(secret: str) -> str:
    is_raw = len(secret) == _RAW_KEY_DIGITS and all(digit in "0123456789abcdefABCDEF" for digit in secret)
    return f"x'{secret}'" if is_raw else secret


def _wrong_key(options: BufferOptions) -> StoreBroken:
    """A first page that does not open says wrong key far more often than damage, and a wrong key destroys nothing."""
    with options.path.open("rb") as file:
        is_plain = file.read(len(_PLAIN_MAGIC)) == _PLAIN_MAGIC
    if is_plain:
        return StoreBroken('The store is not encrypted and a key is set; set key = "none", or move the file away.')
    if options.key is None:
        return StoreBroken("The store is encrypted and no key is set; set buffer.key to the key it was made with.")
    return StoreBroken("The key does not open this store; give the key it was made with, or move the file away.")


def _is_new(db: "Connection") -> bool:
    return bool(db.execute("SELECT count(*) = 0 FROM sqlite_schema").fetchone()[0])


def _check_settings(db: "Connection") -> None:
    """What durability rests on is read back, not assumed."""
    found = {name: db.execute(f"PRAGMA {name}").fetchone()[0]
             for name in ("journal_mode", "synchronous", "foreign_keys", "auto_vacuum", "mmap_size")}  # fmt: skip
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "auto_vacuum": _AUTO_VACUUM_INCREMENTAL,
              "mmap_size": 0}  # fmt: skip
    wrong = sorted(name for name, value in wanted.items() if found[name] != value)
    if wrong:
        raise StoreBroken(f"The store does not take the settings it needs ({', '.join(wrong)}); move the file away.")
