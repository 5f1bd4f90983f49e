"""A store that is behind is brought up to date by a process of its own, so that the daemon stays small."""

import subprocess
import sys
from pathlib import Path

from buffer.connection import connect
from buffer.migrations import is_current
from buffer.options import BufferOptions
from buffer.recovery import open_checked
from gateway.core.secret import SecretRef
from tests.buffer.make import options
from tests.fakes.clock import FakeClock

_SCRIPT = """
import asyncio, sys
from pathlib import Path
from buffer.options import BufferOptions
from buffer.recovery import open_checked
from gateway.core.secret import SecretRef
from tests.fakes.clock import FakeClock
given = BufferOptions(path=Path(sys.argv[1]), key=SecretRef("file", sys.argv[2]))
made = open_checked(given, FakeClock().now(), apart=True)
made.db.close()
print("sqlite_utils" in sys.modules)
"""


def test_the_first_start_does_not_carry_sqlite_utils(tmp_path: Path) -> None:
    path, key = tmp_path / "buffer.db", tmp_path / "key"
    key.write_text("ab" * 32)
    command = [sys.executable, "-c", _SCRIPT, str(path), str(key)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
    db = connect(BufferOptions(path=path, key=SecretRef("file", str(key))))
    assert is_current(db)
    db.close()


def test_what_a_process_of_its_own_cannot_do_is_done_here(tmp_path: Path) -> None:
    given = options(tmp_path)
    given.path.parent.mkdir(exist_ok=True)
    found = open_checked(given, FakeClock().now(), apart=True)
    assert is_current(found.db)
    found.db.close()
