"""
Times: the device's own, the hub's, and how one is placed on the other.

The device's clock is kept as it said, uncorrected, for ever. Where a measurement lies on the world's time line is a
separate, derived statement (`Placed`) that names its source, its quality and its uncertainty.
Source of the rules: HL7 PHD Implementation Guide, "Coincident Time Stamp", the table of which device times to trust.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

from gateway.core.errors import BadValue

# A clock that shows an earlier year was never set: real dumps show 1970, 2000, 2007, 2010, 2016, 2017.
FIRST_PLAUSIBLE_YEAR = 2020
LAST_PLAUSIBLE_YEAR = 2099
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_OFFSET_MINUTES_MAX = 14 * 60  # UTC+14, Kiribati: the largest in the IANA data


@dataclass(frozen=True, slots=True)
class DeviceTime:
    """
    What the device's clock said: a civil time, with an offset from UTC only where the frame gives one.

    `estimated` repeats a device's own word that the time was guessed (Tenovi).
    """

    local: datetime
    offset_minutes: int | None = None
    estimated: bool = False

    @classmethod
    def civil(cls, *fields: int, offset_minutes: int | None = None) -> "DeviceTime":
        """From year, month, day, hour, minute, second; raises BadValue where they are no date."""
        try:
            local = datetime(*fields)  # type: ignore[arg-type] # noqa: DTZ001 -- a device's clock has no zone
        except (ValueError, OverflowError) as error:
            raise BadValue("The frame's time is no date that exists.") from error
        return cls(local, offset_minutes)

    @classmethod
    def epoch_ms(cls, ms: int) -> "DeviceTime":
        """From milliseconds since 1970 in UTC; raises BadValue outside the years 1 to 9999."""
        try:
            return cls((_EPOCH + ms * _MILLISECOND).replace(tzinfo=None), 0)
        except OverflowError as error:
            raise BadValue("The frame's time lies outside the calendar.") from error

    @classmethod
    def iso(cls, text: str) -> "DeviceTime":
        """From ISO 8601 / RFC 3339 text, with or without an offset; raises BadValue for anything else."""
        try:
            parsed = datetime.fromisoformat(text)
        except ValueError as error:
            raise BadValue("The frame's time is not written as a date and time.") from error
        if "T" not in text.upper() and " " not in text:
            raise BadValue("The frame's time has a date and no time of day.")
        offset = parsed.utcoffset()
        if offset is None:
            return cls(parsed)
        minutes, rest = divmod(offset.days * 86_400 + offset.seconds, 60)
        if rest or offset.microseconds or abs(minutes) > _OFFSET_MINUTES_MAX:
            raise BadValue("The frame's offset from UTC is not one that exists.")
        return cls(parsed.replace(tzinfo=None), minutes)

    @property
    def utc_ms(self) -> int | None:
        """Milliseconds since 1970 by the device's clock; None without an offset."""
        if self.offset_minutes is None:
            return None
        since = self.local.replace(tzinfo=UTC) - _EPOCH
        return since // _MILLISECOND - self.offset_minutes * 60_000

    @property
    def text(self) -> str:
        """ISO 8601, with the offset only where the frame gave one."""
        if self.offset_minutes is None:
            return self.local.isoformat()
        if self.offset_minutes == 0:
            return self.local.isoformat() + "+00:00"
        sign = "-" if self.offset_minutes < 0 else "+"
        hours, minutes = divmod(abs(self.offset_minutes), 60)
        return f"{self.local.isoformat()}{sign}{hours:02}:{minutes:02}"


@dataclass(frozen=True, slots=True)
class Instant:
    """Hub time that can be corrected once the clock is set: wall clock, monotonic clock and boot."""

    utc_ms: int
    monotonic_ns: int
    boot_id: str
    synchronised: bool

    @property
    def text(self) -> str:
        """UTC with milliseconds, as `received_at` in an upload."""
        return utc_text(self.utc_ms)


@dataclass(frozen=True, slots=True)
class ClockPair:
    """Both clocks read in one session: the only way an unzoned device time becomes hub time."""

    device_now: DeviceTime
    hub_now: Instant


