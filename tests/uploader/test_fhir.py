import base64
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.batch import Batch, Outcome, Status
from gateway.core.record import canonical
from uploader import fhir
from uploader.envelope import pack
from uploader.verdict import Again, Answer, Hold, Settled, Split

HUB = canonical({"id": "hub-7", "site": "home", "software": "vitals-gateway/0.1.0"})


def reading(**changed: Any) -> dict[str, Any]:
    """A cuff's reading as in a record of the upload contract."""
    record: dict[str, Any] = {
        "record_id": "ab12",
        "type": "reading",
        "seq": 41,
        "prev": "0",
        "hash": "1",
        "device": {"id": "ble:5C:F8:21:00:11:22", "driver": "ble-blood-pressure", "driver_version": 1,
                   "manufacturer": "A&D", "model": "UA-651", "serial": None, "firmware": "1.0", "udi_di": None},
        "patient": "pt-8842",
        "slot": None,
        "program": "RPM",
        "modality": "blood_pressure",
        "site": "home",
        "transport": "ble",
        "automatic": True,
        "qualifies": {"day": True, "reason": None, "rules": "us-medicare-2026"},
        "local_date": "2026-11-21",
        "time": {"source": "device", "device_time": "2026-11-21T09:00:07", "offset_s": "-7.0", "quality": "mapped",
                 "uncertainty_s": "1.0"},
        "status": [],
        "frame": "1e80005000",
        "kind": "reading",
        "context": "normal",
        "capture": "device",
        "measured_at": "2026-11-21T09:00:00-05:00",
        "received_at": "2026-11-21T14:00:03.120Z",
        "observations": [
            {"code": "MDC_PRESS_BLD_NONINV_SYS", "loinc": "8480-6", "value": "128", "unit": "mm[Hg]"},
            {"code": "MDC_PRESS_BLD_NONINV_DIA", "loinc": "8462-4", "value": "84.50", "unit": "mm[Hg]"},
            {"code": "MDC_PULS_RATE_NON_INV", "loinc": "8867-4", "value": "64", "unit": "/min"},
        ],
        "absent": [{"code": "MDC_PRESS_BLD_NONINV_MEAN", "why": "not_available"}],
        "quality": "ok",
    }  # fmt: skip
    return record | changed


def bundle(*records: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    ids = tuple(f"id{number}" for number in range(len(records)))
    body, owners = fhir.transaction(Batch("k", HUB, tuple(map(canonical, records)), ids))
    document: dict[str, Any] = json.loads(body, parse_float=Decimal)
    return document, owners


def observations(**changed: Any) -> list[dict[str, Any]]:
    entries = bundle(reading(**changed))[0]["entry"]
    return [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == "Observation"]


def codes(concept: dict[str, Any]) -> list[str]:
    return [coding["code"] for coding in concept["coding"]]


def test_a_cuffs_reading() -> None:
    panel, pulse = observations()
    assert codes(panel["code"]) == ["150020", "85354-9"]
    assert [codes(one["code"]) for one in panel["component"]] == [
        ["150021", "8480-6"],
        ["150022", "8462-4"],
        ["150023"],
    ]
    assert panel["component"][0]["valueQuantity"] == {
        "value": 128, "unit": "mm[Hg]", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}  # fmt: skip
    assert "valueQuantity" not in panel
    assert codes(panel["component"][2]["dataAbsentReason"]) == ["not-performed"]
    assert codes(pulse["code"]) == ["149546", "8867-4"]
    for one in (panel, pulse):
        assert one["status"] == "final"
        assert one["effectiveDateTime"] == "2026-11-21T09:00:00-05:00"
        assert one["issued"] == "2026-11-21T14:00:03.120Z"
        assert one["subject"] == {"identifier": {"system": "urn:vitals-gateway:patient", "value": "pt-8842"}}
        assert one["contained"][0]["modelNumber"] == "UA-651"
        assert one["extension"][0]["valueReference"]["identifier"]["value"] == "hub-7"
        assert [codes(category)[0] for category in one["category"]] == ["phd", "vital-signs"]


def test_a_device_says_what_it_knows_of_itself() -> None:
    device = {"id": "stel:1", "manufacturer": None, "model": None, "serial": "7", "firmware": None, "udi_di": "0885"}
    assert observations(device=device)[0]["contained"] == [
        {
            "resourceType": "Device",
            "id": "device",
            "identifier": [{"system": "urn:vitals-gateway:device", "value": "stel:1"}],
            "serialNumber": "7",
            "udiCarrier": [{"deviceIdentifier": "0885"}],
        }
    ]


def test_digits_stay_as_the_device_sent_them() -> None:
    body, _ = fhir.transaction(Batch("k", HUB, (canonical(reading()),), ("ab12",)))
    assert b'"value":84.50}' in body


def test_every_record_goes_out_whole() -> None:
    records = [reading(), {"type": "event", "name": "frame.refused"}, {"type": "reading", "kind": "reading"}]
    document, owners = bundle(*records)
    found = [entry["resource"] for entry in document["entry"]]
    documents = [one for one in found if one["resourceType"] == "DocumentReference"]
    sent = [base64.b64decode(one["content"][0]["attachment"]["data"]) for one in documents]
    assert sent == [canonical(record) for record in records]
    assert owners == ("id0", "id0", "id0", "id1", "id2")


def test_each_entry_is_made_once() -> None:
    document, _ = bundle(reading(), reading())
    assert document["type"] == "transaction"
    searches = [entry["request"]["ifNoneExist"] for entry in document["entry"]]
    assert len(set(searches)) == len(searches) == 6
    for entry in document["entry"]:
        own = entry["resource"]["identifier"][0]
        assert entry["request"]["ifNoneExist"] == f"identifier={own['system']}|{own['value']}"
        assert entry["request"]["url"] == entry["resource"]["resourceType"]
        assert "pt-8842" not in entry["request"]["ifNoneExist"]


def test_what_a_person_typed_is_never_a_devices() -> None:
    for one in observations(capture="manual_patient"):
        assert one["note"] == [{"text": "Manually entered."}]
        assert ["phd"] not in [codes(category) for category in one.get("category", [])]


@pytest.mark.parametrize("capture", ["unknown", "photo_ocr", "synthetic"])
def test_what_is_not_known_to_be_a_devices_is_not_said_to_be(capture: str) -> None:
    assert ["phd"] not in [codes(category) for one in observations(capture=capture) for category in one["category"]]


def test_an_invalid_reading_has_no_value() -> None:
    panel, pulse = observations(quality="invalid")
    assert panel["status"] == pulse["status"] == "entered-in-error"
    assert codes(pulse["dataAbsentReason"]) == ["error"]
    assert "value" not in json.dumps([panel["component"], pulse["dataAbsentReason"]])


def test_marks_of_the_device() -> None:
    assert codes(observations(quality="caution")[0]["interpretation"][0]) == ["questionable"]
    assert observations(context="test")[0]["meta"]["security"][0]["code"] == "HTEST"
    assert "meta" not in observations()[0]


def test_a_time_nobody_can_assert_is_left_out() -> None:
    assert all("effectiveDateTime" not in one for one in observations(measured_at=None))


def test_nobody_is_the_subject_of_an_unassigned_reading() -> None:
    assert all("subject" not in one for one in observations(patient=None))


def test_oxygen_saturation_carries_both_codes() -> None:
    spo2 = {"code": "MDC_PULS_OXIM_SAT_O2", "loinc": "59408-5", "value": "97", "unit": "%"}
    (one,) = observations(observations=[spo2], absent=[])
    assert codes(one["code"]) == ["150456", "59408-5", "2708-6"]


def test_what_the_nomenclatures_do_not_know() -> None:
    catty = {"code": "VG_MUSCLE_MASS", "loinc": None, "value": "61.2", "unit": "[VG_catty]"}
    word = {"code": "VG_ODD", "loinc": None, "value": "high", "unit": "1"}
    first, second = observations(observations=[catty, word], absent=[])
    assert first["valueQuantity"] == {"value": Decimal("61.2"), "unit": "[VG_catty]"}
    assert first["code"]["coding"] == [{"system": "urn:vitals-gateway:code", "code": "VG_MUSCLE_MASS"}]
    assert second["valueString"] == "high 1"


@pytest.mark.parametrize("kind", ["status", "alert_technical"])
def test_what_is_no_measurement_is_no_observation(kind: str) -> None:
    assert observations(kind=kind) == []


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "value", "id"]), inner),
    max_leaves=5,
)


