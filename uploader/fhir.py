"""
A batch as one FHIR R4 transaction. Pure: the same batch gives the same bytes, on every try.

Every record goes out whole, as a DocumentReference that holds its canonical bytes: nothing on the ledger is left out,
and hash and chain can be checked at the other end. A reading's values go out as Observations beside it. Each entry is a
conditional create by an identifier made of the record id, so a bundle that is sent twice makes nothing twice; the id is
a hash, so that no search holds a person's reference.

Source: HL7 Personal Health Devices IG (PhdBaseObservation: gateway extension, categories, measurement status), FHIR R4
vital signs, US Core pulse oximetry (59408-5 and 2708-6 together). What a person typed never carries the PHD category.
No profile is claimed: devices are contained and patients are logical references, for a hub knows neither server's ids.
"""

import base64
import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from gateway.core.batch import Batch, Outcome, Status
from uploader.verdict import NOT_THE_CONTRACT, Again, Answer, Settled, Split, Verdict
from uploader.verdict import judge as judge_status

CONTENT_TYPE = "application/fhir+json"

_OWN = "urn:vitals-gateway:"
_MDC = "urn:iso:std:iso:11073:10101"
_LOINC = "http://loinc.org"
_UCUM = "http://unitsofmeasure.org"
_STATUS = "http://hl7.org/fhir/uv/pocd/CodeSystem/measurement-status"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_VITAL = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
_PHD = {"system": "http://hl7.org/fhir/uv/phd/CodeSystem/PhdObservationCategories", "code": "phd"}
_TEST = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
_GATEWAY = "http://hl7.org/fhir/StructureDefinition/observation-gatewayDevice"

# Reference id -> code of IEEE 11073-10101. What is not here goes out under its reference id and a system of our own.
_NUMBERS = {
    "MDC_PRESS_BLD_NONINV": "150020",
    "MDC_PRESS_BLD_NONINV_SYS": "150021",
    "MDC_PRESS_BLD_NONINV_DIA": "150022",
    "MDC_PRESS_BLD_NONINV_MEAN": "150023",
    "MDC_PULS_RATE_NON_INV": "149546",
    "MDC_PULS_OXIM_PULS_RATE": "149530",
    "MDC_PULS_OXIM_SAT_O2": "150456",
    "MDC_MASS_BODY_ACTUAL": "188736",
    "MDC_LEN_BODY_ACTUAL": "188740",
    "MDC_BODY_FAT": "188748",
    "MDC_RATIO_MASS_BODY_LEN_SQ": "188752",
    "MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD": "160184",
    "MDC_TEMP_BODY": "150364",
}
_VITAL_SIGNS = frozenset({"85354-9", "8867-4", "59408-5", "2708-6", "29463-7", "8302-2", "39156-5", "8310-5", "9279-1"})
_PRESSURES = frozenset({"MDC_PRESS_BLD_NONINV_SYS", "MDC_PRESS_BLD_NONINV_DIA", "MDC_PRESS_BLD_NONINV_MEAN"})
_PANEL = {"code": "MDC_PRESS_BLD_NONINV", "loinc": "85354-9"}
# The record's word -> FHIR's (PHD IG FLOATS.md; data-absent-reason).
_WHY = {"not_available": "not-performed", "above_range": "positive-infinity", "below_range": "negative-infinity",
        "unsuccessful": "error", "not_supported": "unsupported"}  # fmt: skip

# FHIR numbers keep their digits ("77.50"), which Python's JSON cannot: a private sign stands before one until the end.
_NUMBER = r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?"
_IS_NUMBER = re.compile(_NUMBER)
_MARK = "\ue000"
_MARKED = re.compile(f'"value":"{_MARK}({_NUMBER})"')

Tree = dict[str, Any]


def transaction(batch: Batch) -> tuple[bytes, tuple[str, ...]]:
    """The bundle, and for each of its entries the id of the record it comes from."""
    hub = json.loads(batch.hub)
    entries: list[Tree] = []
    owners: list[str] = []
    for record_id, text in zip(batch.ids, batch.records, strict=True):
        made = [_entry(resource) for resource in _resources(record_id, text, hub["id"])]
        entries += made
        owners += [record_id] * len(made)
    bundle = {"resourceType": "Bundle", "type": "transaction", "identifier": _identifier("batch", batch.batch_id)}
    written = json.dumps(bundle | {"entry": entries}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return _MARKED.sub(r'"value":\1', written).encode("utf-8"), tuple(owners)


def judge(answer: Answer, batch_id: str, owners: Sequence[str], now_ms: int) -> Verdict:
    """
    The verdict on a server's answer to a transaction with entries of these records.

    A transaction is kept whole or not at all: 201 is an entry kept now, 200 one that was there.
    """
    if answer.status == 412:  # more than one resource has an identifier: only halving finds which
        return Split("HTTP 412: more than one resource carries this record's identifier")
    if answer.status not in {200, 201}:
        return judge_status(answer, batch_id, owners, now_ms)
    try:
        statuses = _statuses(answer)
        kept = {owner for owner, status in zip(owners, statuses, strict=True) if status == "201"}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):  # all mean: not a transaction's answer
        return Again(NOT_THE_CONTRACT)
    words = {owner: Status.ACCEPTED if owner in kept else Status.DUPLICATE for owner in owners}
    return Settled(tuple(Outcome(record_id, word) for record_id, word in words.items()))


def _statuses(answer: Answer) -> list[str]:
    bundle = json.loads(answer.body.decode("utf-8")) if answer.is_whole else {}
    statuses = [entry["response"]["status"][:3] for entry in bundle["entry"]]
    if bundle["type"] != "transaction-response" or not set(statuses) <= {"200", "201"}:
        raise ValueError
    return statuses


