"""
What the frames of one port say together: whose they are, what the device's clock shows, and which are kept.

Meters name themselves in the first frame of a session and send results after it; some answer with their clock before
that. Decoders remember nothing, so it is remembered here, until the line has been silent for `SESSION_S`: the next
meter on the same cable must not be given the last one's name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from drivers.contract import Driver
from drivers.transports.serial_options import SerialOptions
from drivers.transports.serial_thinner import Thinner
from gateway.core.errors import BadValue
from gateway.core.reading import Arrival, DeviceIdentity, Frame, Origin, Sample, SampleKind
from gateway.core.time import ClockPair, DeviceTime, Instant

TRANSPORT = "serial"
# Nobody changes the meter on a cable faster; the pauses between a meter's answers are shorter.
SESSION_S = 10.0
# Of what a driver refuses this many frames a minute are kept, enough to see why: a line set to the wrong speed makes
# some fifty a second, and would fill the store.
REFUSED_MAX = 3
_MINUTE_NS = 60 * 1_000_000_000
_NO_NAME = "The device does not say which one it is; add device to this source, or check its driver."
# What only tells the name or the clock; both go with every reading of the session.
_SESSION_WORDS = frozenset({"identity", "device_clock"})

# (what, how many): `thinned`, `refused`, `noise_bytes`
Count = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Span:
    """When a frame's first byte came, its last but for what ended it, and when it was known to be whole."""

    began: Instant
    last: Instant
    heard: Instant


class Session:
    """One port from its opening to its end."""

    def __init__(self, options: SerialOptions, driver: Driver, count: Count) -> None:
        self._options = options
        self._driver = driver
        self._count = count
        self._streams = driver.lines[options.source].streams
        self._thinner = Thinner(streams=self._streams)
        self._refused: list[int] = []
        self._named: DeviceIdentity | None = None
        self._pair: ClockPair | None = None
        self.complaint: str | None = None

    @property
    def has_clock(self) -> bool:
        """Whether the device's clock was read."""
        return self._pair is not None

    def end(self) -> None:
        """Whoever speaks next may be another device."""
        self._named, self._pair = None, None

    def arrival(self, payload: bytes, span: Span, *, in_step: bool) -> tuple[Arrival | None, bool]:
        """
        The frame as it is to be kept, or None, and whether the driver could read it.

        `in_step` says that no noise stood around the frame: in a stream the frame before or after is as good.
        """
        frame = Frame(payload, self._options.source)
        try:
            samples = self._driver.decode(frame)
            self._learn(samples, span)
        except Exception:  # noqa: BLE001 -- refused, or a driver's bug: intake names either, and the port stays open
            return self._rarely(self._arrival(frame, span)), False
        if not self._is_known(samples):
            self.complaint = _NO_NAME
            return self._rarely(self._arrival(frame, span)), True
        self.complaint = None
        return self._thinned(samples, self._arrival(frame, span), in_step=in_step), True

    def _thinned(self, samples: Sequence[Sample], arrival: Arrival, *, in_step: bool) -> Arrival | None:
        """The arrival with what is kept of its frame; None where nothing is."""
        told = [place for place, sample in enumerate(samples) if _tells_session(sample)]
        chosen = tuple(
            place
            for place, sample in enumerate(samples)
            if place not in told and self._takes(sample, arrival.heard.monotonic_ns, in_step=in_step)
        )
        if thinned := len(samples) - len(told) - len(chosen):
            self._count("thinned", thinned)
        if not chosen:
            return None
        return arrival if len(chosen) == len(samples) else replace(arrival, only=chosen)

    def _takes(self, sample: Sample, now_ns: int, *, in_step: bool) -> bool:
        if self._streams and not in_step and (sample.origin is Origin.LIVE or sample.device_time is None):
            return False  # formats without a check make such values of noise; the next ones are as good
        device = sample.device or self._device
        return self._thinner.takes(sample, device.id if device else "", now_ns)

    def _arrival(self, frame: Frame, span: Span) -> Arrival:
        return Arrival(
            frame=frame,
            driver=self._driver.name,
            heard=span.heard,
            transport=TRANSPORT,
            source=self._options.name,
            device=self._device,
            prompt=True,
            clock_pair=self._pair,
        )

    @property
    def _device(self) -> DeviceIdentity | None:
        return self._named or self._options.device

    def _is_known(self, samples: Sequence[Sample]) -> bool:
        return self._device is not None or all(sample.device or _tells_session(sample) for sample in samples)

    def _learn(self, samples: Sequence[Sample], span: Span) -> None:
        """The device's name and clock; raises BadValue where the driver's word on the clock is none."""
        for sample in samples:
            self._named = sample.device or self._named
        told = [now for sample in samples if (now := dict(sample.technical).get("device_now"))]
        if told:
            # one clock in a frame heads it; where every line has one, the last is the line that came last
            hub_now = span.began if len(told) == 1 else span.last
            self._pair = ClockPair(_civil(told[-1]), hub_now)

    def _rarely(self, arrival: Arrival) -> Arrival | None:
        """The arrival of a frame that will be refused, unless there were enough within a minute."""
        now_ns = arrival.heard.monotonic_ns
        self._refused = [at_ns for at_ns in self._refused if now_ns - at_ns < _MINUTE_NS]
        if len(self._refused) >= REFUSED_MAX:
            self._count("refused", 1)
            return None
        self._refused.append(now_ns)
        return arrival


def _tells_session(sample: Sample) -> bool:
    is_bare = sample.kind is SampleKind.STATUS and not sample.observations
    return is_bare and bool(sample.status) and _SESSION_WORDS.issuperset(sample.status)


def _civil(text: str) -> DeviceTime:
    now = DeviceTime.iso(text)
    if now.offset_minutes is not None:
        raise BadValue("The driver gave the device's clock with a zone it cannot know.")
    return now
