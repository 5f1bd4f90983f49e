"""
What only a person can mend, a sentence each, and what they can do about it.

The state of this moment, and the technical issues on the ledger that have lasted: those are known after a restart too,
and where no daemon runs. Pure.
"""

from collections.abc import Iterable, Sequence

from buffer.rows import Stats
from gateway.core.batch import State
from gateway.core.link import LinkState
from gateway.core.time import Instant
from gateway.troubles import BATTERY, OFFLINE, SILENT, SOURCE_DOWN, Issue

NOT_RUNNING = "The daemon does not run; `systemctl start vitals-gateway`, and `journalctl -u vitals-gateway` says why."
CLOCK = "The clock follows no time source; turn on systemd-timesyncd or chrony, or connect the network."

# A road that is down is tried again by itself; after an hour somebody should look. The same hour is in operations.md.
_DOWN_MS = 3_600_000
# A meter's cable is plugged in when the meter is read: its absence is no fault, and what is one says so at once.
_MAY_BE_AWAY = "serial"


def wanting(links: Sequence[LinkState], stats: Stats, now: Instant) -> list[str]:
    """What a look at this moment finds."""
    sentences = [f"{link.name}: {link.why}" for link in links if link.needs_person]
    if not now.synchronised:
        sentences.append(CLOCK)
    if stats.is_full:
        sentences.append(_full(stats))
    if stats.damage:
        sentences.append(stats.damage)
    if refused := stats.records.get(State.REFUSED, 0):
        sentences.append(f"The backend refused {refused} records; `vitals-gateway queue` shows why.")
    return sentences


def lasting(issues: Iterable[Issue], links: Sequence[LinkState], now_ms: int) -> list[str]:
    """What has lasted so long that it no longer mends itself; a link that is up again, or held, is not told here."""
    down = {link.name: link for link in links if not link.is_up and not link.needs_person}
    sentences = []
    for issue in issues:
        hours = (now_ms - issue.start_ms) // _DOWN_MS
        if issue.kind in (OFFLINE, SOURCE_DOWN) and hours and issue.subject in down:
            link = down[issue.subject]
            if link.kind != _MAY_BE_AWAY:
                sentences.append(f"{link.name}: down for {hours} hours. {link.why}")
        elif issue.kind == SILENT:
            sentences.append(f"{issue.subject} sent daily and now nothing for {hours} hours; ask the patient.")
        elif issue.kind == BATTERY:
            sentences.append(f"{issue.subject} reports a low battery; change it.")
    return sentences


def _full(stats: Stats) -> str:
    if stats.used_bytes < stats.size_max_bytes // 2:  # far below what it may take: it is not its size that stops it
        return "The disk is full: readings are refused until there is room on it; free some."
    return "The store is full: readings are refused until the backend accepts or size_max_mb is raised."
