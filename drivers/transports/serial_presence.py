"""
Waiting for a port to appear, without looking at it again and again.

The kernel tells (inotify) when something changes in the directory the port will stand in, or in the nearest one above
it that is there: /dev/serial exists only while something is plugged in. While nothing changes this costs nothing.
"""

import asyncio
import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

from gateway.core.errors import LinkLost

# inotify(7): created, moved in, and the directory itself deleted or moved
_CHANGES = 0x100 | 0x80 | 0x400 | 0x800
_ONLY_DIRECTORIES = 0x01000000
_READ_BYTES = 4096


async def appears(path: Path) -> None:
    """Return once the path is there; raises LinkLost where the kernel cannot watch."""
    while not is_there(path):
        directory = _nearest(path.parent)
        with _watching(directory) as changed:
            # what came before the watch began would otherwise be missed
            if not is_there(path) and directory == _nearest(path.parent):
                await changed.wait()


def is_there(path: Path) -> bool:
    """Whether a port stands at the path now."""
    return path.exists()  # /dev is no disk: this does not block


def _nearest(directory: Path) -> Path:
    return next((one for one in (directory, *directory.parents) if one.is_dir()), Path("/"))


@contextlib.contextmanager
def _watching(directory: Path) -> Iterator[asyncio.Event]:
    """An event that is set when something changes in a directory."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if fd < 0:
        raise LinkLost("The kernel gives no watch on the port's directory; it is tried again.")
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(fd, _READ_BYTES)
        changed.set()

    try:
        if libc.inotify_add_watch(fd, os.fsencode(directory), _CHANGES | _ONLY_DIRECTORIES) < 0:
            changed.set()  # gone in this moment: look again
        loop.add_reader(fd, read)
        yield changed
    finally:
        loop.remove_reader(fd)
        os.close(fd)
