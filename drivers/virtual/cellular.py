"""
Virtual cellular devices: the JSON real hubs send, with the day's values and times put in.

Each payload repeats, field by field, one of the public samples in tests/vectors (stel.toml, bodytrace.toml,
telli.toml), where the source of each is named.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5


@dataclass(frozen=True, slots=True)
class Message:
    """What a virtual device publishes: an MQTT topic and the payload."""

    topic: str
    payload: bytes


def cuff(mac: str, at: datetime, systolic: int, diastolic: int, pulse: int) -> Message:
    """A blood pressure cuff behind a Stel Vitals Hub, schema stel-v2.0."""
    text = at.isoformat()
    body = {
        "id": str(uuid5(NAMESPACE_URL, f"{mac} {text}")),
        "meta": {"schemaVersion": "stel-v2.0"},
        "hubId": "ABCDE12345",
        "transmissionTime": text,
        "device": {"mac": mac, "make": None, "model": "BP Cuff"},
        "measure": {
            "type": "bloodpressure",
            "time": text,
            "data": {
                "heartRate": {"value": pulse, "unit": "bpm"},
                "systolic": {"value": systolic, "unit": "mmHg"},
                "diastolic": {"value": diastolic, "unit": "mmHg"},
                "irregularPulse": {"value": False, "unit": None},
            },
        },
    }
    return _message("stel", body)


def scale(imei: str, at: datetime, grams: int) -> Message:
    """A BodyTrace scale: grams, whatever its display shows."""
    values = {"unit": 1, "weight": grams, "tare": 0}
    ts = round(at.timestamp() * 1000)
    return _message(
        "bodytrace", {"imei": imei, "ts": ts, "batteryVoltage": 5801, "signalStrength": 80, "values": values}
    )


def oximeter(device_id: str, at: datetime, spo2: int, pulse: int) -> Message:
    """A Telli oximeter, generation 2: the time is text that spells epoch milliseconds."""
    body = {
        "deviceId": device_id,
        "readingType": "SpO2",
        "time": str(round(at.timestamp() * 1000)),
        "mem": "0",
        "tzOffsetMinutes": "-300",
        "genVer": "2",
        "data": {"spo2": spo2, "pulse": pulse, "battery": 61},
        "devdata": {"r": "1", "batt": "9", "cycles": "0"},
    }
    return _message("telli", body)


def _message(hub: str, body: Mapping[str, Any]) -> Message:
    return Message(f"{hub}/virtual", json.dumps(body).encode())
