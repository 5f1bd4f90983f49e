"""
`python -m buffer.apart PATH [KIND NAME]`: bring a store up to date in a process of its own.

The key comes by reference, as in the configuration; nothing secret stands on the command line.
"""

import sys
from pathlib import Path

from buffer.connection import connect
from buffer.migrations import migrate
from buffer.options import BufferOptions
from gateway.core.secret import SecretRef


def main(path: str, *key: str) -> None:
    """Migrate, then end; the caller holds the store's lock and has closed its connection."""
    options = BufferOptions(path=Path(path), size_max_bytes=0, retain_days=0, key=SecretRef(*key) if key else None)
    db = connect(options)
    migrate(db)
    db.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
