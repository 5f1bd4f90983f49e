"""What an operator decides about the store."""

from dataclasses import dataclass
from pathlib import Path

from gateway.core.secret import SecretRef


@dataclass(frozen=True, slots=True)
class BufferOptions:
    """
    Where the store is, how large it may grow, how long it remembers, and its key.

    `size_max_bytes` bounds the database and its write-ahead log together; a headroom file (`space.HEADROOM_BYTES`)
    stands beside them. `retain_days` is how long a record stays after the backend accepted it. `key` None: the file is
    not encrypted.
    """

    path: Path
    size_max_bytes: int = 512 * 1024 * 1024
    retain_days: int = 90
    key: SecretRef | None = None
