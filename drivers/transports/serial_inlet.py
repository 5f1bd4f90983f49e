"""
From an open port to arrivals that wait for the store.

The loop calls when bytes are there (no thread, no polling); a timer runs only while part of a frame is held. What waits
for the store has a limit: beyond it the port is not read, and what the device sends meanwhile is lost with it.
"""

import asyncio
import contextlib
import math
import os
import termios
from collections.abc import Sequence

from drivers.framing import Framer, SerialLine
from drivers.transports.serial_session import SESSION_S, Count, Session, Span
from gateway.core.errors import LinkLost
from gateway.core.link import LinkState
from gateway.core.reading import Arrival
from gateway.core.time import Clock, Instant

READ_BYTES = 4096  # what the kernel's line discipline holds
# What may wait for the store; a port at 115,200 baud brings 11 kB a second.
WAITING_BYTES_MAX = 1_048_576
_ARRIVAL_COST_BYTES = 1024  # the objects around a frame
# Noise without a frame from here on is a mistake of the settings: some seconds of a wrong speed.
NOISE_BYTES_MAX = 4096

_GONE = "The device was unplugged; plug it in again."
_NOISE = "Only noise comes from this port; check driver, source, baud and mode, and the cable."


class Inlet:
    """
    What comes from one port.

    failure   why it ended
    frames    how many frames the driver could read
    note      a sentence about the port for `status`, where nothing is wrong
    """

    def __init__(
        self, fd: int, line: SerialLine, session: Session, clock: Clock, link: LinkState, count: Count
    ) -> None:
        self._fd = fd
        self._line = line
        self._session = session
        self._clock = clock
        self._link = link
        self._count = count
        self._framer = Framer(line.framing)
        self._began = self._last = clock.now()
        self._noise_bytes = 0
        self._arrivals: list[Arrival] = []
        self._waiting_bytes = 0
        self._is_reading = False
        self._is_full = False
        self._changed = asyncio.Event()
        self._held = asyncio.Event()
        self.failure: BaseException | None = None
        self.frames = 0
        self.note: str | None = None

    def open(self) -> None:
        """Begin to read."""
        asyncio.get_running_loop().add_reader(self._fd, self._readable)
        self._is_reading = True
        self._show()

    def close(self) -> None:
        """Read no more."""
        asyncio.get_running_loop().remove_reader(self._fd)
        self._is_reading = False

    def fail(self, error: BaseException) -> None:
        """End: whoever waits for a group hears why, once everything that came is taken."""
        self.close()
        self.failure = self.failure or error
        self._changed.set()

    @property
    def quiet_s(self) -> float:
        """How long no byte has come."""
        return (self._clock.now().monotonic_ns - self._last.monotonic_ns) / 1e9

    @property
    def has_clock(self) -> bool:
        """Whether this session knows the device's clock."""
        return self._session.has_clock

    async def group(self) -> list[Arrival]:
        """Everything that waits, at least one; raises why the port ended."""
        while not self._arrivals:
            if self.failure is not None:
                raise self.failure
            self._changed.clear()
            await self._changed.wait()
        return self.rest()

    def rest(self) -> list[Arrival]:
        """Everything that waits."""
        group, self._arrivals = self._arrivals, []
        return group

    def full(self, why: str) -> None:
        """The store has no room."""
        self._is_full = True
        self._link.down(why)

    def kept(self) -> None:
        """The last group is durable: there is room for what waits."""
        self._is_full = False
        self._waiting_bytes = sum(len(one.frame.payload) + _ARRIVAL_COST_BYTES for one in self._arrivals)
        if not self._is_reading and self.failure is None and self._waiting_bytes <= WAITING_BYTES_MAX:
            self._count("stalls", 1)
            self._forget()
            self.open()
        self._show()

    async def watch_silence(self) -> None:
        """What is held when the line falls silent is a frame, or will never be one. Looks only while bytes are held."""
        while True:
            await self._held.wait()
            left_s = self._line.framing.silence_s - self.quiet_s
            if left_s > 0:
                await self._clock.sleep(left_s)
            else:
                self._silent()

    def _readable(self) -> None:
        try:
            chunk = os.read(self._fd, READ_BYTES)
            if chunk:
                self._take(chunk)
            else:
                self.fail(LinkLost(_GONE))
        except BlockingIOError:
            return
        except OSError:
            self.fail(LinkLost(_GONE))
        except Exception as error:  # noqa: BLE001 -- forwarded: `group` raises it
            self.fail(error)

    def _take(self, chunk: bytes) -> None:
        now = self._clock.now()
        quiet_s = (now.monotonic_ns - self._last.monotonic_ns) / 1e9
        if self._framer.held and quiet_s >= self._line.framing.silence_s:
            self._silent()  # the timer is late
        if quiet_s > SESSION_S:
            self._session.end()
        was_held, dropped = self._framer.held, self._framer.dropped
        span = Span(self._began, self._last, now) if was_held else Span(now, now, now)
        frames = self._framer.feed(chunk)
        if frames or not was_held:
            self._began = now
        self._last = now
        self._arrived(frames, span, self._framer.dropped - dropped)
        if self._framer.held:
            self._held.set()

    def _silent(self) -> None:
        self._held.clear()
        span = Span(self._began, self._last, self._clock.now())
        dropped = self._framer.dropped
        frames = self._framer.silent()
        self._arrived(frames, span, self._framer.dropped - dropped)

    def _arrived(self, frames: Sequence[bytes], span: Span, noise_bytes: int) -> None:
        """Make arrivals of what was cut from the line."""
        read = 0
        for frame in frames:
            arrival, could_read = self._session.arrival(frame, span, in_step=not noise_bytes)
            read += could_read
            span = Span(span.heard, span.heard, span.heard)
            if arrival is not None:
                self._arrivals.append(arrival)
                self._waiting_bytes += len(frame) + _ARRIVAL_COST_BYTES
        if noise_bytes:
            self._count("noise_bytes", noise_bytes)
        self._note(read, noise_bytes + sum(map(len, frames)), span.heard)
        if self._arrivals:
            self._changed.set()
        if self._waiting_bytes > WAITING_BYTES_MAX and self._is_reading:
            self.close()

    def _note(self, read: int, taken_bytes: int, heard: Instant) -> None:
        self._noise_bytes = 0 if read else self._noise_bytes + taken_bytes
        if read:
            self.frames += read
            self._link.heard(read, heard.utc_ms, self._clock.monotonic_s())
        self._show()

    def _show(self) -> None:
        """The link's state: up, with what a person should know."""
        if self.failure is not None or self._is_full:
            return
        self._link.up(self._clock.monotonic_s())
        # a device nobody uses is no fault, and the kernel tells when a port goes: no sign of life is expected
        self._link.alive_s = math.inf
        complaint = _NOISE if self._noise_bytes > NOISE_BYTES_MAX else self._session.complaint
        self._link.needs_person = complaint is not None
        self._link.why = complaint or self.note

    def _forget(self) -> None:
        """After a pause in reading: what the kernel held is of an unknown time, and what follows it was lost."""
        with contextlib.suppress(termios.error):
            termios.tcflush(self._fd, termios.TCIFLUSH)
        self._framer = Framer(self._line.framing)
        self._session.end()
