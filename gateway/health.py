"""
Whether the daemon does its work: status for people, metrics for machines, proof of life for systemd.

The watchdog is fed only by proof of life of the store, the sources and the uploader: a process that is up and keeps
nothing must be restarted, not trusted.
"""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from buffer.rows import Stats
from gateway import __version__
from gateway.attention import wanting
from gateway.core.link import LinkState
from gateway.core.time import Clock, utc_text
from gateway.intake import LastHeard
from gateway.metrics import Counts, Labels, exposition
from uploader.counts import UploadCounts

# A source that says it is up and gave no sign for this long is a zombie (keep-alives come every minute).
_SILENT_S = 300.0


@dataclass(slots=True)
class Watched:
    """Everything health looks at."""

    hub: dict[str, str]
    clock: Clock
    links: Sequence[LinkState]
    last: LastHeard
    counts: Counts
    uploads: UploadCounts
    started_ms: int


def notify(message: str) -> None:
    """Tell systemd, where it listens (sd_notify(3)); never an error: the daemon needs no systemd."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    target = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as outlet:
            outlet.connect(target)
            outlet.send(message.encode())
    except OSError:
        return


def watchdog_interval_s() -> float | None:
    """Half of what systemd allows between two signs of life; None where it does not watch this process."""
    usec, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not usec.isdigit() or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 2_000_000


def lifeless(links: Sequence[LinkState], now_s: float) -> str | None:
    """The name of a link that says it is up and gave no sign of life; None where all is well."""
    return next((link.name for link in links if link.is_up and now_s - link.alive_s > _SILENT_S), None)


def one_line(links: Sequence[LinkState]) -> str:
    """STATUS= for systemd: what is not there, in one line."""
    down = [f"{link.name}: {link.why}" for link in links if not link.is_up]
    return "; ".join(down) if down else "Everything is connected."


def status_json(watched: Watched, stats: Stats) -> dict[str, Any]:
    """The answer of `status`."""
    now = watched.clock.now()
    return {
        "hub": watched.hub | {"version": __version__, "started_at": utc_text(watched.started_ms)},
        "now": now.text,
        "clock": {"synchronised": now.synchronised},
        "links": [_link_json(link) for link in watched.links],
        "buffer": _buffer_json(stats, now.utc_ms),
        "counts": {
            "readings": watched.counts.total("vitals_readings_total"),
            "refused_frames": watched.counts.total("vitals_frames_refused_total"),
        },
        "devices": watched.last.as_json(),
        "needs_person": wanting(watched.links, stats, now),
    }


def metrics_text(watched: Watched, stats: Stats) -> str:
    """The answer of GET /metrics."""
    uploads = [("vitals_upload_attempts_total", {"outcome": k}, float(v)) for k, v in watched.uploads.attempts.items()]
    written: tuple[str, Labels, float] = ("vitals_bytes_written_total", {}, float(stats.bytes_written))
    return exposition([*watched.counts.samples(), *uploads, written], _gauges(watched, stats))


def _gauges(watched: Watched, stats: Stats) -> list[tuple[str, Labels, float]]:
    now = watched.clock.now()
    oldest = stats.oldest_unsent_ms
    age_s = max(0.0, (now.utc_ms - oldest) / 1000) if oldest is not None else 0.0
    return [
        *[("vitals_buffer_records", {"state": str(state)}, float(n)) for state, n in stats.records.items()],
        ("vitals_buffer_bytes", {}, float(stats.used_bytes)),
        ("vitals_oldest_unsent_seconds", {}, age_s),
        *[("vitals_source_up", {"source": link.name}, float(link.is_up)) for link in watched.links],
        ("vitals_clock_synchronised", {}, float(now.synchronised)),
    ]


def _link_json(link: LinkState) -> dict[str, Any]:
    return {
        "name": link.name,
        "kind": link.kind,
        "up": link.is_up,
        "why": link.why,
        "needs_person": link.needs_person,
        "frames": link.frames,
        "last_frame_at": utc_text(link.last_frame_ms) if link.last_frame_ms is not None else None,
    }


def _buffer_json(stats: Stats, now_ms: int) -> dict[str, Any]:
    oldest = stats.oldest_unsent_ms
    return {
        "records": {str(state): count for state, count in stats.records.items()},
        "bytes": stats.used_bytes,
        "size_max_bytes": stats.size_max_bytes,
        "is_full": stats.is_full,
        "oldest_unsent_s": None if oldest is None else max(0, (now_ms - oldest) // 1000),
        "newest_seq": stats.newest_seq,
        "sqlite_version": stats.sqlite_version,
    }
