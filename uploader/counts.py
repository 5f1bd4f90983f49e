"""What the uploader has done since it started, for metrics and `status`."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class UploadCounts:
    """
    Written by the loop, read by metrics.

    attempts   requests by outcome: settled, split, hold, again
    records    records by the backend's word: accepted, duplicate, refused
    sent_bytes bodies as they went out, every try of them
    asked_again  records sent again because the backend missed them
    """

    attempts: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    sent_bytes: int = 0
    asked_again: int = 0

    def by_outcome(self) -> dict[str, int]:
        """`vitals_upload_attempts_total` by its label."""
        return dict(self.attempts)
