"""
A disk with a volatile cache: what it holds after the power went.

QEMU logs each write and flush of the disk in order (its `blklogwrites` driver, in the format of Linux' dm-log-writes:
Documentation/admin-guide/device-mapper/log-writes.rst). After a cut at some place of the log everything before the last
flush is there, and of each later block either what was written or what was there before, one independent of the other.
"""

import os
import random
import shutil
import struct
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# What such a disk writes whole; also the file system's block.
BLOCK_BYTES = 4096
_FILE_SYSTEM_BYTES = 64 * 1024 * 1024
# Beyond the file system: one block in which the load says what was promised to it.
WITNESS_AT = _FILE_SYSTEM_BYTES
_DISK_BYTES = WITNESS_AT + 1024 * 1024

_MAGIC = 0x6A736677736872
_SUPER = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")
_FLUSH, _FUA, _DISCARD = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Write:
    """One entry of the log: where it went on the disk, where its bytes stand in the log; a flush has none."""

    at: int
    length: int
    flags: int
    logged_at: int

    @property
    def is_flush(self) -> bool:
        """Whether all that was written before is durable from here on."""
        return bool(self.flags & _FLUSH)

    @property
    def is_durable(self) -> bool:
        """Whether it does not wait for a flush."""
        return bool(self.flags & _FUA)


def make_disk(path: Path) -> None:
    """An empty file system, and room for the witness."""
    options = "lazy_itable_init=0,lazy_journal_init=0,nodiscard"
    size = str(_FILE_SYSTEM_BYTES // BLOCK_BYTES)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-b", str(BLOCK_BYTES), "-E", options, str(path), size)
    os.truncate(path, _DISK_BYTES)


def read_disk(disk: Path, folder: Path) -> None:
    """
    Mend a copy of the file system from its journal, as mounting does, and copy its files out; no root needed.

    The disk itself stays as the cut left it, so that the machine's own kernel meets it.
    """
    mended = disk.with_suffix(".mended")
    shutil.copyfile(disk, mended)
    run("e2fsck", "-fy", str(mended), fine=(0, 1))
    folder.mkdir()
    run("debugfs", "-R", f"rdump / {folder}", str(mended))


def run(*command: str, fine: tuple[int, ...] = (0,)) -> None:
    """A tool of e2fsprogs; they live in sbin, which a plain user's PATH on Debian leaves out."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "PATH": path})
    assert done.returncode in fine, f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}"


class WriteLog:
    """All that one run of the machine wrote to its disk, which held `before` at its start."""

    def __init__(self, path: Path, before: Path) -> None:
        self._path = path
        self._before = before
        self.writes = list(_entries(path))
        self.blocks_lost = 0  # by the cuts made so far

    def promises(self) -> list[tuple[int, str]]:
        """What was promised, each with its place in the log."""
        with self._path.open("rb") as log:
            return [
                (place, _bytes(log.fileno(), write).rstrip(b"\0").decode().strip())
                for place, write in enumerate(self.writes)
                if write.at == WITNESS_AT and write.length
            ]

    def cut(self, places: Iterable[int], work: Path) -> Iterator[tuple[int, Path]]:
        """For each of these places, in rising order, the disk that is left; it is the caller's until the next."""
        durable, left = work / "durable.img", work / "left.img"
        shutil.copyfile(self._before, durable)
        done = 0
        with durable.open("r+b") as disk, self._path.open("rb") as log:
            for place in places:
                flushed = self._last_flush(place)
                for write in self.writes[done:flushed]:
                    _write(disk.fileno(), write.at, _bytes(log.fileno(), write))
                done = max(done, flushed)
                shutil.copyfile(durable, left)
                self._survive(left, log.fileno(), self.writes[done:place])
                yield place, left

    def _last_flush(self, place: int) -> int:
        return next((at for at in range(place - 1, -1, -1) if self.writes[at].is_flush), 0)

    def _survive(self, left: Path, log: int, writes: list[Write]) -> None:
        """Of what was not flushed sometimes nothing survives, sometimes all, mostly some."""
        share = random.choice((0.0, 1.0, random.random()))
        with left.open("r+b") as disk:
            for write in writes:
                content = _bytes(log, write)
                for start in range(0, len(content), BLOCK_BYTES):
                    if write.is_durable or random.random() < share:
                        _write(disk.fileno(), write.at + start, content[start : start + BLOCK_BYTES])
                    else:
                        self.blocks_lost += write.at < _FILE_SYSTEM_BYTES


def _write(disk: int, at: int, content: bytes) -> None:
    if content and at < _FILE_SYSTEM_BYTES:
        os.pwrite(disk, content, at)


def _bytes(log: int, write: Write) -> bytes:
    return os.pread(log, write.length, write.logged_at)


def _entries(path: Path) -> Iterator[Write]:
    """Up to the end of the log; the count in its first sector lags behind after a cut."""
    with path.open("rb") as log:
        magic, _version, _count, sector = _SUPER.unpack(log.read(_SUPER.size))
        assert magic == _MAGIC, "QEMU wrote no log of writes."
        at, size = sector, path.stat().st_size
        while at + sector <= size:
            log.seek(at)
            first, sectors, flags, _length = _ENTRY.unpack(log.read(_ENTRY.size))
            if not (sectors or flags):
                return
            has_content = not flags & _DISCARD
            at += sector
            yield Write(first * sector, sectors * sector if has_content else 0, flags, at)
            at += sectors * sector if has_content else 0