class Clock(Protocol):
    """Time as an argument: passed in, never imported."""

    def now(self) -> Instant:
        """The hub's time."""

    def monotonic_s(self) -> float:
        """Seconds that never go back within a boot."""

    def sleep(self, delay_s: float) -> Awaitable[None]:
        """Wait."""


class Quality(StrEnum):
    """How far a measurement's place on the time line can be trusted."""

    SYNCED = "synced"  # the device's own clock carries its offset from UTC
    MAPPED = "mapped"  # placed by a clock pair
    RECEIVED = "received"  # a live value without a clock: time of reception by a synchronised hub
    ESTIMATED = "estimated"  # the device says it guessed
    UNTRUSTED = "untrusted"  # no place can be asserted


TRUSTED = frozenset({Quality.SYNCED, Quality.MAPPED, Quality.RECEIVED})


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a measurement lies on the time line; `utc_ms` is None where nothing can be asserted."""

    utc_ms: int | None
    source: str  # device | hub | none
    quality: Quality
    offset_s: str | None = None  # what was added to the device's clock, decimal seconds
    uncertainty_s: str | None = None

    @property
    def trusted(self) -> bool:
        """Whether a day may be counted on it."""
        return self.quality in TRUSTED and self.utc_ms is not None


def place(
    device_time: DeviceTime | None, heard: Instant, pair: ClockPair | None, zone: ZoneInfo, *, prompt: bool
) -> Placed:
    """
    Place a measurement on the time line; `zone` is where the device's unzoned clock stands.

    `prompt` says that the frame reached the hub as it was measured: a live value over a direct link, never a stored
    record, a retained value or a message a broker may have held.
    """
    if device_time is None:
        return _received(heard) if prompt else Placed(None, "none", Quality.UNTRUSTED)
    if (own_ms := device_time.utc_ms) is not None:
        return _own_word(device_time, own_ms)
    if pair is not None:
        return _mapped(device_time, pair, zone)
    return _received(heard) if prompt else Placed(None, "none", Quality.UNTRUSTED)


def _received(heard: Instant) -> Placed:
    quality = Quality.RECEIVED if heard.synchronised else Quality.UNTRUSTED
    return Placed(heard.utc_ms, "hub", quality, uncertainty_s="60.0")


def _own_word(device_time: DeviceTime, utc_ms: int) -> Placed:
    if not _plausible(device_time):
        return Placed(None, "none", Quality.UNTRUSTED)
    quality = Quality.ESTIMATED if device_time.estimated else Quality.SYNCED
    return Placed(utc_ms, "device", quality, offset_s="0.0", uncertainty_s="1.0")


def _mapped(device_time: DeviceTime, pair: ClockPair, zone: ZoneInfo) -> Placed:
    age = pair.device_now.local - device_time.local
    if age < timedelta(0) or not pair.hub_now.synchronised or not _plausible(pair.device_now):
        return Placed(None, "none", Quality.UNTRUSTED)
    utc_ms = pair.hub_now.utc_ms - age // _MILLISECOND
    measured = _civil(utc_ms, zone).replace(tzinfo=None)
    offset_s = f"{(measured - device_time.local) / timedelta(seconds=1):.1f}"
    return Placed(utc_ms, "device", Quality.MAPPED, offset_s=offset_s, uncertainty_s="1.0")


def _plausible(device_time: DeviceTime) -> bool:
    return FIRST_PLAUSIBLE_YEAR <= device_time.local.year <= LAST_PLAUSIBLE_YEAR


def _civil(utc_ms: int, zone: tzinfo) -> datetime:
    return (_EPOCH + utc_ms * _MILLISECOND).astimezone(zone)


def utc_text(utc_ms: int) -> str:
    """Milliseconds since 1970 as `2026-11-21T14:00:03.120Z`."""
    return (_EPOCH + utc_ms * _MILLISECOND).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def local_text(utc_ms: int, zone: ZoneInfo) -> str:
    """Milliseconds since 1970 as civil time with its offset; a fraction only where there is one."""
    local = _civil(utc_ms, zone)
    return local.isoformat(timespec="milliseconds" if local.microsecond else "seconds")


def local_date(utc_ms: int, zone: ZoneInfo) -> str:
    """The civil date in a zone, `2026-11-21`."""
    return _civil(utc_ms, zone).date().isoformat()
