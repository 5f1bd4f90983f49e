"""
The one way in: bytes to durable records.

When `Intake.keep` returns, what it was handed survives a power cut, and the caller may acknowledge. Bytes that no
driver can read are kept too, as `frame.refused`: neither lost nor redelivered for ever.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

from drivers.contract import Driver
from drivers.payload import PAYLOAD_BYTES_MAX
from gateway.core.errors import BadInput, DecodeError
from gateway.core.observation import PERCENT
from gateway.core.reading import (
    Arrival,
    Capture,
    DeviceIdentity,
    Draft,
    Frame,
    Metric,
    Origin,
    Sample,
    SampleKind,
    Signal,
    absent_json,
    capture_of,
    content_key,
    measured_json,
    names_itself,
    observations_json,
    time_json,
)
from gateway.core.record import canonical
from gateway.core.time import Placed, place
from gateway.metrics import Counts

Append = Callable[[Sequence[Draft]], Awaitable[list[bool]]]
# Who a reading belongs to and whether it counts: patient, slot, program, automatic, qualifies; for a patient who lives
# in another zone than the hub's also measured_at and local_date.
Qualify = Callable[[Sample, Capture, str, Placed, int, str], dict[str, Any]]

# A redelivered message that neither numbers nor dates itself is the event we kept last, if that was within an hour:
# brokers resend within seconds of a reconnect, and a person who weighs the same twice an hour gains no day by it.
_RESENT_MS = 3_600_000
# Several samples of one frame share its bytes; beyond this the frame stands in the first record alone.
_SHARED_FRAME_BYTES = 1_048_576
# Of a message too large to read, this much is kept, with the length and digest of the whole.
_OVERSIZE_KEPT_BYTES = 4_096


_IDENTITY = ("id", "manufacturer", "model", "serial", "firmware", "udi_di")


@dataclass(frozen=True, slots=True)
class Place:
    """Where this hub stands: what every record repeats."""

    site: str
    zone: ZoneInfo


@dataclass(slots=True)
class LastHeard:
    """When each device was last heard, for `status`."""

    # by device: what its record says of it, when, which modality and whose; never the frame, which may be large
    _seen: dict[str, tuple[dict[str, Any], str, str, str | None]] = field(default_factory=dict)

    def note(self, draft: Draft) -> None:
        """Remember a kept reading."""
        if draft.type == "reading":
            body = draft.body
            device = body["device"]
            self._seen[device["id"]] = (device, body["received_at"], body["modality"], body["patient"])

    def as_json(self) -> dict[str, dict[str, str]]:
        """By device, in order of its id."""
        return {
            id_: {"driver": device["driver"], "received_at": at, "modality": modality, "patient": patient or ""}
            for id_, (device, at, modality, patient) in sorted(self._seen.items())
        }

    def identity(self, device: str) -> DeviceIdentity | None:
        """What the device said of itself; None where it was not heard."""
        seen = self._seen.get(device)
        return None if seen is None else DeviceIdentity(**{name: seen[0][name] for name in _IDENTITY})


@dataclass(slots=True)
class Tally:
    """What became of some arrivals: records kept, records that were there before, and how many are refused frames."""

    kept: int = 0
    known: int = 0
    refused: int = 0


class Intake:
    """Turns arrivals into records and keeps them."""

    def __init__(
        self, append: Append, drivers: Callable[[str], Driver], qualify: Qualify, place_: Place, counts: Counts
    ) -> None:
        self._append = append
        self.driver_named = drivers
        self._qualify = qualify
        self._place = place_
        self._counts = counts
        self.last = LastHeard()

    async def keep(self, arrivals: Sequence[Arrival]) -> Tally:
        """
        Decode every frame and keep what it says; when this returns, it survives a power cut.

        Raises StoreFull or StoreBroken, and then nothing of it was kept. Never raises DecodeError.
        """
        drafts = [draft for arrival in arrivals for draft in self._drafts(arrival)]
        tally = Tally()
        if not drafts:
            return tally
        try:
            answers = await self._append(drafts)
        except BadInput:
            # A driver made a body that cannot be signed. Nothing of the group was kept: find that frame, and keep it as
            # what it is, or the broker sends it for ever.
            drafts = [draft for arrival in arrivals for draft in self._drafts(arrival, examined=True)]
            answers = await self._append(drafts)
        for draft, is_new in zip(drafts, answers, strict=True):
            tally.kept += is_new
            tally.known += not is_new
            tally.refused += draft.body.get("name") == "frame.refused"
            if is_new:
                self._count(draft)
                self.last.note(draft)
        return tally

    def _drafts(self, arrival: Arrival, *, examined: bool = False) -> Iterator[Draft]:
        driver = self.driver_named(arrival.driver)
        if len(arrival.frame.payload) > PAYLOAD_BYTES_MAX:
            yield _refused(arrival, driver, "TooLarge", f"The message is larger than {PAYLOAD_BYTES_MAX} bytes.")
            return
        try:
            drafts = [
                self._labelled(arrival, driver, sample, index)
                for index, sample in enumerate(driver.decode(arrival.frame))
                if arrival.only is None or index in arrival.only
            ]
            if examined:
                for draft in drafts:
                    canonical(draft.body)
            yield from drafts
        except DecodeError as error:
            yield _refused(arrival, driver, type(error).__name__, str(error))
        except Exception as error:  # noqa: BLE001 -- a driver's bug must not stop the hub nor lose the frame it met
            sentence = f"The driver failed on this frame ({type(error).__name__}); the frame is kept for its repair."
            yield _refused(arrival, driver, "DriverFault", sentence)

    def _labelled(self, arrival: Arrival, driver: Driver, sample: Sample, index: int) -> Draft:
        device = sample.device or arrival.device
        if device is None:
            raise DecodeError("The frame does not say which device sent it.")
        if arrival.retained and not names_itself(sample):
            return _retained(arrival, driver, device, index)
        if sample.kind in (SampleKind.STATUS, SampleKind.ALERT_TECHNICAL) and not sample.observations:
            return _status(arrival, driver, device, sample, index)
        return self._reading(arrival, driver, device, sample, index)

    def _reading(self, arrival: Arrival, driver: Driver, device: DeviceIdentity, sample: Sample, index: int) -> Draft:
        heard, sample = arrival.heard, _with_doubt(sample)
        prompt = arrival.prompt and sample.origin is Origin.LIVE
        placed = place(sample.device_time, heard, arrival.clock_pair, self._place.zone, prompt=prompt)
        capture = capture_of(arrival.path, sample)
        body = {
            **_common(arrival, driver, device, sample),
            **measured_json(placed, self._place.zone),
            # after the hub's own date: a patient in another zone has a date of their own
            **self._qualify(sample, capture, device.id, placed, heard.utc_ms, self._place.site),
            "site": self._place.site,
            "capture": capture,
            "time": time_json(sample, placed, arrival.clock_pair),
            "observations": observations_json(sample),
            "absent": absent_json(sample),
        }
        key = content_key(driver.name, device.id, sample)
        if index and index * len(arrival.frame.payload) > _SHARED_FRAME_BYTES:
            body["frame"] = "sha256:" + hashlib.sha256(arrival.frame.payload).hexdigest()
        if names_itself(sample):
            return Draft(key, "reading", body, heard.utc_ms)
        event = hashlib.sha256(f"{key}|{heard.boot_id}|{heard.monotonic_ns}|{index}".encode()).hexdigest()
        once_ms = driver.repeat_s * 1000 if arrival.resent is None else max(_RESENT_MS, driver.repeat_s * 1000)
        return Draft(event, "reading", body, heard.utc_ms, once_key=key, once_ms=once_ms)

    def _count(self, draft: Draft) -> None:
        body = draft.body
        if draft.type == "reading":
            self._counts.add("vitals_readings_total", driver=body["device"]["driver"], transport=body["transport"])
        elif body["name"] == "frame.refused":
            self._counts.add("vitals_frames_refused_total", driver=body["driver"], reason=body["error"]["kind"])


def _with_doubt(sample: Sample) -> Sample:
    """
    A share above 100 % is no physiology but an impossibility: kept as sent, marked, and no day is counted on it.

    Source: drivers' data sheets; published frames that are whole by their layout show SpO2 of 101 %.
    """
    if not any(o.unit == PERCENT and o.value > 100 for o in sample.measured):
        return sample
    quality = Signal.CAUTION if sample.quality is Signal.OK else sample.quality
    return replace(sample, quality=quality, status=(*sample.status, "implausible"))


def _common(arrival: Arrival, driver: Driver, device: DeviceIdentity, sample: Sample) -> dict[str, Any]:
    body = {
        "device": {
            "id": device.id,
            "driver": driver.name,
            "driver_version": driver.version,
            "manufacturer": device.manufacturer,
            "model": device.model,
            "serial": device.serial,
            "firmware": device.firmware,
            "udi_di": device.udi_di,
        },
        "relay": sample.hub,
        "message_id": sample.message_id,
        "modality": "adherence" if sample.metric is Metric.THERAPEUTIC else sample.modality,
        "metric": sample.metric,
        "kind": sample.kind,
        "context": sample.context,
        "origin": sample.origin,
        "transport": arrival.transport,
        "received_at": arrival.heard.text,
        "status": list(sample.status),
        "quality": sample.quality,
        "technical": dict(sample.technical),
        **_frame_json(arrival.frame),
    }
    if sample.marker:
        body["capture_marker"] = {"field": sample.marker[0], "value": sample.marker[1]}
    return body


def _frame_json(frame: Frame) -> dict[str, Any]:
    """The frame and what is needed to decode it again elsewhere."""
    told = {"frame": frame.text}
    if frame.source is not None:
        told["frame_source"] = frame.source
    if frame.topic is not None:
        told["frame_topic"] = frame.topic
    return told


def _event(name: str, arrival: Arrival, driver: Driver, index: int = 0, **more: Any) -> Draft:
    body = {
        "name": name,
        "at": arrival.heard.text,
        "driver": driver.name,
        "driver_version": driver.version,
        "transport": arrival.transport,
        "source": arrival.source,
        **_kept_frame(arrival.frame),
        **more,
    }
    # a frame's first event is named by the frame alone; further ones by their place in it as well
    place_in_it = (str(index),) if index else ()
    parts = (name, driver.name, arrival.frame.source or "", arrival.frame.topic or "", *place_in_it)
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass") + b"\x1f" + arrival.frame.payload)
    return Draft(digest.hexdigest(), "event", body, arrival.heard.utc_ms)


def _kept_frame(frame: Frame) -> dict[str, Any]:
    if len(frame.payload) <= PAYLOAD_BYTES_MAX:
        return _frame_json(frame)
    head = Frame(frame.payload[:_OVERSIZE_KEPT_BYTES], frame.source, frame.topic)
    digest = hashlib.sha256(frame.payload).hexdigest()
    return {**_frame_json(head), "frame": head.payload.hex(), "frame_bytes": len(frame.payload), "frame_sha256": digest}


def _refused(arrival: Arrival, driver: Driver, kind: str, sentence: str) -> Draft:
    device = arrival.device.id if arrival.device else None
    return _event("frame.refused", arrival, driver, device=device, error={"kind": kind, "message": sentence})


def _retained(arrival: Arrival, driver: Driver, device: DeviceIdentity, index: int) -> Draft:
    """A broker's last known value, replayed: kept as what it is, never as a new reading."""
    return _event("frame.retained", arrival, driver, index, device=device.id)


def _status(arrival: Arrival, driver: Driver, device: DeviceIdentity, sample: Sample, index: int) -> Draft:
    """A heartbeat or a technical alert: evidence that the device lived, not a reading."""
    return _event(
        "device.status",
        arrival,
        driver,
        index,
        device=device.id,
        kind=sample.kind,
        status=list(sample.status),
        technical=dict(sample.technical),
        device_time=sample.device_time.text if sample.device_time else None,
    )
