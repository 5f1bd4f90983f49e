"""How much may be sent again on the backend's word. Pure: the time is an argument."""

from collections.abc import Sequence
from dataclasses import dataclass

# A backend restored from yesterday's copy misses a day: a clinic's 100,000 records. One that always asks for everything
# gets them once a day, not with each answer.
_RECORDS_MAX = 100_000
_REFILL_S = 24 * 3600.0


@dataclass(slots=True)
class Allowance:
    """Records that may still be sent again; full at the start, and again a day after it was used up."""

    left: float = float(_RECORDS_MAX)
    seen_s: float | None = None

    def within(self, ranges: Sequence[tuple[int, int]], now_s: float) -> list[tuple[int, int]]:
        """As much of these ranges as is allowed now, from their beginning. Nothing is spent yet."""
        self._refill(now_s)
        room, kept = int(self.left), []
        for first, last in ranges:
            if room <= 0:
                break
            kept.append((first, min(last, first + room - 1)))
            room -= kept[-1][1] - first + 1
        return kept

    def spend(self, records: int) -> None:
        """So many are sent again: what the backend holds or never got costs nothing."""
        self.left = max(0.0, self.left - records)

    def _refill(self, now_s: float) -> None:
        past_s = now_s - (now_s if self.seen_s is None else self.seen_s)
        self.left = min(float(_RECORDS_MAX), self.left + past_s * _RECORDS_MAX / _REFILL_S)
        self.seen_s = now_s
