"""`enrol` as a question: its dates, its practitioners, its zone."""

from typing import Any

import pytest

from gateway.acts import acts
from gateway.core.errors import BadInput
from gateway.core.rules import Program
from gateway.core.time import utc_text
from gateway.registry import Registry

NOW = 1_795_269_600_000  # 2026-11-21T14:00:00Z
HOUR = 3_600_000


def asked(registry: Registry, now_ms: int = NOW, /, **said: Any) -> dict[str, Any]:
    """The body of the record a question makes, applied."""
    ((type_, body, _),) = acts({"do": "enrol", "patient": "pt-1", "by": "tech"} | said, registry, now_ms, "UTC", None)
    registry.apply({"type": type_, **body})
    return body


def refused(registry: Registry, **said: Any) -> str:
    with pytest.raises(BadInput) as caught:
        asked(registry, **said)
    return str(caught.value)


def test_service_begins_with_the_last_of_order_consent_and_setup() -> None:
    said: dict[str, Any] = {"order": utc_text(NOW - 2 * HOUR), "consent": utc_text(NOW - HOUR)}
    body = asked(Registry(), **said)
    dates = [body[key] for key in ("order_at", "consent_at", "setup_at", "start")]
    assert dates == [utc_text(NOW - 2 * HOUR), utc_text(NOW - HOUR), utc_text(NOW), utc_text(NOW)]


def test_a_consent_after_the_setup_begins_the_service() -> None:
    said: dict[str, Any] = {"from": utc_text(NOW - 2 * HOUR), "consent": utc_text(NOW - HOUR), "why": "paper form"}
    assert asked(Registry(), **said)["start"] == utc_text(NOW - HOUR)


@pytest.mark.parametrize("key", ["order", "consent"])
def test_what_was_not_given_yet_begins_no_service(key: str) -> None:
    assert "future" in refused(Registry(), **{key: utc_text(NOW + HOUR)})
    assert "Write the time" in refused(Registry(), **{key: "yesterday"})


def test_practitioners_stand_in_the_enrolment_and_are_corrected_by_a_new_record() -> None:
    registry = Registry()
    begun = asked(registry, practitioners=2)
    assert (begun["action"], begun["practitioners"]) == ("begin", 2)
    amended = asked(registry, NOW + HOUR, practitioners=3)
    assert (amended["action"], amended["practitioners"], amended["start"]) == ("amend", 3, begun["start"])
    (episode,) = registry.enrolments("pt-1")
    assert episode.practitioners == 3


@pytest.mark.parametrize("count", [0, -1, True, "2", 1.5])
def test_practitioners_are_counted_from_one(count: Any) -> None:
    assert "At least one practitioner" in refused(Registry(), practitioners=count)


def test_the_patients_zone_is_their_own() -> None:
    assert asked(Registry())["timezone"] == "UTC"
    assert asked(Registry(), timezone="America/Denver")["timezone"] == "America/Denver"
    assert "time zone" in refused(Registry(), timezone="America/Denverr")


def test_a_therapeutic_profile_enrols_in_rtm() -> None:
    registry = Registry()
    assert asked(registry, rules="us-medicare-2026-rtm-respiratory")["program"] == "RTM"
    assert registry.open_enrolment("pt-1", Program.RTM) is not None
    assert "no rule profile" in refused(registry, rules="us-medicare-1926")


def test_an_end_may_be_back_dated_with_its_reason() -> None:
    registry = Registry()
    asked(registry)
    late: dict[str, Any] = {"end": True, "from": utc_text(NOW + HOUR), "why": "died at home"}
    ended = asked(registry, NOW + 2 * HOUR, **late)
    assert (ended["end"], ended["backdated"]) == (utc_text(NOW + HOUR), True)