def _resources(record_id: str, text: bytes, hub_id: str) -> Iterator[Tree]:
    record = json.loads(text)
    yield _document(record_id, record, text)
    if record.get("type") == "reading" and record.get("kind") in ("reading", "alert_with_value"):
        with contextlib.suppress(KeyError, TypeError, AttributeError):  # of another version: its document says it all
            yield from list(_observations(record_id, record, hub_id))


def _observations(record_id: str, record: Tree, hub_id: str) -> Iterator[Tree]:
    common = _common(record, hub_id)
    pressures = [one for one in _values(record) if one["code"] in _PRESSURES]
    others = [one for one in _values(record) if one["code"] not in _PRESSURES]
    if pressures:
        yield _observation(common, f"{record_id}.0", _PANEL, {"component": [_component(one) for one in pressures]})
    for number, one in enumerate(others, start=1):
        yield _observation(common, f"{record_id}.{number}", one, _value(one))


def _values(record: Tree) -> list[Tree]:
    """Observations with their value, then what the device could not give; of an invalid reading no value at all."""
    absent = [{"code": one["code"], "loinc": None, "why": one["why"]} for one in record.get("absent", [])]
    measured = record["observations"]
    if record.get("quality") == "invalid":
        measured = [{"code": one["code"], "loinc": one["loinc"], "why": "unsuccessful"} for one in measured]
    return [*measured, *absent]


def _document(record_id: str, record: Tree, text: bytes) -> Tree:
    digest = base64.b64encode(hashlib.sha1(text, usedforsecurity=False).digest())  # FHIR's Attachment.hash is SHA-1
    attachment = {
        "contentType": "application/json",
        "data": base64.b64encode(text).decode("ascii"),
        "hash": digest.decode("ascii"),
    }
    return {
        "resourceType": "DocumentReference",
        "identifier": [_identifier("record", record_id)],
        "status": "current",
        "type": {"coding": [{"system": f"{_OWN}record-type", "code": record.get("type")}]},
        "content": [{"attachment": attachment}],
    } | _subject(record)


def _common(record: Tree, hub_id: str) -> Tree:
    """What all observations of one reading share."""
    device = record["device"]
    fields: Tree = {
        "resourceType": "Observation",
        "status": "entered-in-error" if record.get("quality") == "invalid" else "final",
        "issued": record["received_at"],
        "extension": [{"url": _GATEWAY, "valueReference": {"identifier": _identifier("hub", hub_id)}}],
        "contained": [_device(device)],
        "device": {"reference": "#device"},
    } | _subject(record)
    if record["measured_at"]:
        fields["effectiveDateTime"] = record["measured_at"]
    if record.get("context") not in {None, "normal"}:
        fields["meta"] = {"security": [_TEST]}
    if record.get("quality") == "caution":
        fields["interpretation"] = [{"coding": [{"system": _STATUS, "code": "questionable"}]}]
    if record["capture"] == "device":
        fields["category"] = [{"coding": [_PHD]}]
    elif str(record["capture"]).startswith("manual"):
        fields["note"] = [{"text": "Manually entered."}]
    return fields


def _observation(common: Tree, key: str, one: Tree, value: Tree) -> Tree:
    vital = [{"coding": [_VITAL]}] if one["loinc"] in _VITAL_SIGNS else []
    category = [*common.get("category", []), *vital]
    own = {"identifier": [_identifier("observation", key)], "code": _code(one)} | value
    return common | own | ({"category": category} if category else {})


def _component(one: Tree) -> Tree:
    return {"code": _code(one)} | _value(one)


def _value(one: Tree) -> Tree:
    if "why" in one:
        return {"dataAbsentReason": {"coding": [{"system": _ABSENT, "code": _WHY.get(one["why"], "unknown")}]}}
    if not _IS_NUMBER.fullmatch(one["value"]):
        return {"valueString": f"{one['value']} {one['unit']}"}
    coded = {} if one["unit"].startswith("[VG_") else {"system": _UCUM, "code": one["unit"]}
    return {"valueQuantity": {"value": _MARK + one["value"], "unit": one["unit"]} | coded}


def _code(one: Tree) -> Tree:
    loincs = {"59408-5": ["59408-5", "2708-6"]}.get(one["loinc"], [one["loinc"]] if one["loinc"] else [])
    number = _NUMBERS.get(one["code"])
    own = {"system": f"{_OWN}code", "code": one["code"]}
    mdc = {"system": _MDC, "code": number, "display": one["code"]} if number else own
    return {"coding": [mdc, *({"system": _LOINC, "code": loinc} for loinc in loincs)]}


def _device(device: Tree) -> Tree:
    fields: Tree = {"resourceType": "Device", "id": "device", "identifier": [_identifier("device", device["id"])]}
    named = {"manufacturer": "manufacturer", "modelNumber": "model", "serialNumber": "serial"}
    fields |= {name: device[ours] for name, ours in named.items() if device.get(ours)}
    if device.get("firmware"):
        fields["version"] = [{"value": device["firmware"]}]
    if device.get("udi_di"):
        fields["udiCarrier"] = [{"deviceIdentifier": device["udi_di"]}]
    return fields


def _subject(record: Tree) -> Tree:
    patient = record.get("patient")
    return {"subject": {"identifier": _identifier("patient", patient)}} if patient else {}


def _identifier(kind: str, value: str) -> Tree:
    return {"system": _OWN + kind, "value": value}


def _entry(resource: Tree) -> Tree:
    identifier = resource["identifier"][0]
    search = f"{identifier['system']}|{identifier['value']}"
    request = {"method": "POST", "url": resource["resourceType"], "ifNoneExist": f"identifier={search}"}
    return {"fullUrl": f"urn:uuid:{uuid5(NAMESPACE_URL, search)}", "resource": resource, "request": request}
