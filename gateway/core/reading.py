"""
From what a frame says to what is kept: Frame, Sample, Arrival, Reading.

A driver turns a Frame into Samples and knows nothing else. The path the bytes took (Arrival) adds who, when and how.
Capture is decided here and nowhere else, from the path: a driver may lower it, nothing can raise it.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from gateway.core.observation import Absent, Kind, Measured, Observation
from gateway.core.time import ClockPair, DeviceTime, Instant, Placed, local_text


@dataclass(frozen=True, slots=True)
class Frame:
    """The bytes a device sent, unchanged. `source` is the characteristic or format, `topic` the MQTT topic."""

    payload: bytes
    source: str | None = None
    topic: str | None = None

    @property
    def text(self) -> str:
        """As it stands in a record: the text of a JSON payload, else hex."""
        if self.payload[:1] in (b"{", b"["):
            try:
                return self.payload.decode("utf-8")
            except UnicodeDecodeError:
                pass
        return self.payload.hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceIdentity:
    """Which device. `id` is `<namespace>:<the device's own id>`; never a person's name."""

    id: str
    manufacturer: str | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    udi_di: str | None = None


class SampleKind(StrEnum):
    """What a frame is."""

    READING = "reading"
    ALERT_WITH_VALUE = "alert_with_value"
    ALERT_TECHNICAL = "alert_technical"
    STATUS = "status"


class Context(StrEnum):
    """What the value belongs to, as the device says."""

    NORMAL = "normal"
    TEST = "test"
    CONTROL = "control"
    SETUP_DEMO = "setup_demo"


class Origin(StrEnum):
    """Measured just now, or read from the device's memory."""

    LIVE = "live"
    STORED = "stored"


class Signal(StrEnum):
    """The device's own word on how good the measurement is; never our judgement of the physiology."""

    OK = "ok"
    CAUTION = "caution"
    INVALID = "invalid"


class Metric(StrEnum):
    """What class of data a billing rule sees."""

    PHYSIOLOGIC = "physiologic"
    THERAPEUTIC = "therapeutic"
    TECHNICAL = "technical"


