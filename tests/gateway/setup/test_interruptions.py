"""Wherever a visit is interrupted, it ends with the same record but for times."""

from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import BadInput
from gateway.setup.course import Body, Patience, begun, conducted, the_open
from gateway.setup.script import Script, read_script
from tests.gateway.setup.clinic import VISIT
from tests.gateway.setup.desk import CUFF, ZONE, Desk, desk_in

PATIENT = "pt-8842"
TEXT = VISIT.format(patient=PATIENT, device=CUFF)
# A whole visit takes some 15 questions; an interruption may fall on any of them, before or after it is answered.
_QUESTIONS = 16
_TIMES = {"at", "started_at", "ended_at", "heard_at", "start", "measured_at", "received_at", "accepted_at"}
_PLACES = {"record_id", "seq", "prev", "hash", "visit"}


class Killed(BaseException):
    """The command is gone."""


def plain(value: Any) -> Any:
    """A record without its times and its place on the ledger."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if key not in _TIMES | _PLACES}
    return value


def script_for(desk: Desk) -> Script:
    return read_script(TEXT, "visit.toml", None, desk.clock.now().utc_ms, ZoneInfo(ZONE))


def whole_visit(desk: Desk, interruptions: dict[int, str]) -> Body:
    """The record at the end, however often the command or the daemon is killed on the way."""
    number = count()

    def ask(question: Body) -> Body:
        how = interruptions.get(next(number))
        if how == "before":
            raise Killed
        answer = desk.ask(question)
        if how is not None:
            if how == "daemon":
                desk.restart()
            raise Killed
        return answer

    def pause() -> None:
        if not desk.ask({"do": "setup.list"})["open"][0]["receipt"]:
            desk.measure()
        desk.upload()

    desk.measure()
    while True:
        try:
            return attempt(ask, desk, Patience(pause, desk.clock.monotonic_s, 600))
        except Killed:
            continue


def attempt(ask: Any, desk: Desk, patience: Patience) -> Body:
    """One command: a new visit, an open one, or the record of one that is done."""
    script = script_for(desk)
    told = the_open(ask({"do": "setup.list", "patient": PATIENT})["open"], CUFF)
    if told is None:
        try:
            record: Body = ask({"do": "setup.record", "patient": PATIENT})["record"]
        except BadInput:
            told = begun(ask, script, PATIENT)
        else:
            return record
    return conducted(ask, script, told, patience)


@settings(max_examples=15)
@given(st.dictionaries(st.integers(0, _QUESTIONS), st.sampled_from(["before", "after", "daemon"]), max_size=6))
def test_the_record_is_the_same_wherever_the_visit_was_interrupted(
    tmp_path_factory: pytest.TempPathFactory, interruptions: dict[int, str]
) -> None:
    with desk_in(tmp_path_factory.mktemp("interrupted")) as desk:
        record = whole_visit(desk, interruptions)
        assert plain(record) == PLAIN
        ledger = desk.ledger("setup", "enrolment", "assignment", "device")
        said = [(each["type"], each.get("state") or each.get("action"), each.get("step")) for each in ledger]
        assert said == LEDGER


@pytest.mark.parametrize("how", ["before", "after", "daemon"])
def test_an_interruption_at_every_question_changes_nothing(tmp_path: Path, how: str) -> None:
    for number in range(_QUESTIONS):
        folder = tmp_path / str(number)
        folder.mkdir()
        with desk_in(folder) as desk:
            assert plain(whole_visit(desk, {number: how})) == PLAIN


STEPS = ("assignment", "training", "demonstration", "consent", "order", "service", "trainer", "acknowledgement")
LEDGER = [
    ("setup", "begun", "device"),
    ("device", None, None),
    ("assignment", "assign", None),
    *(("setup", "answered", step) for step in STEPS),
    ("setup", "done", None),
    ("enrolment", "begin", None),
]
PLAIN = {
    "type": "setup", "state": "done", "by": "tech-4", "why": None, "patient": PATIENT, "device": CUFF,
    "identity": {"manufacturer": None, "model": "BP Cuff", "serial": None, "firmware": None,
                 "udi_di": "(01)00093764603044", "udi_from": "label"},
    "regulatory": {"status": "device_201h", "specific_code": None, "clearance": "K141160",
                   "source": "510(k) K141160", "checked": "2026-11-21"},
    "pairing": {"driver": "stel", "transport": "mqtt"},
    "assignment": {"slot": None},
    "parameters": ["blood_pressure"],
    "training": dict.fromkeys(("operation", "technique", "schedule", "troubleshooting", "emergency"), True),
    "demonstration": {"measured": True, "understood": True, "transmitted": True},
    "consent": {"form": "verbal", "reference": "cons-2231"},
    "order": {"reference": "ord-55"},
    "trainer": {"reference": "staff-17", "credentials": "RN"},
    "acknowledgement": {"by": "caregiver"},
    "test_reading": {"modality": "blood_pressure", "context": "setup_demo"},
    "service": {"rules": "us-medicare-2026", "program": "RPM", "timezone": ZONE, "practitioners": 1, "begun": True},
    "hub": {"id": "hub-7", "site": "home", "clock_synchronised": True},
    "software": "vitals-gateway/0.1.0",
}  # fmt: skip
