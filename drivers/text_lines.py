"""What the serial devices that send text share: lines, numbers as written, and what becomes of a line cut off."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal

from drivers.fields import BROKEN_CLOCK, Stamp
from drivers.framing import Framing, frames_in
from gateway.core.errors import BadValue, DecodeError, Truncated, UnknownLayout
from gateway.core.observation import Why
from gateway.core.reading import Sample, SampleKind

# A number as a display writes it: leading zeros, no exponent.
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII)
# A year of two digits: none of these devices is older than 1990.
_CENTURY_TURNS = 90
_RESULTS = frozenset({Why.ABOVE_RANGE, Why.BELOW_RANGE})

ReadLine = Callable[[str], tuple[Sample, ...]]


def each_line(payload: bytes, framing: Framing, read: ReadLine) -> tuple[Sample, ...]:
    """
    The samples of every line.

    A last line without its end that cannot be read was cut off, and is left out where a whole line stands before it.
    Raises Truncated for no bytes, UnknownLayout where no line is one of the device's.
    """
    if not payload:
        raise Truncated("The frame is empty.")
    is_whole = payload.endswith(b"\n")
    found = frames_in(payload if is_whole else payload + b"\n", framing)
    if not found:
        raise UnknownLayout("The frame holds no line of this device.")
    return tuple(_samples(found, read, is_whole=is_whole))


def _samples(found: list[bytes], read: ReadLine, *, is_whole: bool) -> Iterable[Sample]:
    for number, line in enumerate(found, start=1):
        try:
            yield from read(ascii_text(line).rstrip("\r\n"))
        except DecodeError:
            if is_whole or number == 1 or number < len(found):
                raise


def ascii_text(raw: bytes) -> str:
    """Bytes as ASCII text; raises BadValue. A bit 7 that is set speaks of wrong line settings."""
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise BadValue("The line is not ASCII text; check the port's data bits and parity.") from error


def number(text: str) -> Decimal:
    """A number as the device wrote it; raises BadValue."""
    if not _NUMBER.fullmatch(text):
        raise BadValue("A number of the line is not written in digits.")
    return Decimal(text)


def year(two_digits: str) -> int:
    """The year that two digits stand for."""
    short = int(two_digits)
    return (1900 if short >= _CENTURY_TURNS else 2000) + short


def stated_now(stamp: Stamp) -> tuple[tuple[str, str], ...]:
    """The device's clock at the moment of sending, for a clock pair: `device_now`, ISO 8601 without a zone."""
    return (("device_now", stamp.time.text),) if stamp.time else ()


def clock_only(stamp: Stamp) -> tuple[Sample, ...]:
    """An answer that is only the device's clock."""
    status = ("device_clock",) if stamp is not BROKEN_CLOCK else stamp.status
    return (Sample(kind=SampleKind.STATUS, status=status, technical=stated_now(stamp)),)


def settled(sample: Sample) -> Sample:
    """The sample, as a status where nothing was measured; a meter's HI or LO is a result without a number."""
    has_result = sample.measured or any(absent.why in _RESULTS for absent in sample.absent)
    return sample if has_result else replace(sample, kind=SampleKind.STATUS)
