"""Which device is whose: the fold over ledger records, and the acts that people may and may not do."""

from typing import Any

import pytest

from gateway.core.catalogue import UNKNOWN, Evidence
from gateway.core.errors import BadInput
from gateway.core.period import period
from gateway.core.reading import DeviceIdentity
from gateway.core.rules import Program
from gateway.registry import LEDGER_TYPES, SLOT_MAX, Act, Registry
from tests.core.bundles import NEW_YORK

HOUR = 3_600_000
DAY = 24 * HOUR
NOW = 1_772_464_000_000  # 2 March 2026
CUFF = "ble:AA:BB"
CLEARED = Evidence(status="device_201h", clearance="K141160", source="510(k) K141160", checked="2026-11-21")
RULES = ("us-medicare-2026", Program.RPM)


def act(now_ms: int = NOW, why: str | None = None, *, backdated: bool = False) -> Act:
    return Act(now_ms, "tech-4", why, backdated)


class Desk:
    """A registry with the records that made it."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.records: list[dict[str, Any]] = []

    def keep(self, type_: str, *bodies: dict[str, Any]) -> None:
        for body in bodies:
            record = {**body, "type": type_, "seq": len(self.records) + 1}
            self.records.append(record)
            self.registry.apply(record)

    def assign(self, patient: str, slot: int | None = None, now_ms: int = NOW) -> None:
        self.keep("assignment", self.registry.assign(act(now_ms), CUFF, patient, slot=slot))

    def enrol(self, patient: str = "P", now_ms: int = NOW, rules: tuple[str, Program] = RULES) -> None:
        body = self.registry.enrol(
            act(now_ms), patient, rules, "America/New_York", (now_ms - DAY, now_ms - HOUR, now_ms)
        )
        self.keep("enrolment", body)


@pytest.fixture
def desk() -> Desk:
    """A registered cuff that nobody wears yet."""
    made = Desk()
    made.keep("device", made.registry.register(act(), DeviceIdentity(id=CUFF, model="UA-651"), CLEARED))
    return made


def refused(call: Any, *args: Any, **kwargs: Any) -> str:
    """The sentence an act is refused with."""
    with pytest.raises(BadInput) as caught:
        call(*args, **kwargs)
    return str(caught.value)


def test_an_unknown_device_is_nobodys() -> None:
    found = Registry().binding("ble:unknown", None, NOW)
    assert (found.known, found.patient, found.ambiguous, found.evidence) == (False, None, False, UNKNOWN)


def test_a_registered_device_carries_its_evidence_and_who_when_why(desk: Desk) -> None:
    assert desk.registry.is_registered(CUFF)
    assert desk.registry.evidence(CUFF) == CLEARED
    assert desk.registry.evidence("other") is UNKNOWN
    assert desk.records[0] | {"at": "2026-03-02T15:06:40.000Z", "by": "tech-4", "why": None} == desk.records[0]


def test_a_later_device_record_corrects_the_first(desk: Desk) -> None:
    wellness = Evidence(status="wellness", source="the maker's page", checked="2026-03-01")
    desk.keep("device", desk.registry.register(act(), DeviceIdentity(id=CUFF), wellness))
    assert desk.registry.binding(CUFF, None, NOW).evidence.status == "wellness"


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(status="device_201h"),
        Evidence(status="wellness", source="x"),
        Evidence(status="cleared", source="x", checked="y"),
    ],
)
def test_a_status_needs_a_known_word_a_source_and_a_date(evidence: Evidence) -> None:
    assert "status" in refused(Registry().register, act(), DeviceIdentity(id=CUFF), evidence)


def test_an_unknown_status_needs_no_source() -> None:
    assert Registry().register(act(), DeviceIdentity(id=CUFF), UNKNOWN)["status"] == "unknown"


def test_a_reading_belongs_to_whoever_wore_the_device_when_it_was_measured(desk: Desk) -> None:
    desk.assign("P")
    desk.keep("assignment", *desk.registry.unassign(act(NOW + DAY), CUFF))
    desk.assign("Q", now_ms=NOW + DAY)
    at = [NOW - 1, NOW, NOW + DAY - 1, NOW + DAY, NOW + 9 * DAY]
    assert [desk.registry.binding(CUFF, None, moment).patient for moment in at] == [None, "P", "P", "Q", "Q"]
    assert [(span.patient, span.to_ms) for span in desk.registry.assignments(CUFF)] == [("P", NOW + DAY), ("Q", None)]
    assert [span.device for span in desk.registry.devices_of("P")] == [CUFF]


def test_a_reading_without_an_instant_is_nobodys(desk: Desk) -> None:
    desk.assign("P")
    found = desk.registry.binding(CUFF, None, None)
    assert (found.known, found.patient, found.ambiguous) == (True, None, False)


@pytest.mark.parametrize(
    ("slots", "slot", "patient", "ambiguous"),
    [
        ({"P": 1, "Q": 2}, 1, "P", False),
        ({"P": 1, "Q": 2}, 2, "Q", False),
        ({"P": 1, "Q": 2}, 3, None, False),  # a guest
        ({"P": 1, "Q": 2}, None, None, True),
        ({"P": 1}, None, None, True),  # the device is shared by slots: it may have been anyone
        ({"P": None}, 2, "P", False),
        ({"P": None, "Q": 2}, 2, "Q", False),
        ({"P": None, "Q": 2}, 1, "P", False),
        ({"P": None, "Q": 2}, None, None, True),
    ],
)
def test_slots_tell_two_patients_apart(
    desk: Desk, slots: dict[str, int | None], slot: int | None, patient: str | None, ambiguous: bool
) -> None:
    for name, own in slots.items():
        desk.assign(name, own)
    found = desk.registry.binding(CUFF, slot, NOW)
    assert (found.patient, found.ambiguous) == (patient, ambiguous)


def test_records_that_contradict_each_other_leave_the_person_ambiguous(desk: Desk) -> None:
    for patient in ("P", "Q"):
        desk.keep("assignment", Registry().assign(act(), CUFF, patient))
    found = desk.registry.binding(CUFF, None, NOW)
    assert (found.patient, found.ambiguous) == (None, True)


@pytest.mark.parametrize("slot", [None, 1])
def test_one_device_and_slot_is_never_two_patients(desk: Desk, slot: int | None) -> None:
    desk.assign("P", slot)
    assert "another patient's" in refused(desk.registry.assign, act(NOW + DAY), CUFF, "Q", slot=slot)
    assert "already" in refused(desk.registry.assign, act(NOW + DAY), CUFF, "P", slot=slot)


def test_an_assignment_is_never_back_dated_silently(desk: Desk) -> None:
    for doer in (act(), act(why="forgot"), act(backdated=True)):
        assert "back-dated" in refused(desk.registry.assign, doer, CUFF, "P", from_ms=NOW - 1)
    body = desk.registry.assign(act(why="paper form of 1 March", backdated=True), CUFF, "P", from_ms=NOW - DAY)
    assert (body["backdated"], body["why"]) == (True, "paper form of 1 March")


def test_a_back_dated_assignment_may_not_reach_into_anothers(desk: Desk) -> None:
    desk.assign("P")
    desk.keep("assignment", *desk.registry.unassign(act(NOW + DAY), CUFF))
    late = act(NOW + 2 * DAY, "late form", backdated=True)
    assert "another patient's" in refused(desk.registry.assign, late, CUFF, "Q", from_ms=NOW + DAY - 1)
    assert desk.registry.assign(late, CUFF, "Q", from_ms=NOW + DAY)["patient"] == "Q"


@pytest.mark.parametrize("slot", [-1, SLOT_MAX + 1])
def test_a_slot_is_one_byte(desk: Desk, slot: int) -> None:
    assert "slot" in refused(desk.registry.assign, act(), CUFF, "P", slot=slot)


def test_ending_needs_something_open_and_a_sensible_time(desk: Desk) -> None:
    assert "Nobody wears" in refused(desk.registry.unassign, act(), CUFF)
    desk.assign("P", 1)
    desk.assign("Q", 2)
    assert "Nobody wears" in refused(desk.registry.unassign, act(), CUFF, slot=3)
    assert "back-dated" in refused(desk.registry.unassign, act(NOW + DAY), CUFF, to_ms=NOW + HOUR)
    before = act(NOW + DAY, "lost", backdated=True)
    assert "before it began" in refused(desk.registry.unassign, before, CUFF, to_ms=NOW - 1)
    assert [body["patient"] for body in desk.registry.unassign(act(NOW + DAY), CUFF, slot=2)] == ["Q"]
    assert len(desk.registry.unassign(act(NOW + DAY), CUFF)) == 2


def test_service_begins_with_the_last_of_order_consent_and_setup(desk: Desk) -> None:
    desk.assign("P")
    desk.enrol()
    assert desk.registry.binding(CUFF, None, NOW).enrolment(Program.RPM) is not None
    (episode,) = desk.registry.enrolments("P")
    assert (episode.start_ms, episode.end_ms, episode.practitioners) == (NOW, None, 1)
    assert desk.registry.patients() == ("P",)


def test_an_enrolment_covers_its_own_time_and_program_only(desk: Desk) -> None:
    desk.assign("P")
    desk.enrol(now_ms=NOW + HOUR)
    body = desk.registry.end_enrolment(act(NOW + DAY, "goals met"), "P", Program.RPM)
    desk.keep("enrolment", body)
    covered = {
        at: bool(desk.registry.binding(CUFF, None, at).enrolments) for at in (NOW, NOW + HOUR, NOW + DAY, NOW + DAY + 1)
    }
    assert list(covered.values()) == [False, True, True, False]
    assert desk.registry.binding(CUFF, None, NOW + HOUR).enrolment(Program.RTM) is None


def test_an_enrolment_ended_may_begin_again_as_a_new_episode(desk: Desk) -> None:
    desk.enrol()
    assert "end that enrolment first" in refused(
        desk.registry.enrol, act(NOW + DAY), "P", RULES, "UTC", (NOW + DAY,) * 3
    )
    desk.keep("enrolment", desk.registry.end_enrolment(act(NOW + DAY, "moved away"), "P", Program.RPM))
    assert "end that enrolment first" in refused(
        desk.registry.enrol, act(NOW + DAY), "P", RULES, "UTC", (NOW + DAY,) * 3
    )
    desk.enrol(now_ms=NOW + 9 * DAY)
    assert [episode.start_ms for episode in desk.registry.enrolments("P")] == [NOW, NOW + 9 * DAY]


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "", "America"])
def test_an_enrolment_needs_a_zone_that_exists(zone: str) -> None:
    assert "time zone" in refused(Registry().enrol, act(), "P", RULES, zone, (NOW, NOW, NOW))


def test_an_enrolment_is_never_back_dated_silently(desk: Desk) -> None:
    dates = (NOW - DAY, NOW - DAY, NOW - HOUR)
    assert "back-dated" in refused(desk.registry.enrol, act(), "P", RULES, "UTC", dates)
    body = desk.registry.enrol(act(why="moved from paper", backdated=True), "P", RULES, "UTC", dates)
    assert (body["start"], body["setup_at"]) == ("2026-03-02T14:06:40.000Z",) * 2


def test_an_end_needs_a_reason_an_open_enrolment_and_a_sensible_time(desk: Desk) -> None:
    assert "no open enrolment" in refused(desk.registry.end_enrolment, act(why="x"), "P", Program.RPM)
    desk.enrol()
    assert "Say why" in refused(desk.registry.end_enrolment, act(), "P", Program.RPM)
    assert "back-dated" in refused(desk.registry.end_enrolment, act(NOW + DAY, "x"), "P", Program.RPM, NOW + HOUR)
    early = act(NOW + DAY, "x", backdated=True)
    assert "before it began" in refused(desk.registry.end_enrolment, early, "P", Program.RPM, NOW - 1)


def test_the_number_of_practitioners_is_a_correction_of_the_open_episode(desk: Desk) -> None:
    desk.enrol()
    assert "At least one" in refused(desk.registry.amend, act(), "P", Program.RPM, practitioners=0)
    desk.keep("enrolment", desk.registry.amend(act(NOW + DAY), "P", Program.RPM, practitioners=2))
    assert [(episode.practitioners, episode.start_ms) for episode in desk.registry.enrolments("P")] == [(2, NOW)]


def test_while_a_technician_is_at_work_readings_are_rehearsals(desk: Desk) -> None:
    desk.assign("P")
    desk.keep("setup", desk.registry.visit(act(NOW), CUFF, "P", "begun"))
    desk.keep("setup", desk.registry.visit(act(NOW + HOUR), CUFF, "P", "done"))
    at = [NOW - 1, NOW, NOW + HOUR - 1, NOW + HOUR]
    assert [desk.registry.binding(CUFF, None, moment).in_setup for moment in at] == [False, True, True, False]
    assert "begun, done or abandoned" in refused(desk.registry.visit, act(), CUFF, "P", "paused")


@pytest.mark.parametrize(
    ("visits", "complete"),
    [
        ([], False),
        ([(NOW - HOUR, "begun")], False),
        ([(NOW - HOUR, "begun"), (NOW, "abandoned")], False),
        ([(NOW - HOUR, "begun"), (NOW, "done")], True),
        ([(NOW, "done")], True),
        ([(NOW - HOUR, "begun"), (NOW - 1, "abandoned"), (NOW, "done")], True),
    ],
    ids=["none", "begun", "abandoned", "done", "done at once", "second try"],
)
def test_a_service_knows_whether_its_setup_was_done(desk: Desk, visits: list[tuple[int, str]], complete: bool) -> None:
    for moment, state in visits:
        desk.keep("setup", desk.registry.visit(act(moment), CUFF, "P", state))
    desk.enrol()
    (episode,) = desk.registry.enrolments("P")
    service = desk.registry.service(episode, period(1, NOW, NEW_YORK, 30), setup_billed=True)
    assert (service.setup_record, service.setup_billed, service.start_ms) == (complete, True, NOW)


def test_each_episode_needs_a_setup_of_its_own(desk: Desk) -> None:
    desk.keep("setup", desk.registry.visit(act(), CUFF, "P", "done"), desk.registry.visit(act(), CUFF, "Q", "done"))
    desk.enrol()
    desk.keep("enrolment", desk.registry.end_enrolment(act(NOW + DAY, "goals met"), "P", Program.RPM))
    desk.enrol(now_ms=NOW + 9 * DAY)
    services = [
        desk.registry.service(each, period(1, each.start_ms, NEW_YORK, 30)) for each in desk.registry.enrolments("P")
    ]
    assert [service.setup_record for service in services] == [True, False]


def test_the_other_program_in_the_same_period_is_seen(desk: Desk) -> None:
    desk.enrol()
    desk.enrol(now_ms=NOW + 40 * DAY, rules=("us-medicare-2026-rtm-cbt", Program.RTM))
    desk.keep("enrolment", desk.registry.end_enrolment(act(NOW + 41 * DAY, "done"), "P", Program.RTM))
    episode = desk.registry.enrolments("P")[0]
    active = [desk.registry.service(episode, period(n, NOW, NEW_YORK, 30)).rtm_active for n in (1, 2, 3)]
    assert active == [False, True, False]


def test_an_episode_that_begins_as_a_period_closes_is_not_in_it(desk: Desk) -> None:
    desk.enrol()
    (episode,) = desk.registry.enrolments("P")
    march = period(1, NOW, NEW_YORK, 30)
    desk.enrol(now_ms=march.close_ms, rules=("us-medicare-2026-rtm-cbt", Program.RTM))
    assert not desk.registry.service(episode, march).rtm_active


def test_the_setup_of_the_instant_an_episode_ended_belongs_to_it(desk: Desk) -> None:
    desk.enrol()
    desk.keep("enrolment", desk.registry.end_enrolment(act(NOW + DAY, "goals met"), "P", Program.RPM))
    desk.keep("setup", desk.registry.visit(act(NOW + DAY), CUFF, "P", "done"))
    desk.enrol(now_ms=NOW + 2 * DAY)
    first, second = (
        desk.registry.service(each, period(1, NOW, NEW_YORK, 30)) for each in desk.registry.enrolments("P")
    )
    assert (first.setup_record, second.setup_record) == (True, False)


def test_the_view_is_the_same_from_the_ledger_as_step_by_step(desk: Desk) -> None:
    desk.assign("P", 1)
    desk.assign("Q", 2)
    desk.enrol()
    desk.keep("assignment", *desk.registry.unassign(act(NOW + DAY), CUFF, slot=1))
    desk.keep("setup", desk.registry.visit(act(NOW + DAY), CUFF, "P", "begun"))
    desk.keep("reading", {"device": {"id": CUFF}})
    assert {record["type"] for record in desk.records} == {*LEDGER_TYPES, "reading"}
    again = Registry.from_ledger(desk.records)
    for slot in (None, 1, 2):
        for moment in (NOW - 1, NOW, NOW + DAY, NOW + 2 * DAY):
            assert again.binding(CUFF, slot, moment) == desk.registry.binding(CUFF, slot, moment)


def test_no_refusal_names_a_patient_or_a_device(desk: Desk) -> None:
    desk.assign("pt-secret")
    said = refused(desk.registry.assign, act(), CUFF, "pt-other") + refused(
        desk.registry.assign, act(), CUFF, "pt-secret"
    )
    assert "pt-" not in said
    assert CUFF not in said
