"""
What a device file exports: one `DRIVER`, a pure function for each source, and a data sheet.

A decoder sees bytes and nothing else: no clock, no log, no memory of earlier frames. It returns every sample the frame
holds (none for a heartbeat) or raises a DecodeError with one plain sentence.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from drivers.framing import SerialLine
from gateway.core.errors import UnknownLayout
from gateway.core.reading import Arrival, Frame, Sample

Decode = Callable[[Frame], tuple[Sample, ...]]

# What a transport is given: when it returns, everything it was handed survives a power cut, and only then may a
# device or broker hear "yes". Raises StoreFull or StoreBroken, never DecodeError: bad bytes are kept too.
Keep = Callable[[Sequence[Arrival]], Awaitable[object]]

# The one source of a driver that reads a single format.
PAYLOAD = "payload"


class Link(StrEnum):
    """The road a device's bytes take."""

    BLE = "ble"
    SERIAL = "serial"
    MQTT = "mqtt"  # MQTT or a vendor's webhook: the payload is the same


class Form(StrEnum):
    """How a frame is written on a line of `decode`: as hex, or as the payload itself."""

    HEX = "hex"
    TEXT = "text"


class Grade(StrEnum):
    """How well the protocol is known."""

    A = "A"  # the maker's or the SIG's document, and captures
    B = "B"  # several independent open implementations, or one with captures
    C = "C"  # one open implementation or a partial document
    D = "D"  # fragments


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """
    Everything the gateway knows of a device family.

    sources      source name -> pure decoder; `PAYLOAD` alone where there is one format
    models       names a technician would look for
    reads        modalities
    documented   who says what the bytes mean
    lines        source name -> how its bytes come over a serial port; drivers of serial devices alone have it
    repeat_s     frames without a time or number of their own that repeat within this are one event (advertisements)
    """

    name: str
    version: int
    link: Link
    sources: Mapping[str, Decode]
    models: tuple[str, ...]
    reads: tuple[str, ...]
    grade: Grade
    documented: str
    form: Form = Form.HEX
    lines: Mapping[str, SerialLine] = field(default_factory=dict)
    repeat_s: int = 0

    def __post_init__(self) -> None:
        """Freeze the tables."""
        object.__setattr__(self, "sources", MappingProxyType(dict(self.sources)))
        object.__setattr__(self, "lines", MappingProxyType(dict(self.lines)))

    def decode(self, frame: Frame) -> tuple[Sample, ...]:
        """
        Every sample in the frame; raises DecodeError.

        A driver with one source reads every frame with it; otherwise the frame must name its source.
        """
        if len(self.sources) == 1:
            (only,) = self.sources.values()
            return only(frame)
        if frame.source is None or frame.source not in self.sources:
            known = ", ".join(self.sources)
            raise UnknownLayout(f"{self.name} reads several formats; name one of {known}.")
        return self.sources[frame.source](frame)
