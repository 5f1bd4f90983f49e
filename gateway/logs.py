"""
Logs: events, not prose, as JSON lines on stderr. Never a value, a name, an address, a key or a frame.

Redaction is by allow-list: a field that is not named in `_MAY_STAND` loses its value, whoever logged it. Texts of
foreign libraries (paho, httpx, asyncio) are dropped but for their logger and level: they quote topics and addresses.
The store logs by the standard library, and keeps the names of its events.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

# structlog imports rich for coloured tracebacks where it happens to be installed: 250 ms and 8 MiB for nothing here.
_has_rich = "rich" in sys.modules
if not _has_rich:
    sys.modules["rich"] = None  # type: ignore[assignment] # how Python is told that a module is not there
import structlog  # noqa: E402 -- after the line that makes it light

if not _has_rich:
    del sys.modules["rich"]

# What may stand in a log line: names from our own configuration, counts, words of ours.
_MAY_STAND = frozenset(
    {"event", "level", "timestamp", "logger", "driver", "source", "transport", "reason", "count", "state", "outcome",
     "status", "remedy", "version", "error", "where", "batch_size", "delay_s", "attempts", "seq", "limit", "remaining"}
)  # fmt: skip
_REDACTED = "[redacted]"
# `store.broken`: a name, with nothing of a record in it.
_NAME = re.compile(r"[a-z_]+\.[a-z_]+")

Event = MutableMapping[str, Any]


def set_up(level: int = logging.INFO) -> None:
    """Make every logger of this process write redacted JSON lines to stderr."""
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[structlog.processors.add_log_level, stamp, redact, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    foreign = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, stamp],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _foreign, redact, renderer],
    )
    outlet = logging.StreamHandler(sys.stderr)
    outlet.setFormatter(foreign)
    root = logging.getLogger()
    root.handlers[:] = [outlet]
    root.setLevel(logging.WARNING)


def redact(_logger: Any, _method: str, event: Event) -> Event:
    """Blank every field that is not on the list, and errors to the name of their class."""
    return {key: _plain(value) if key in _MAY_STAND else _REDACTED for key, value in event.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseException):
        return type(value).__name__
    return value if isinstance(value, str | int | float | bool) or value is None else str(type(value).__name__)


def _foreign(_logger: Any, _method: str, event: Event) -> Event:
    kept: Event = {key: event[key] for key in ("level", "logger", "timestamp") if key in event}
    is_ours = str(event.get("logger")).startswith("buffer.") and _NAME.fullmatch(str(event.get("event")))
    return {"event": event["event"] if is_ours else "library.said"} | dict(kept)
