"""
What of a stream is kept: one reading a minute for each device, and a status only where it changed.

An oximeter with a cable sends up to sixty values a second while the finger is in. Kept all, they would fill the store
in days and say nothing more; the raw stream is not kept. The rule, for drivers whose line `streams`:

    The first value the device calls good, a minute or more after the last one kept. Where for ten seconds of that time
    it calls none good, the first value with its reservation. What the device calls invalid is not kept.

A status without a value (finger out, searching, in motion) is kept where its words differ from the last one kept of
that device, once a minute at most; for every serial device, since scales say "in motion" ten times a second. What comes
from a device's memory is never thinned.
"""

from dataclasses import dataclass

from gateway.core.reading import Origin, Sample, SampleKind, Signal

EVERY_NS = 60 * 1_000_000_000
# A probe that was just put on settles within seconds; a device that has doubts for longer has them for a reason.
GRACE_NS = 10 * 1_000_000_000
# A damaged line can make up names of devices.
_DEVICES_MAX = 16


@dataclass(slots=True)
class _Seen:
    """Of one device: when a reading was kept, since when the next is due, and the status kept last."""

    kept_ns: int | None = None
    doubtful_since_ns: int | None = None
    status_ns: int | None = None
    status: tuple[str, ...] | None = None


class Thinner:
    """Pure but for what it remembers of each device; times are the hub's monotonic clock."""

    def __init__(self, *, streams: bool) -> None:
        self._streams = streams
        self._seen: dict[str, _Seen] = {}

    def takes(self, sample: Sample, device_id: str, now_ns: int) -> bool:
        """Whether this sample is kept."""
        if sample.origin is Origin.STORED:
            return True
        seen = self._of(device_id)
        if sample.kind is SampleKind.STATUS:
            return _takes_status(seen, sample, now_ns)
        return not self._streams or _takes_value(seen, sample, now_ns)

    def _of(self, device_id: str) -> _Seen:
        if device_id not in self._seen:
            if len(self._seen) >= _DEVICES_MAX:
                del self._seen[next(iter(self._seen))]
            self._seen[device_id] = _Seen()
        return self._seen[device_id]


def _takes_status(seen: _Seen, sample: Sample, now_ns: int) -> bool:
    seen.doubtful_since_ns = None
    if sample.status == seen.status or not _is_due(seen.status_ns, now_ns):
        return False
    seen.status, seen.status_ns = sample.status, now_ns
    return True


def _takes_value(seen: _Seen, sample: Sample, now_ns: int) -> bool:
    if sample.quality is Signal.INVALID or not _is_due(seen.kept_ns, now_ns):
        return False
    if sample.quality is Signal.CAUTION:
        if seen.doubtful_since_ns is None:
            seen.doubtful_since_ns = now_ns
        if now_ns - seen.doubtful_since_ns < GRACE_NS:
            return False
    seen.kept_ns, seen.doubtful_since_ns = now_ns, None
    seen.status = None  # the finger was in between: the next "finger out" is a change
    return True


def _is_due(last_ns: int | None, now_ns: int) -> bool:
    return last_ns is None or now_ns - last_ns >= EVERY_NS
