"""What SQLite's errors mean for whoever waits for an answer."""

from gateway.core.errors import GatewayError, StoreBroken, StoreFull

SQLITE_READONLY = 8
SQLITE_IOERR = 10
SQLITE_CORRUPT = 11
SQLITE_FULL = 13
SQLITE_CANTOPEN = 14
SQLITE_NOTADB = 26
_BREAKING = frozenset({SQLITE_READONLY, SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_CANTOPEN, SQLITE_NOTADB})
_PRIMARY = 0xFF  # an extended code carries the primary code in its low byte

_FULL = "The store is full: nothing was kept; what is not acknowledged stays with its source."
_BROKEN = "The store cannot be written; check the disk with `vitals-gateway doctor`, then start the daemon again."


def code_of(error: BaseException) -> int | None:
    """SQLite's primary result code, where the error is SQLite's."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & _PRIMARY if isinstance(code, int) else None


def is_full(error: BaseException) -> bool:
    """Whether the disk or the cap has no room."""
    return code_of(error) == SQLITE_FULL


def is_damage(error: BaseException) -> bool:
    """Whether the file itself is not what SQLite wrote."""
    return code_of(error) in (SQLITE_CORRUPT, SQLITE_NOTADB)


def breaks(error: BaseException) -> bool:
    """
    Whether the store can be trusted no more: the disk failed, or the file is damaged.

    After a failed fsync a later one may succeed without the lost pages, so nothing is written after the first failure.
    """
    return code_of(error) in _BREAKING


def translated(error: Exception) -> Exception:
    """The gateway's error for a full or failed disk; any other error is its own, and a bug."""
    if is_full(error):
        meant: GatewayError = StoreFull(_FULL)
    elif breaks(error):
        meant = StoreBroken(_BROKEN)
    else:
        return error
    meant.__cause__ = error
    return meant
