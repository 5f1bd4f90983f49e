"""What the backend can be told, and its limits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    What one request may cost. Above a limit the answer is 413, and a hub halves its batch.

    content_bytes_max   what is read from the socket; a full batch of 200 readings is about 0.1 MB compressed
    body_bytes_max      after the content coding is undone: a small request must not unpack into all memory
    records_max         in one batch, so that one transaction stays well below a second
    """

    content_bytes_max: int = 4 * 1024 * 1024
    body_bytes_max: int = 16 * 1024 * 1024
    records_max: int = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """
    How often a missing range is asked for: at once, then after 1, 2, 4 and 8 minutes, then never again.

    ranges_max bounds one answer; the lowest ranges come first.
    """

    times_max: int = 5
    spacing_s: int = 60
    ranges_max: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    The whole configuration.

    store         the SQLite file; made if it is not there
    token         gives the bearer token hubs and people must show; read for each request, so it can be rotated.
                  None: nothing is asked, and ledger and pages answer to loopback host names only
    public_keys   hub id -> Ed25519 public key, 32 raw bytes. A hub that stands here must sign (RFC 9421)
    """

    store: Path
    token: Callable[[], str] | None = None
    public_keys: Mapping[str, bytes] = field(default_factory=dict)
    limits: Limits = Limits()
    asking: Asking = Asking()
