"""
From a byte stream to frames: what a serial port hands over has no edges of its own.

A `Cut` looks at the bytes from one place on and says what they are: n > 0, a frame of n bytes; n < 0, that many bytes
are part of no frame; 0, not to be said without more. A Framer applies it to whatever arrives in whatever pieces: the
frames are the same however the stream was split, what fits no frame is counted and costs no frame after it, and what
waits for the rest of a frame is never longer than the longest frame.

The rules of entering mid-frame and finding the next frame: device pages 1 and 2, kept in each driver's data sheet.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

Cut = Callable[[bytes], int]
# How many bytes the frame that begins here has: 0 where more are needed to say, below 0 where none begins here.
SizeOf = Callable[[bytes], int]

# Far above any text line of the devices: the longest, a Contour's header, has 240 bytes.
LINE_BYTES_MAX = 512
# A device that falls silent mid-frame for this long was unplugged or the frame is damaged: at the slowest line, 1200
# baud, a byte takes 9 ms.
SILENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Framing:
    """
    How one format's frames are found.

    longest     bytes; what is undecided at this length is no frame
    keeps_rest  what is held when the line falls silent is a frame too: formats with no sync byte or no last line
    may_hide    a damaged length can make a Framer wait while whole frames stand behind it
    silence_s   how long no byte comes before the line counts as silent
    """

    cut: Cut
    longest: int
    keeps_rest: bool = False
    may_hide: bool = False
    silence_s: float = SILENCE_S


@dataclass(frozen=True, slots=True)
class SerialLine:
    """
    How a format comes over a port.

    baud     bits per second
    mode     data bits, parity and stop bits
    streams  the device sends values as long as it is worn: a few a minute are kept, not sixty a second
    names    the frames, or the first of a session, say which device it is
    asks     what a hub may send to have the device answer, the first of them to see whether one is there. Nothing else
             is ever written to a port, and nothing that erases, sets or releases a record stands here.
    alive    what keeps a device sending that was asked once
    """

    baud: int
    framing: Framing
    mode: str = "8N1"
    streams: bool = False
    names: bool = False
    asks: tuple[bytes, ...] = ()
    alive: bytes = b""


class Framer:
    """Cuts one stream; `dropped` counts the bytes that were part of no frame."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._held = bytearray()
        self.dropped = 0

    @property
    def held(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return len(self._held)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Every frame that is complete now."""
        self._held += chunk
        longest = self._framing.longest
        frames: list[bytes] = []
        at = 0
        while at < len(self._held):
            window = bytes(self._held[at : at + longest])
            size = self._framing.cut(window)
            if size == 0 and len(window) < longest:
                break
            if size > 0:
                frames.append(window[:size])
            else:
                # undecided at full length: whatever this is, it is no frame
                self.dropped += -size or len(window)
            at += abs(size) or len(window)
        del self._held[:at]
        return frames

    def silent(self) -> list[bytes]:
        """The line fell silent: what is held is a frame of its own or will never become one."""
        frames: list[bytes] = []
        while self._held and self._framing.may_hide:
            self.dropped += 1
            del self._held[:1]
            frames += self.feed(b"")
        rest = bytes(self._held)
        self._held.clear()
        if rest and self._framing.keeps_rest:
            return [rest]
        self.dropped += len(rest)
        return frames


def frames_in(payload: bytes, framing: Framing) -> list[bytes]:
    """Every whole frame of bytes that are all there; what lies before, between and after them is passed over."""
    framer = Framer(framing)
    return framer.feed(payload) + framer.silent()


def lines(start: bytes, longest: int = LINE_BYTES_MAX) -> Framing:
    """Lines that end with LF and hold `start`, a pattern; what stands before its last match in a line is noise."""
    pattern = re.compile(start)

    def cut(window: bytes) -> int:
        size = window.find(b"\n") + 1
        if not size and len(window) < longest:
            return 0
        begin = max((match.start() for match in pattern.finditer(window, 0, size or longest)), default=-1)
        if begin > 0:
            return -begin
        if not size:
            # the half that stays may hold the beginning of a line's start
            return -(longest // 2)
        return size if begin == 0 else -size

    return Framing(cut, longest)


def between(start: bytes, end: bytes, longest: int) -> Framing:
    """Frames from `start` to `end`, both included; a frame that begins again before its end was cut off."""

    def cut(window: bytes) -> int:
        begin = window.find(start)
        if begin < 0:
            return -_without_beginning_of(start, window)
        if begin:
            return -begin
        close = window.find(end, len(start))
        again = window.rfind(start, len(start), close if close >= 0 else len(window))
        if again > 0:
            return -again
        if close < 0:
            return -_without_beginning_of(start, window) if len(window) >= longest else 0
        return close + len(end)

    return Framing(cut, longest)


def ended(end: bytes, longest: int) -> Framing:
    """Frames that run up to a match of `end`, a pattern: replies of many lines with one check for all."""
    pattern = re.compile(end)

    def cut(window: bytes) -> int:
        match = pattern.search(window)
        return match.end() if match else 0

    return Framing(cut, longest)


def blocks(header: bytes, longest: int, silence_s: float) -> Framing:
    """Frames from one `header` line, a pattern, up to the next: lines that mean nothing without what heads them."""
    pattern = re.compile(header)

    def cut(window: bytes) -> int:
        # the header line itself must be whole, or its pattern may yet match
        first_line = window.find(b"\n") + 1
        match = pattern.search(window, first_line) if first_line else None
        if match is None and len(window) >= longest:
            return window.rfind(b"\n") + 1
        return match.start() if match else 0

    return Framing(cut, longest, keeps_rest=True, silence_s=silence_s)


def sized(first: bytes, size_of: SizeOf, longest: int, holds: Callable[[bytes], bool] | None = None) -> Framing:
    """Frames whose length follows from how they begin: `first` is a pattern of one byte, `holds` their check."""
    pattern = re.compile(first, re.DOTALL)

    def cut(window: bytes) -> int:
        size = size_of(window) if pattern.match(window) else -1
        if size == 0 or size > len(window):
            return 0 if size <= longest else _to_next(window)
        if size > 0 and (holds is None or holds(window[:size])):
            return size
        return _to_next(window)

    def _to_next(window: bytes) -> int:
        match = pattern.search(window, 1)
        return -(match.start() if match else len(window))

    return Framing(cut, longest, may_hide=True)


def fixed(first: bytes, size: int, holds: Callable[[bytes], bool]) -> Framing:
    """Frames of one length: `first` is a pattern of one byte, `holds` what must be true of a whole frame."""
    return sized(first, lambda _window: size, size, holds)


def by_silence(longest: int, silence_s: float) -> Framing:
    """Frames that only a pause sets apart: formats without sync byte and check."""
    return Framing(lambda _window: 0, longest, keeps_rest=True, silence_s=silence_s)


def _without_beginning_of(start: bytes, window: bytes) -> int:
    """How many bytes of the window cannot be the beginning of `start`."""
    for size in range(min(len(start) - 1, len(window)), 0, -1):
        if window.endswith(start[:size]):
            return len(window) - size
    return len(window)
