"""
Reads an evidence bundle: JSON text to facts, with every mistake reported at once.

Format: docs/billing.md, "vitals-evidence/1". Keys that are not known are left alone, since an exported packet holds
more than counting needs; a key that is missing or wrong is a mistake with its path. No mistake repeats a value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from gateway.core import checked
from gateway.core.assessment import Judged, Service
from gateway.core.checked import Part, parse_json
from gateway.core.errors import BadInput
from gateway.core.gates import CLEARED, Facts, qualify
from gateway.core.period import Period, period
from gateway.core.reading import Capture, Metric, SampleKind, Signal
from gateway.core.rules import Rules

FORMAT = "vitals-evidence/1"
DEVICE_STATUSES = (CLEARED, "wellness", "unknown")
CONTEXTS = ("normal", "test", "setup_demo", "inpatient", "control")
SITES = ("home", "clinic", "cloud")
# Enough to mend a file by; a machine that writes one mistake a thousand times needs not be told a thousand times.
_MISTAKES_MAX = 100
_PERIOD_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Assigned:
    """A device was a patient's from one instant to another, end exclusive."""

    patient: str
    from_ms: int
    to_ms: int | None

    def covers(self, instant_ms: int) -> bool:
        """Whether the instant lies within."""
        return self.from_ms <= instant_ms and (self.to_ms is None or instant_ms < self.to_ms)


