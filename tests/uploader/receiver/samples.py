"""Records as a hub makes them: bodies through the core's own functions, chained by the core's own `chain`."""

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from gateway.core.observation import DIASTOLIC, MMHG, SYSTOLIC, Measured
from gateway.core.reading import Sample, absent_json, measured_json, observations_json, time_json
from gateway.core.record import GENESIS, chain
from gateway.core.time import Placed, Quality, utc_text

ZONE = ZoneInfo("America/New_York")
HUB = {"id": "hub-7", "site": "home", "software": "vitals-gateway/0.1.0"}
_NOON_UTC_MS = 1_793_534_400_000  # 2026-11-01T12:00:00Z
_DAY_MS = 86_400_000


def reading(
    day: int, *, patient: str | None = "pt-8842", reason: str | None = None, capture: str = "device", **more: Any
) -> dict[str, Any]:
    """The body of a reading `day` days after 1 November 2026; it qualifies where it has no reason not to."""
    sample = Sample(
        observations=(Measured(SYSTOLIC, Decimal(120 + day % 20), MMHG), Measured(DIASTOLIC, Decimal(80), MMHG))
    )
    at_ms = _NOON_UTC_MS + day * _DAY_MS
    placed = Placed(at_ms, "device", Quality.SYNCED, "0.0", "1.0")
    automatic = capture == "device"
    return {
        "device": {
            "id": "ble:5C:F8:21:00:11:22", "driver": "ble-blood-pressure", "driver_version": 1,
            "manufacturer": "A&D", "model": "UA-651BLE", "serial": None, "firmware": None, "udi_di": None,
        },
        "patient": patient, "slot": None, "program": "RPM", "modality": sample.modality, "kind": "reading",
        "context": "normal", "site": "home", "transport": "ble", "capture": capture, "automatic": automatic,
        "qualifies": {"day": reason is None, "reason": reason, "rules": "us-medicare-2026"},
        **measured_json(placed, ZONE),
        "received_at": utc_text(at_ms + 3_120),
        "time": time_json(sample, placed), "observations": observations_json(sample), "absent": absent_json(sample),
        "status": [], "quality": "ok", "frame": "1e80005000",
        **more,
    }  # fmt: skip


def event(name: str = "frame.refused") -> dict[str, Any]:
    """The body of an event."""
    return {
        "_type": "event", "name": name, "at": utc_text(_NOON_UTC_MS), "driver": "stel", "driver_version": 1,
        "transport": "mqtt", "source": "cell", "frame": "00ff", "device": None,
        "error": {"kind": "Truncated", "message": "The frame ends inside a field."},
    }  # fmt: skip


def local_date(day: int) -> str:
    """The date of `reading(day)`."""
    return (date(2026, 11, 1) + timedelta(days=day)).isoformat()


def chained(bodies: list[dict[str, Any]], *, prefix: str = "r", first: int = 1, prev: str = GENESIS) -> list[Any]:
    """Bodies as the records of one hub; `_type` names the type where it is not reading."""
    records = []
    for seq, given in enumerate(bodies, first):
        body = {key: value for key, value in given.items() if key != "_type"}
        type_ = given.get("_type", "reading")
        content, prev = chain(body, record_id=f"{prefix}-{seq}", type_=type_, seq=seq, prev=prev)
        records.append(json.loads(content))
    return records


def batch(records: list[Any], batch_id: str = "b-1", hub: str = "hub-7") -> bytes:
    """A batch's bytes."""
    return json.dumps({"batch_id": batch_id, "hub": {**HUB, "id": hub}, "records": records}).encode()


def rehashed(record: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A record altered by someone who knows how to hash it again."""
    body = {key: value for key, value in record.items() if key not in {"hash", "record_id", "type", "seq", "prev"}}
    content, _ = chain({**body, **changed}, record_id=record["record_id"], type_=record["type"], seq=record["seq"],
                       prev=record["prev"])  # fmt: skip
    altered: dict[str, Any] = json.loads(content)
    return altered


def renamed(record: dict[str, Any], record_id: str) -> Any:
    """A record under another id, hashed again."""
    return rehashed({**record, "record_id": record_id})