class Capture(StrEnum):
    """How the value came to be: a fact about the path, set once and never changed."""

    DEVICE = "device"
    MANUAL_PATIENT = "manual_patient"
    MANUAL_STAFF = "manual_staff"
    PHOTO_OCR = "photo_ocr"
    SYNTHETIC = "synthetic"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """
    What a driver read from one frame.

    device      who sent it, where the frame itself says so (cellular hubs); None on a link to one device
    hub         the vendor's hub that relayed it
    message_id  the device's own record number or message id
    slot        the user's slot on a shared device: a claim, not a patient
    capture     DEVICE unless the protocol marks the value as typed in or leaves it open; it can only lower trust
    marker      the vendor's own mark behind `capture`, as (field, value)
    technical   battery, signal and the like, as (name with unit, value); never anything about a person
    status      the device's flags as words, passed on and not interpreted
    """

    observations: tuple[Observation, ...] = ()
    device_time: DeviceTime | None = None
    kind: SampleKind = SampleKind.READING
    context: Context = Context.NORMAL
    origin: Origin = Origin.LIVE
    device: DeviceIdentity | None = None
    hub: str | None = None
    message_id: str | None = None
    slot: int | None = None
    status: tuple[str, ...] = ()
    quality: Signal = Signal.OK
    metric: Metric = Metric.PHYSIOLOGIC
    capture: Capture = Capture.DEVICE
    marker: tuple[str, str] | None = None
    technical: tuple[tuple[str, str], ...] = ()

    @property
    def measured(self) -> tuple[Measured, ...]:
        """The observations that carry a value."""
        return tuple([o for o in self.observations if isinstance(o, Measured)])

    @property
    def absent(self) -> tuple[Absent, ...]:
        """The observations the device could not give."""
        return tuple([o for o in self.observations if isinstance(o, Absent)])

    @property
    def modality(self) -> str:
        """The modality of the first observation; `none` where nothing was measured."""
        return self.observations[0].kind.modality if self.observations else "none"

    def value_of(self, kind: Kind) -> Measured | None:
        """The value of one kind, for tests and displays."""
        return next((o for o in self.measured if o.kind == kind), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """
    One frame and the path it took. Only transports make these.

    driver    the name of the driver configured for this path
    path      DEVICE for a device's or vendor hub's own link; SYNTHETIC for replays and virtual devices on real hubs
    source    the name of the configured source
    prompt    the frame came as it was measured: nothing on the way may have held it
    retained  an MQTT broker replayed its last known value: not a new reading
    resent    the transport's own mark of a redelivery (MQTT packet id of a DUP), else None
    clock_pair  the device's clock and the hub's, read in the session this frame belongs to
    only      which of the frame's samples are readings, by their place in it: a stream is thinned. None is all
    """

    frame: Frame
    driver: str
    heard: Instant
    transport: str
    source: str
    path: Capture = Capture.DEVICE
    device: DeviceIdentity | None = None
    prompt: bool = False
    retained: bool = False
    resent: int | None = None
    clock_pair: ClockPair | None = None
    only: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """Enough to decode again, elsewhere, later."""

    driver: str
    driver_version: int
    frame: Frame


@dataclass(frozen=True, slots=True)
class Draft:
    """
    A record before the writer gives it its place in the chain (`seq`, `prev`, `hash`).

    once_key, once_ms   a reading without a time or number of its own: an equal key heard within `once_ms` is the same
                        event, not a second reading
    """

    record_id: str
    type: str
    body: dict[str, Any]
    received_ms: int
    once_key: str | None = None
    once_ms: int = 0


def content_key(driver: str, device_id: str, sample: Sample) -> str:
    """
    What names an event, whatever hub heard it and however often it was sent.

    The device, the driver, the device's own number and uncorrected time, the slot and the values. Battery, signal and
    retry counts change from resend to resend and are no part of it.
    """
    values = (f"{o.kind.code}={o.text}{o.unit}" if isinstance(o, Measured) else f"{o.kind.code}!{o.why}"
              for o in sample.observations)  # fmt: skip
    time = sample.device_time.text if sample.device_time else ""
    parts = (driver, device_id, sample.kind, sample.context, sample.message_id or "", time,
             "" if sample.slot is None else str(sample.slot), *values, *sample.status)  # fmt: skip
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def names_itself(sample: Sample) -> bool:
    """Whether the frame carries a number or time of its own, so that a resend can be known by it alone."""
    return sample.message_id is not None or sample.device_time is not None


def capture_of(path: Capture, sample: Sample) -> Capture:
    """The path decides; a driver's finding can only lower it."""
    return sample.capture if path is Capture.DEVICE else path


def is_automatic(capture: Capture, kind: SampleKind) -> bool:
    """Rule 7.1 of the billing rules: captured by a device, and a value rather than a status."""
    return capture is Capture.DEVICE and kind in (SampleKind.READING, SampleKind.ALERT_WITH_VALUE)


def observations_json(sample: Sample) -> list[dict[str, str | None]]:
    """The values as they stand in a record: decimal strings, UCUM, MDC with LOINC derived."""
    return [
        {"code": o.kind.code, "loinc": o.kind.loinc_for(o.unit), "value": o.text, "unit": o.unit}
        for o in sample.measured
    ]


def absent_json(sample: Sample) -> list[dict[str, str]]:
    """What the device measured without getting a number."""
    return [{"code": o.kind.code, "why": o.why} for o in sample.absent]


def time_json(sample: Sample, placed: Placed, pair: ClockPair | None = None) -> dict[str, Any]:
    """The record's `time`: the device's word beside what was made of it, and the two clocks where both were read."""
    found: dict[str, Any] = {
        "source": placed.source,
        "device_time": sample.device_time.text if sample.device_time else None,
        "offset_s": placed.offset_s,
        "quality": placed.quality,
        "uncertainty_s": placed.uncertainty_s,
    }
    if pair is not None:
        found["pair"] = {"device_now": pair.device_now.text, "hub_now": pair.hub_now.text}
    return found


def measured_json(placed: Placed, zone: ZoneInfo) -> dict[str, str | None]:
    """`measured_at` and `local_date`; both null where no time can be asserted."""
    if placed.utc_ms is None:
        return {"measured_at": None, "local_date": None}
    measured_at = local_text(placed.utc_ms, zone)
    return {"measured_at": measured_at, "local_date": measured_at[:10]}