@dataclass(frozen=True, slots=True)
class Device:
    """A registered device as the bundle tells of it."""

    id: str
    status: str
    specific_code: str | None
    assigned: tuple[Assigned, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleReading:
    """One reading of a bundle; times are UTC milliseconds."""

    measured_ms: int | None
    device: str | None
    patient: str | None
    capture: Capture
    edited: bool
    kind: SampleKind
    metric: Metric
    context: str
    site: str
    in_person_download: bool
    quality: Signal
    time_trusted: bool
    received_ms: int | None
    acked_ms: int | None
    key: str
    own_zone: ZoneInfo | None

    @property
    def seniority(self) -> tuple[float, float, bool, str]:
        """
        Which of several readings with one key is the event, whatever order the bundle lists them in.

        The first received; then the first acknowledged; then the unedited one; the rest only makes the choice total.
        """
        never = float("inf")
        received = never if self.received_ms is None else self.received_ms
        acked = never if self.acked_ms is None else self.acked_ms
        return (received, acked, self.edited, repr(self))


@dataclass(frozen=True, slots=True)
class Bundle:
    """A whole bundle, free of mistakes."""

    rules: Rules
    patient: str
    zone: ZoneInfo
    service: Service
    devices: Mapping[str, Device]
    readings: tuple[BundleReading, ...]
    period: Period
    now_ms: int


def judge(bundle: Bundle) -> list[Judged]:
    """Every reading through the gates, in the bundle's order."""
    first: dict[str, BundleReading] = {}
    for reading in bundle.readings:
        senior = first.setdefault(reading.key, reading)
        if reading.seniority < senior.seniority:
            first[reading.key] = reading
    return [_judged(bundle, reading, duplicate=first[reading.key] is not reading) for reading in bundle.readings]


def _judged(bundle: Bundle, reading: BundleReading, *, duplicate: bool) -> Judged:
    facts = _facts(bundle, reading, duplicate=duplicate)
    _, reason = qualify(facts, bundle.rules)
    return Judged(facts.automatic, reason, reading.measured_ms, reading.acked_ms, reading.own_zone)


def _facts(bundle: Bundle, reading: BundleReading, *, duplicate: bool) -> Facts:
    device = bundle.devices.get(reading.device) if reading.device is not None else None
    measured = reading.measured_ms
    return Facts(
        duplicate=duplicate,
        kind=reading.kind,
        capture=reading.capture,
        edited=reading.edited,
        metric=reading.metric,
        device_known=device is not None,
        person_known=reading.patient is not None,
        time_trusted=reading.time_trusted,
        measured_ms=measured,
        # Without a receipt the latest the hub can have had it is now.
        received_ms=bundle.now_ms if reading.received_ms is None else reading.received_ms,
        assigned=_is_assigned(device, bundle.patient, reading),
        device_status=device.status if device else "unknown",
        enrolled=measured is not None and bundle.service.covers(measured),
        context=reading.context,
        site=reading.site,
        in_person_download=reading.in_person_download,
        quality=reading.quality,
        specific_code=device.specific_code if device else None,
    )


def _is_assigned(device: Device | None, patient: str, reading: BundleReading) -> bool:
    at = reading.measured_ms
    if device is None or at is None or reading.patient != patient:
        return False
    return any(span.patient == patient and span.covers(at) for span in device.assigned)


def read_bundle(content: bytes, profiles: Mapping[str, Rules]) -> Bundle:
    """A bundle from its JSON text; raises BadInput with one sentence a line for every mistake."""
    document = parse_json(content)
    if not isinstance(document, dict):
        raise BadInput("The file is JSON and not an evidence bundle; a bundle is one JSON object.")
    mistakes: list[str] = []
    bundle = _bundle(Part(document, "", mistakes), profiles)
    if bundle is None or mistakes:
        more = len(mistakes) - _MISTAKES_MAX
        raise BadInput("\n".join([*mistakes[:_MISTAKES_MAX], *([f"And {more} more of the kind."] if more > 0 else [])]))
    return bundle


def _bundle(part: Part, profiles: Mapping[str, Rules]) -> Bundle | None:
    part.get("bundle", lambda value: checked.word(value, (FORMAT,)))
    rules = part.get("rules", lambda value: _known_rules(value, profiles))
    patient = part.get("patient", checked.text)
    zone = part.get("timezone", checked.zone)
    service = _service(part.part("enrolment"))
    devices = _devices(part)
    readings = [_reading(item) for item in part.parts("readings")]
    number = part.get("period", lambda value: checked.whole(value, 1, _PERIOD_MAX))
    now_ms = part.get("now", checked.instant)
    if rules is None or patient is None or zone is None or service is None or number is None or now_ms is None:
        return None
    when = _period(part, number, service.start_ms, zone, rules, now_ms)
    if when is None:
        return None
    whole = tuple(reading for reading in readings if reading)
    return Bundle(rules, patient, zone, service, devices, whole, when, now_ms)


def _period(part: Part, number: int, start_ms: int, zone: ZoneInfo, rules: Rules, now_ms: int) -> Period | None:
    try:
        found = period(number, start_ms, zone, rules.period_days)
    except OverflowError:
        found = None
    if found is None or found.open_ms > now_ms:
        part.wrong("period", "begins after now; assess it once it has begun")
        return None
    return found


def _service(part: Part) -> Service | None:
    start_ms = part.get("start", checked.instant)
    end_ms = part.get("end", checked.or_null(checked.instant))
    practitioners = part.get("practitioners", lambda value: checked.whole(value, 0, 1_000))
    flags = {key: bool(part.get(key, checked.flag)) for key in ("rtm_active", "setup_record", "setup_billed")}
    if start_ms is None:
        return None
    if end_ms is not None and end_ms < start_ms:
        part.wrong("end", "lies before enrolment.start")
    return Service(start_ms=start_ms, end_ms=end_ms, practitioners=practitioners or 0, **flags)


def _devices(part: Part) -> dict[str, Device]:
    devices: dict[str, Device] = {}
    for item in part.parts("devices"):
        device = _device(item)
        if device.id in devices:
            item.wrong("id", "stands twice; a device is listed once, with all its assignments")
        devices[device.id] = device
    return devices


def _device(part: Part) -> Device:
    id_ = part.get("id", checked.text)
    status = part.get("status", lambda value: checked.word(value, DEVICE_STATUSES))
    specific = part.get("specific_code", checked.or_null(checked.text))
    spans = [(item, _assigned(item)) for item in part.parts("assigned")]
    found: list[Assigned] = []
    for item, span in spans:
        if span and any(_overlap(span, other) for other in found):
            item.wrong("from", "overlaps another assignment of this device to the same patient; list each span once")
        found.extend([span] if span else [])
    return Device(id_ or f"? {part.path}", status or "unknown", specific, tuple(found))


def _assigned(part: Part) -> Assigned | None:
    patient = part.get("patient", checked.text)
    from_ms = part.get("from", checked.instant)
    to = part.get("to", checked.or_null(checked.instant))
    if patient is None or from_ms is None:
        return None
    if to is not None and to < from_ms:
        part.wrong("to", "lies before the assignment's from")
    return Assigned(patient, from_ms, to)


def _overlap(one: Assigned, other: Assigned) -> bool:
    far = float("inf")
    one_to, other_to = far if one.to_ms is None else one.to_ms, far if other.to_ms is None else other.to_ms
    return one.patient == other.patient and one.from_ms < other_to and other.from_ms < one_to


def _reading(part: Part) -> BundleReading | None:
    before = len(part.mistakes)
    fields = {
        "measured_ms": part.get("measured_at", checked.or_null(checked.instant)),
        "device": part.get("device", checked.or_null(checked.text)),
        "patient": part.get("patient", checked.or_null(checked.text)),
        "capture": part.get("capture", checked.member(Capture)),
        "edited": part.get("edited", checked.flag),
        "kind": part.get("kind", checked.member(SampleKind)),
        "metric": part.get("metric", checked.member(Metric)),
        "context": part.get("context", lambda value: checked.word(value, CONTEXTS)),
        "site": part.get("site", lambda value: checked.word(value, SITES)),
        "in_person_download": part.get("in_person_download", checked.flag),
        "quality": part.get("quality", checked.member(Signal)),
        "time_trusted": part.get("time_trusted", checked.flag),
        "received_ms": part.get("received_at", checked.or_null(checked.instant)),
        "acked_ms": part.get("acked_at", checked.or_null(checked.instant)),
        "key": part.get("key", checked.text),
        "own_zone": part.get("timezone", checked.or_null(checked.zone)),
    }
    if len(part.mistakes) > before or not part.is_table:
        return None
    return BundleReading(**fields)  # type: ignore[arg-type] # each was checked above, and a mistake returned


def _known_rules(value: Any, profiles: Mapping[str, Rules]) -> Rules:
    if not isinstance(value, str) or value not in profiles:
        raise ValueError("names no rule profile known here; known are " + ", ".join(sorted(profiles)))
    return profiles[value]
