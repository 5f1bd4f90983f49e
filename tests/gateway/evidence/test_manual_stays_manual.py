"""A typed value cannot be made automatic: not by a question, not by the configuration, not by a file."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.load import parse
from config.rules import profiles
from gateway.core.errors import BadInput, ConfigInvalid, GatewayError
from gateway.core.gates import Facts, qualify
from gateway.core.reading import Capture, Metric, SampleKind, Signal
from gateway.core.rules import Program
from gateway.evidence.verify import verified
from tests.gateway.evidence.hub import CONFIG, CUFF, PATIENT, furnish, hub

QUESTIONS = ("status", "queue", "queue.show", "queue.retry", "enter", "replay", "assign", "unassign", "enrol",
             "days", "evidence", "setup.begin", "setup.done", "setup.look")  # fmt: skip
WORDS: dict[str, Any] = {
    "capture": "device", "automatic": True, "qualifies": {"day": True}, "path": "device", "driver": "stel",
    "device": CUFF, "patient": PATIENT, "by": "staff", "kind": "reading", "edited": False, "transport": "ble",
    "status": "device_201h", "source": "a letter", "why": "it is right", "values": ["weight=70kg"], "from": None,
    "text": "{}", "rules": "us-medicare-2026", "id": "",
}  # fmt: skip


def test_no_question_with_any_word_raises_it(tmp_path: Path) -> None:
    """Every question, with every word that might tempt, around one typed value and one replayed frame."""

    async def run() -> None:
        async with hub(tmp_path) as made:
            await furnish(made)
            typed = await made.ask("enter", patient=PATIENT, values=["weight=70kg"], **TEMPTING)
            before = await made.store.record(typed["record_id"])
            for do in QUESTIONS:
                try:
                    await made.ask(do, **{**WORDS, "id": typed["record_id"]})
                except GatewayError:
                    continue  # refused in a sentence: nothing was raised
            assert await made.store.record(typed["record_id"]) == before
            for entry in await made.store.follow(0, 500):
                if entry.type == "reading":
                    assert entry.record["automatic"] is False
                    assert entry.record["qualifies"]["day"] is False
            assert (await made.ask("days", patient=PATIENT))["days"]["measured"] == 0

    asyncio.run(run())


TEMPTING = {"capture": "device", "automatic": True, "qualifies": {"day": True, "reason": None}, "device": CUFF}


def test_a_replayed_frame_is_synthetic_whatever_it_says(tmp_path: Path) -> None:
    from drivers.virtual.cellular import cuff
    from tests.gateway.evidence.hub import CUFF_MAC, FIRST

    async def run() -> None:
        async with hub(tmp_path) as made:
            await furnish(made)
            made.clock.jump(60)
            text = cuff(CUFF_MAC, FIRST, 128, 80, 61).payload.decode()
            await made.ask("replay", driver="stel", text=text, path="device", capture="device", automatic=True)
            (entry,) = [each for each in await made.store.follow(0, 500) if each.type == "reading"]
            assert (entry.record["capture"], entry.record["automatic"]) == ("synthetic", False)

    asyncio.run(run())


@pytest.mark.parametrize(
    "line",
    [
        "[manual]\nautomatic = true",
        "[rules]\nself_report_counts = true",
        '[enter]\ncapture = "device"',
        "[gates]\nskip = ['Q01']",
    ],
)
def test_the_configuration_has_no_such_key(line: str) -> None:
    with pytest.raises(ConfigInvalid):
        parse(CONFIG.format(folder="/var/lib/x", size=64) + line)


@given(
    st.builds(
        Facts,
        duplicate=st.booleans(), kind=st.sampled_from(SampleKind),
        capture=st.sampled_from([capture for capture in Capture if capture is not Capture.DEVICE]),
        edited=st.booleans(), metric=st.sampled_from(Metric), device_known=st.booleans(), person_known=st.booleans(),
        time_trusted=st.booleans(), measured_ms=st.integers(0, 10), received_ms=st.integers(0, 10),
        assigned=st.booleans(), device_status=st.sampled_from(["device_201h", "unknown"]), enrolled=st.booleans(),
        context=st.just("normal"), site=st.just("home"), in_person_download=st.booleans(),
        quality=st.sampled_from(Signal), specific_code=st.none(),
    )
)  # fmt: skip
def test_no_rule_profile_counts_it_for_rpm(facts: Facts) -> None:
    assert not facts.automatic
    for rules in profiles().values():
        if rules.program is Program.RPM:
            assert not qualify(facts, rules)[0]


def test_no_edit_of_a_packet_makes_it_count(tmp_path: Path) -> None:
    async def run() -> dict[str, Any]:
        async with hub(tmp_path) as made:
            await furnish(made)
            await made.ask("enter", patient=PATIENT, values=["weight=70kg"])
            return await made.packet()

    text = json.dumps(asyncio.run(run()))
    for path in (("readings", 0), ("transmissions", 0, "record")):
        for key, value in (("capture", "device"), ("automatic", True), ("edited", True), ("kind", "alert_with_value")):
            document: Any = json.loads(text)
            place = document
            for step in path:
                place = place[step]
            if place.get(key) == value or key not in place:
                continue
            place[key] = value
            assert altered(document)


def altered(document: Any) -> str | None:
    try:
        return verified(json.dumps(document).encode(), profiles()).altered
    except BadInput as error:
        return str(error)
