"""Memory on a small machine: give back what start-up needed once."""

import ctypes
import gc

# mallopt(3): threads share two heaps in place of one each, which a Pi would hold open for the writer and the reader.
_M_ARENA_MAX = -8
# A reading is some hundred objects without cycles: looking for garbage after every 700 costs 5 % of a busy hub.
_GARBAGE_EVERY = 20_000


def share_heaps() -> None:
    """Bound the C library's heaps, before the first thread starts; nothing where it has no such call."""
    gc.set_threshold(_GARBAGE_EVERY, 20, 20)
    if (mallopt := _found("mallopt")) is not None:
        mallopt(_M_ARENA_MAX, 2)


def give_back() -> None:
    """Return freed memory to the system: importing leaves some 5 MiB behind that nobody uses again."""
    gc.collect()
    gc.freeze()  # what lives now lives as long as the daemon; the collector need not walk it again
    if (malloc_trim := _found("malloc_trim")) is not None:
        malloc_trim(0)


def _found(name: str) -> "ctypes._NamedFuncPointer | None":
    try:
        found: ctypes._NamedFuncPointer = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
    return found
