"""
Values typed by a person: kept, shown, never counted.

This path takes no capture from its caller: `by` chooses between two manual kinds, and there is no third.
"""

import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from gateway.core.errors import BadInput, BadValue
from gateway.core.observation import (
    CELSIUS,
    DIASTOLIC,
    FAHRENHEIT,
    GLUCOSE,
    KG,
    MG_PER_DL,
    MMHG,
    MMOL_PER_L,
    PER_MINUTE,
    PERCENT,
    POUND,
    PULSE_RATE,
    SPO2,
    SYSTOLIC,
    TEMPERATURE,
    WEIGHT,
    Kind,
    Measured,
    Unit,
)
from gateway.core.reading import Capture, Draft, Sample, measured_json, observations_json
from gateway.core.record import canonical
from gateway.core.time import DeviceTime, Instant, Placed, Quality

BY = {"patient": Capture.MANUAL_PATIENT, "staff": Capture.MANUAL_STAFF}
# A value's name, its kind, and the units a person may write; the first is meant where none is written, unless two are
# customary: then the person says which.
_KINDS: Mapping[str, tuple[Kind, dict[str, Unit], Unit | None]] = {
    "systolic": (SYSTOLIC, {"mmHg": MMHG}, MMHG),
    "diastolic": (DIASTOLIC, {"mmHg": MMHG}, MMHG),
    "pulse": (PULSE_RATE, {"/min": PER_MINUTE, "bpm": PER_MINUTE}, PER_MINUTE),
    "spo2": (SPO2, {"%": PERCENT}, PERCENT),
    "weight": (WEIGHT, {"kg": KG, "lb": POUND}, None),
    "glucose": (GLUCOSE, {"mg/dL": MG_PER_DL, "mmol/L": MMOL_PER_L}, None),
    "temperature": (TEMPERATURE, {"C": CELSIUS, "F": FAHRENHEIT}, None),
}
NAMES = tuple(_KINDS)
_VALUE = re.compile(r"([a-z0-9]+)=(\d{1,6}(?:\.\d{1,4})?)\s*([A-Za-z/%]*)")
_PATIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


def patient_reference(text: str) -> str:
    """An opaque reference; raises BadInput for what looks like anything else."""
    if not _PATIENT.fullmatch(text):
        raise BadInput("A patient is an opaque reference such as pt-8842: letters, digits and . _ : - only, no name.")
    return text


def typed_value(text: str) -> Measured:
    """`weight=70.5kg`; raises BadInput with what to write."""
    match = _VALUE.fullmatch(text.strip())
    if not match or match[1] not in _KINDS:
        raise BadInput(f"Write a value as NAME=NUMBER[UNIT], for example weight=70.5kg; names: {', '.join(NAMES)}.")
    kind, units, usual = _KINDS[match[1]]
    unit = units.get(match[3]) if match[3] else usual
    if unit is None:
        raise BadInput(f"Say the unit of {match[1]}: {' or '.join(match[1] + '=...' + name for name in units)}.")
    return Measured(kind, Decimal(match[2]), unit)


def typed_reading(question: Mapping[str, Any], heard: Instant, zone: ZoneInfo, site: str) -> Draft:
    """
    The record of one manual entry: `patient`, `values`, `by` (patient or staff), `at` (ISO 8601 with offset, or none).

    Raises BadInput.
    """
    patient = patient_reference(str(question.get("patient", "")))
    values = [typed_value(str(text)) for text in question.get("values") or [""]]
    by = BY.get(str(question.get("by", "staff")))
    if by is None:
        raise BadInput("A value is entered by patient or by staff.")
    sample = Sample(observations=tuple(values))
    placed = _placed(question.get("at"), heard)
    typed = {"patient": patient, "values": [str(text) for text in question["values"]], "at": question.get("at")}
    body = {
        "device": {"id": "manual", "driver": "manual", "driver_version": 1, **_NO_DEVICE},
        "patient": patient,
        "slot": None,
        "program": "RPM",
        "modality": sample.modality,
        "metric": "physiologic",
        "kind": "reading",
        "context": "normal",
        "origin": "live",
        "site": site,
        "transport": "manual",
        "capture": by.value,
        "automatic": False,
        "qualifies": {"day": False, "reason": "Q01 not automatic", "rules": None},
        "received_at": heard.text,
        "time": {"source": "person", "device_time": None, "offset_s": None, "quality": "stated", "uncertainty_s": None},
        "observations": observations_json(sample),
        "absent": [],
        "status": [],
        "quality": "ok",
        "frame": canonical(typed).decode(),
        **measured_json(placed, zone),
    }
    # two people may type the same value: only the very same act is the same entry
    key = hashlib.sha256(canonical([body["frame"], heard.boot_id, str(heard.monotonic_ns)])).hexdigest()
    return Draft(key, "reading", body, heard.utc_ms)


_NO_DEVICE = dict.fromkeys(("manufacturer", "model", "serial", "firmware", "udi_di"))


def _placed(at: Any, heard: Instant) -> Placed:
    if at is None:
        return Placed(heard.utc_ms, "hub", Quality.RECEIVED)
    try:
        stated = DeviceTime.iso(str(at))
    except BadValue as error:
        raise BadInput("Write the time as 2026-11-21T09:00:00-05:00.") from error
    if stated.utc_ms is None:
        raise BadInput("Write the time with its offset from UTC, for example 2026-11-21T09:00:00-05:00.")
    if stated.utc_ms > heard.utc_ms:
        raise BadInput("That time has not come yet; write when the value was taken.")
    return Placed(stated.utc_ms, "person", Quality.RECEIVED)
