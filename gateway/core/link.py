"""The state of one road in or out, as `status`, metrics and the watchdog see it."""

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class LinkState:
    """
    Written by one transport or the uploader, read by health.

    `why` is one plain sentence for a person, set while the link is down or held. `settled` is set once the link came up
    or failed for the first time: READY waits for that and for nothing more. `alive_s` is the monotonic time of the last
    proof of life.
    """

    name: str
    kind: str
    is_up: bool = False
    needs_person: bool = False
    why: str | None = "not tried yet"
    frames: int = 0
    last_frame_ms: int | None = None
    alive_s: float = 0.0
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    def up(self, now_s: float) -> None:
        """The link works."""
        self.is_up, self.needs_person, self.why, self.alive_s = True, False, None, now_s
        self.settled.set()

    def down(self, why: str, *, needs_person: bool = False) -> None:
        """The link does not work, for this reason."""
        self.is_up, self.needs_person, self.why = False, needs_person, why
        self.settled.set()

    def heard(self, count: int, now_ms: int, now_s: float) -> None:
        """Frames came."""
        self.frames += count
        self.last_frame_ms, self.alive_s = now_ms, now_s
