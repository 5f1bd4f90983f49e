"""
The only module that asks the machine for the time.

Whether the hub's clock is synchronised is the kernel's word (adjtimex, STA_UNSYNC), which chrony, ntpd and
systemd-timesyncd all set. Capture never waits for it.
"""

import asyncio
import ctypes
import time
import uuid
from pathlib import Path

from gateway.core.time import Instant

_STA_UNSYNC = 0x0040  # linux/timex.h
_TIME_ERROR = 5  # adjtimex's state when the clock is not synchronised
# How long the kernel's word is repeated, by either clock: where somebody set the wall clock, it is asked at once.
_ASK_EVERY_NS = 1_000_000_000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class _Timex(ctypes.Structure):
    """struct timex as far as it is read here; the rest is room for the kernel to write into."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


class HubClock:
    """Wall clock, monotonic clock and boot of this machine."""

    def __init__(self) -> None:
        self._boot_id = _boot_id()
        self._adjtimex = _find_adjtimex()
        self._asked_ns = (0, 0)
        self._synchronised = False

    def now(self) -> Instant:
        """Hub time at this moment."""
        utc_ns, monotonic_ns = time.time_ns(), time.monotonic_ns()
        asked_utc_ns, asked_ns = self._asked_ns
        if not 0 <= utc_ns - asked_utc_ns < _ASK_EVERY_NS or monotonic_ns - asked_ns >= _ASK_EVERY_NS:
            self._asked_ns, self._synchronised = (utc_ns, monotonic_ns), self.synchronised()
        return Instant(utc_ns // 1_000_000, monotonic_ns, self._boot_id, self._synchronised)

    def monotonic_s(self) -> float:
        """Seconds since some moment of this boot."""
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        """Wait."""
        await asyncio.sleep(delay_s)

    def synchronised(self) -> bool:
        """Whether the kernel says that the clock follows a time source."""
        if self._adjtimex is None:
            return False
        answer = _Timex()
        state = self._adjtimex(ctypes.byref(answer))
        return state not in (-1, _TIME_ERROR) and not answer.status & _STA_UNSYNC


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return uuid.uuid4().hex  # no procfs: a run is then a boot of its own, which only makes times less trusted


def _find_adjtimex() -> "ctypes._NamedFuncPointer | None":
    try:
        found = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    found.restype = ctypes.c_int
    return found
