"""Intake: durable before it returns; bad bytes are kept; capture is a fact of the path."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import registry
from drivers.contract import Driver, Form, Grade, Link
from drivers.payload import PAYLOAD_BYTES_MAX
from gateway.core.errors import StoreFull
from gateway.core.reading import Arrival, Capture, DeviceIdentity, Draft, Frame, Sample, SampleKind
from gateway.core.record import canonical, check_plain
from gateway.core.time import Placed
from gateway.intake import Intake, Place
from gateway.metrics import Counts
from tests.fakes.clock import FakeClock

PAYLOAD = {
    "id": "00000000-0000-4000-8000-000000000001",
    "meta": {"schemaVersion": "stel-v2.0"},
    "hubId": "ABCDE12345",
    "transmissionTime": "2026-03-03T13:00:00+00:00",
    "device": {"mac": "AB:CD:EF:12:34:01", "make": None, "model": "BP Cuff"},
    "measure": {
        "type": "bloodpressure",
        "time": "2026-03-03T13:00:00+00:00",
        "data": {
            "heartRate": {"value": 61, "unit": "bpm"},
            "systolic": {"value": 128, "unit": "mmHg"},
            "diastolic": {"value": 80, "unit": "mmHg"},
            "irregularPulse": {"value": False, "unit": None},
        },
    },
}
THEENGS = {"model": "Mi Smart Scale", "weighing_mode": "person", "unit": "kg", "weight": 61.75}


class Kept:
    """Stands for the store: what was appended, and an error to raise."""

    def __init__(self, error: Exception | None = None) -> None:
        self.drafts: list[Draft] = []
        self.error = error

    async def append(self, drafts: Sequence[Draft]) -> list[bool]:
        if self.error:
            raise self.error
        for draft in drafts:
            canonical(draft.body)  # as the store's writer does: BadInput, and nothing of the group is kept
        self.drafts += drafts
        return [True] * len(drafts)


def unknown(_s: Sample, capture: Capture, _d: str, _p: Placed, _r: int, _site: str) -> dict[str, Any]:
    reason = "Q03 unknown device"
    automatic = capture is Capture.DEVICE
    return {"patient": None, "automatic": automatic, "qualifies": {"day": False, "reason": reason, "rules": "x"}}


def arrival(payload: bytes, driver: str = "stel", **more: Any) -> Arrival:
    frame = Frame(payload, topic=more.pop("topic", "stel/a"))
    return Arrival(frame=frame, driver=driver, heard=FakeClock().now(), transport="mqtt", source="cell", **more)


def kept(*arrivals: Arrival, drivers: Any = registry.named, counts: Counts | None = None) -> list[Draft]:
    store = Kept()
    intake = Intake(store.append, drivers, unknown, Place("home", ZoneInfo("America/New_York")), counts or Counts())
    asyncio.run(intake.keep(arrivals))
    return store.drafts


def as_bytes(frame: str) -> bytes:
    """The payload again: hex digits never begin with a brace or bracket."""
    return frame.encode() if frame.startswith(("{", "[")) else bytes.fromhex(frame)


def stel(**changes: Any) -> bytes:
    return json.dumps(PAYLOAD | changes).encode()


def test_a_reading_carries_what_the_contract_names() -> None:
    (draft,) = kept(arrival(stel()))
    body = draft.body
    assert draft.type == "reading"
    assert body["measured_at"] == "2026-03-03T08:00:00-05:00"
    assert body["local_date"] == "2026-03-03"
    assert body["received_at"] == "2026-11-21T14:00:03.120Z"
    assert body["capture"] == "device"
    assert body["frame"] == stel().decode()
    assert {o["loinc"]: o["value"] for o in body["observations"]} == {"8480-6": "128", "8462-4": "80", "8867-4": "61"}
    check_plain(body)


def test_a_resend_has_the_same_id_whatever_travelled_with_it() -> None:
    first, again = kept(arrival(stel()), arrival(stel(transmissionTime="2026-03-09T10:00:00+00:00")))
    assert first.record_id == again.record_id


def test_another_value_under_the_same_message_id_is_not_swallowed() -> None:
    other = json.loads(stel())
    other["measure"]["data"]["systolic"]["value"] = 129
    first, changed = kept(arrival(stel()), arrival(json.dumps(other).encode()))
    assert first.record_id != changed.record_id


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"\xff\xfe", b'{"id": NaN}', b'{"id": 1, "id": 2}', b"[]x", b'"\\ud800"']
)
def test_bytes_no_driver_reads_are_kept_as_an_event(payload: bytes) -> None:
    counts = Counts()
    (draft,) = kept(arrival(payload), counts=counts)
    assert draft.type == "event"
    assert draft.body["name"] == "frame.refused"
    assert as_bytes(draft.body["frame"]) == payload
    assert draft.body["error"]["message"].endswith(".")
    assert counts.total("vitals_frames_refused_total") == 1
    check_plain(draft.body)


def test_a_message_beyond_the_limit_is_kept_by_its_head_and_digest() -> None:
    (draft,) = kept(arrival(b"{" + b" " * PAYLOAD_BYTES_MAX))
    assert draft.body["error"]["kind"] == "TooLarge"
    assert draft.body["frame_bytes"] == PAYLOAD_BYTES_MAX + 1
    assert len(draft.body["frame"]) < 10_000


def test_a_driver_that_breaks_costs_neither_the_frame_nor_the_hub() -> None:
    def broken(_frame: Frame) -> tuple[Sample, ...]:
        raise ZeroDivisionError

    driver = Driver(
        name="broken", version=1, link=Link.MQTT, sources={"payload": broken}, models=(), reads=(),
        grade=Grade.D, documented="none", form=Form.TEXT,
    )  # fmt: skip
    (draft,) = kept(arrival(b"{}"), drivers=lambda _name: driver)
    assert draft.body["error"]["kind"] == "DriverFault"


def test_every_status_in_a_frame_is_an_event_of_its_own() -> None:
    def decode(_frame: Frame) -> tuple[Sample, ...]:
        ids = [DeviceIdentity(id=f"stel:{name}") for name in "AB"]
        return tuple(Sample(kind=SampleKind.STATUS, device=device, status=("heartbeat",)) for device in ids)

    two = replace(registry.named("stel"), sources={"payload": decode})
    first, second = kept(arrival(b"{}"), drivers=lambda _name: two)
    assert (first.body["device"], second.body["device"]) == ("stel:A", "stel:B")
    assert first.record_id != second.record_id
    replayed = kept(arrival(b"{}", retained=True), drivers=lambda _name: two)
    assert len({draft.record_id for draft in replayed}) == 2


def test_a_full_store_is_the_callers_to_know() -> None:
    intake = Intake(
        Kept(StoreFull("No room.")).append, registry.named, unknown, Place("home", ZoneInfo("UTC")), Counts()
    )
    with pytest.raises(StoreFull):
        asyncio.run(intake.keep([arrival(stel())]))


@pytest.mark.parametrize("path", [Capture.SYNTHETIC, Capture.UNKNOWN, Capture.MANUAL_STAFF])
def test_only_a_devices_own_path_makes_device(path: Capture) -> None:
    (draft,) = kept(arrival(stel(), path=path))
    assert draft.body["capture"] == path
    assert draft.body["automatic"] is False


def test_a_retained_value_without_time_is_no_new_reading() -> None:
    topic = "home/TheengsGateway/BTtoMQTT/112233445566"
    (draft,) = kept(arrival(json.dumps(THEENGS).encode(), "theengs", topic=topic, retained=True))
    assert draft.body["name"] == "frame.retained"


def test_a_retained_message_that_names_itself_is_known_by_its_own_id() -> None:
    live, retained = kept(arrival(stel()), arrival(stel(), retained=True))
    assert live.record_id == retained.record_id


def test_a_value_without_time_or_number_is_one_event_for_as_long_as_it_repeats() -> None:
    topic = "home/TheengsGateway/BTtoMQTT/112233445566"
    first = arrival(json.dumps(THEENGS).encode(), "theengs", topic=topic)
    later = replace(first, heard=replace(first.heard, monotonic_ns=first.heard.monotonic_ns + 1))
    one, two = kept(first, later)
    assert one.record_id != two.record_id
    assert one.once_key == two.once_key
    assert one.once_ms > 0


@given(st.binary(max_size=200))
def test_whatever_comes_something_plain_is_kept_or_nothing_was_said(payload: bytes) -> None:
    for draft in kept(arrival(payload), arrival(payload, "theengs", topic="x")):
        check_plain(draft.body)


def test_a_share_above_a_hundred_percent_is_kept_marked_and_not_counted() -> None:
    frame = Frame(bytes.fromhex("0065005a00"), source="2A5F")  # SpO2 101 %, pulse 90
    path: dict[str, Any] = {
        "heard": FakeClock().now(),
        "transport": "ble",
        "source": "x",
        "device": DeviceIdentity(id="ble:1"),
    }
    (draft,) = kept(Arrival(frame=frame, driver="ble-pulse-oximeter", **path))
    assert [o["value"] for o in draft.body["observations"]] == ["101", "90"]
    assert draft.body["quality"] == "caution"
    assert "implausible" in draft.body["status"]


@pytest.mark.parametrize("unsigned", [1.5, "\ud800"])
def test_a_body_without_canonical_form_is_a_drivers_fault_and_stops_nothing(unsigned: Any) -> None:
    def wrong(_frame: Frame) -> tuple[Sample, ...]:
        technical: Any = (("battery_mv", unsigned),)
        return (Sample(device=DeviceIdentity(id="x:1"), message_id="1", technical=technical),)

    driver = Driver(
        name="wrong", version=1, link=Link.MQTT, sources={"payload": wrong}, models=(), reads=(),
        grade=Grade.D, documented="none", form=Form.TEXT,
    )  # fmt: skip
    (draft,) = kept(arrival(b"{}"), drivers=lambda _name: driver)
    assert draft.body["error"]["kind"] == "DriverFault"
