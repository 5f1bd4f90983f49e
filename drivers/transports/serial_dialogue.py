"""
What is said to a device that answers only when asked, and when. Pure: it is told the time and gives bytes.

A meter is looked for every quarter of a minute with the first of the driver's questions. Where it answers, the others
follow, and then the meter is left alone: as long as it stays it is only looked for, and its memory is read again after
ten minutes. A device that streams is asked to begin, and then kept awake.
"""

from drivers.framing import SerialLine

# A person who plugs a meter in waits this long at most until it is read.
LOOK_S = 15.0
# How long an answer may take to begin, and a pause within it.
ANSWER_S = 1.5
# A memory is read again after this: a test made while the meter hangs on its cable.
AGAIN_S = 600.0
# Contec: "send every 5 s".
ALIVE_S = 5.0


class Dialogue:
    """One port's questions."""

    def __init__(self, line: SerialLine) -> None:
        self._asks = line.asks
        self._alive = line.alive
        self._next = 0
        self._frames = 0
        self._read_s: float | None = None

    def turn(self, now_s: float, quiet_s: float, frames: int, *, has_clock: bool) -> tuple[bytes, float]:
        """
        What to send now, perhaps nothing, and after how many seconds to ask this again.

        `quiet_s` is how long no byte has come, `frames` how many frames the driver has read since the port was opened,
        `has_clock` whether this session knows the device's clock: a memory read without it would never be trusted.
        """
        if self._next and not self._alive and quiet_s < ANSWER_S:
            return b"", ANSWER_S - quiet_s  # the answer is still coming
        answered, self._frames = frames > self._frames, frames
        if self._alive:
            return (self._alive if answered else self._asks[0]), ALIVE_S
        if self._next == 0:
            return self._ask()
        is_ready = has_clock or self._next < len(self._asks) - 1
        return self._follow(now_s, is_there=answered and is_ready)

    def _follow(self, now_s: float, *, is_there: bool) -> tuple[bytes, float]:
        is_due = self._read_s is None or now_s - self._read_s >= AGAIN_S
        if is_there and is_due and self._next < len(self._asks):
            return self._ask()
        if not is_there:
            self._read_s = None
        elif is_due:
            self._read_s = now_s
        self._next = 0
        return b"", LOOK_S

    def _ask(self) -> tuple[bytes, float]:
        words = self._asks[self._next]
        self._next += 1
        return words, ANSWER_S
