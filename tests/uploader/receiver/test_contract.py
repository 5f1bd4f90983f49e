"""The app keeps openapi.yaml, and openapi.yaml describes what hubs send."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.uploader.receiver import samples
from tests.uploader.receiver.conftest import CLIENT, Live
from uploader.receiver.app import create_app
from uploader.receiver.options import Options

SCHEMA: Any = schemathesis.openapi.from_path(str(files("uploader.receiver").joinpath("openapi.yaml")))
DOCUMENT: dict[str, Any] = SCHEMA.raw_schema
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
TYPES = ("reading", "event", "device", "assignment", "enrolment", "setup")


def validator(name: str) -> Any:
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    )


def bodies() -> list[dict[str, Any]]:
    at = "2026-11-01T14:00:00.000Z"
    act = {"at": at, "by": "tech-3", "why": None}
    episode = {"rules": "us-medicare-2026", "timezone": "America/New_York", "practitioners": 1}
    return [
        samples.reading(0),
        samples.reading(1, capture="manual_staff", reason="Q01 not automatic", patient="pt-1"),
        {**samples.reading(2, reason="Q09 time untrusted"), "measured_at": None, "local_date": None},
        samples.reading(3, corrects="r-1"),
        samples.event(),
        {**act, "_type": "device", "device": "ble:5C:F8:21:00:11:22", "status": "device_201h", "specific_code": None},
        {**act, "_type": "assignment", "action": "assign", "device": "ble:5C:F8:21:00:11:22", "patient": "pt-8842",
         "slot": None, "from": at, "to": None, "backdated": False},
        {**act, **episode, "_type": "enrolment", "action": "begin", "patient": "pt-8842", "program": "RPM",
         "start": at, "end": None},
        {**act, "_type": "setup", "state": "begun", "patient": "pt-8842", "device": "ble:5C:F8:21:00:11:22"},
    ]  # fmt: skip


def test_what_a_hub_sends_is_valid() -> None:
    records = samples.chained(bodies())
    assert {record["type"] for record in records} == set(TYPES)
    for record in records:
        validator("Record").validate(record)
    validator("Batch").validate(json.loads(samples.batch(records)))


@pytest.mark.parametrize("name", ["record_id", "type", "seq", "prev", "hash", "qualifies", "patient"])
def test_a_reading_without_one_of_its_parts_is_not(name: str) -> None:
    (record,) = samples.chained([samples.reading(0)])
    del record[name]
    assert not validator("Record").is_valid(record)


def examples(node: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    """Every example with its schema."""
    if isinstance(node, dict):
        if "example" in node and "schema" in node:
            yield node["schema"], node["example"]
        for inner in node.values():
            yield from examples(inner)


def test_examples_are_valid() -> None:
    found = list(examples(DOCUMENT))
    assert len(found) >= 6
    for schema, example in found:
        jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(example)


def test_every_route_is_described(tmp_path: Path) -> None:
    app = create_app(Options(store=tmp_path / "receiver.db"), lambda: 0)
    paths = {getattr(route, "path", "").replace(":path", "") for route in app.routes}
    assert paths == set(DOCUMENT["paths"])


OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
CAN_BE_WRONG = [found for found in OPERATIONS if any((found.query, found.headers, found.body))]
ASKED = [(found, GenerationMode.POSITIVE) for found in OPERATIONS]
ASKED += [(found, GenerationMode.NEGATIVE) for found in CAN_BE_WRONG]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real backend that knows one patient and one hub."""
    backend = Live(tmp_path_factory.mktemp("contract") / "receiver.db")
    url = backend.start()
    content = samples.batch(samples.chained(bodies()))
    sent = CLIENT.post(
        f"{url}/api/v1/readings/batches/",
        content=content,
        headers={"Content-Type": "application/json", "Idempotency-Key": "b-1"},
    )
    assert sent.status_code == 200
    yield url
    backend.kill()


def mended(case: Any) -> Any:
    """Make fields agree where no schema can say that they must, and ask for a patient that is there."""
    body = case.body if isinstance(case.body, dict) else {}
    batch_id = body.get("batch_id")
    if isinstance(batch_id, str) and re.fullmatch("[!-~]{1,200}", batch_id):
        case.headers["Idempotency-Key"] = batch_id
        case.headers.pop("Content-Encoding", None)
        case.headers.pop("Content-Digest", None)
    if "ref" in case.path_parameters and case.path_parameters["ref"][:1] < "m":
        case.path_parameters["ref"] = "pt-8842"
    return case


@pytest.mark.parametrize(("operation", "mode"), ASKED, ids=[f"{found.label} {mode.value}" for found, mode in ASKED])
def test_answers_are_those_described(operation: Any, mode: GenerationMode, address: str) -> None:
    seen: set[int] = set()

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case: Any) -> None:
        answer = mended(case).call_and_validate(base_url=address, checks=CHECKS)
        seen.add(answer.status_code)

    holds()
    assert mode is GenerationMode.NEGATIVE or 200 in seen