@given(st.lists(st.dictionaries(st.sampled_from(sorted(reading())), anything), max_size=3), st.booleans())
def test_any_record_goes_out_whole_and_the_same_each_time(changes: list[dict[str, Any]], alone: bool) -> None:
    records = [canonical(change if alone else reading(**change)) for change in changes]
    batch = Batch("k", HUB, tuple(records), tuple(str(number) for number in range(len(records))))
    body, owners = fhir.transaction(batch)
    assert fhir.transaction(batch) == (body, owners)
    found = [entry["resource"] for entry in json.loads(body)["entry"]]
    documents = [one for one in found if one["resourceType"] == "DocumentReference"]
    assert [base64.b64decode(one["content"][0]["attachment"]["data"]) for one in documents] == records
    assert set(owners) == set(batch.ids)
    assert len(owners) == len(found)


def test_headers_of_a_transaction() -> None:
    parcel = pack(Batch("k", HUB, (canonical(reading()),), ("ab12",)), "none", "fhir")
    assert parcel.headers["Content-Type"] == parcel.headers["Accept"] == "application/fhir+json"
    assert parcel.owners == ("ab12", "ab12", "ab12")
    assert parcel.ids == ("ab12",)


# ------------------------------------------------------------------------------------------------ answers

OWNERS = ("a", "a", "b")


def answered(*statuses: str, kind: str = "transaction-response", code: int = 200) -> Answer:
    entries = [{"response": {"status": status}} for status in statuses]
    return Answer(code, json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}).encode())


def test_each_record_is_new_or_was_there() -> None:
    verdict = fhir.judge(answered("200 OK", "201 Created", "200 OK"), "k", OWNERS, 0)
    assert verdict == Settled((Outcome("a", Status.ACCEPTED), Outcome("b", Status.DUPLICATE)))


@pytest.mark.parametrize(
    "answer",
    [
        answered("201", "201"),
        answered("201", "201", "201", "201"),
        answered("201", "201", "404 Not Found"),
        answered("201", "201", "201", kind="batch-response"),
        Answer(200, b'{"resourceType": "OperationOutcome"}'),
        Answer(200, b'{"entry": [{}, {}, {}], "type": "transaction-response"}'),
        Answer(200, b"<html>"),
        Answer(200, b"[]"),
        Answer(200, b"[" * 100_000),
        Answer(200, answered("201", "201", "201").body, is_whole=False),
    ],
)
def test_what_is_no_transactions_answer(answer: Answer) -> None:
    assert isinstance(fhir.judge(answer, "k", OWNERS, 0), Again)


@pytest.mark.parametrize(("status", "kind"), [(400, Split), (412, Split), (422, Split), (401, Hold), (503, Again)])
def test_other_statuses_mean_what_they_mean(status: int, kind: type) -> None:
    assert type(fhir.judge(Answer(status, b"{}"), "k", OWNERS, 0)) is kind
