"""Topic filters: what is one, what matches, who reads it, and what is remembered."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from drivers.registry import UNROUTED, find, named
from drivers.transports.mqtt_memory import FilterFile
from drivers.transports.mqtt_options import Topic, bare, filter_mistake, matches, router
from gateway.core.errors import StoreFull, UnknownLayout
from gateway.core.reading import Frame

_LEVEL = st.sampled_from(["", "a", "b", "$SYS", "é", "a b"])
_TOPIC = st.lists(_LEVEL, min_size=1, max_size=4).map("/".join)
_ABOVE = st.lists(st.one_of(_LEVEL, st.just("+")), max_size=3)
_FILTER = st.builds(lambda above, last: "/".join([*above, last]), _ABOVE, st.sampled_from(["a", "b", "+", "#"]))


@settings(deadline=None)  # a busy machine is no finding
@given(_FILTER, _TOPIC)
@example("#", "$SYS/uptime")
@example("+/uptime", "$SYS/uptime")
@example("a/#", "a")
def test_matching_agrees_with_paho(wanted: str, topic: str) -> None:
    assert filter_mistake(wanted) is None
    assert matches(wanted, topic) == topic_matches_sub(wanted, topic)


@settings(deadline=None)
@given(st.text(max_size=8), st.text(max_size=8))
def test_no_text_breaks_matching(wanted: str, topic: str) -> None:
    assert matches(bare(wanted), topic) in (True, False)
    assert filter_mistake(wanted) is None or "filter" in (filter_mistake(wanted) or "")


@pytest.mark.parametrize("wanted", ["#", "a/#", "+", "+/a/+/#", "/", "a//b", "$SYS/#", "$share/g/a/#", "$share/g//"])
def test_filters_of_the_standard(wanted: str) -> None:
    assert filter_mistake(wanted) is None


@pytest.mark.parametrize(
    "wanted",
    ["", "a#", "#/a", "a/#/b", "a/b+", "a\0b", "a" * 65_536, "$share/g", "$share/g/", "$share//a", "$share/+/a"],
)
def test_mistakes_are_named(wanted: str) -> None:
    assert (filter_mistake(wanted) or "").endswith(".")


def test_the_first_configured_match_decides() -> None:
    topics = (Topic("stel/7/#", "telli"), Topic("$share/hubs/stel/#", "stel"), Topic("stel/7/x", "tenovi"))
    driver_for = router(topics, "nobody")
    assert [driver_for(topic) for topic in ("stel/7/x", "stel/8", "other", "stel/7")] == [
        "telli",
        "stel",
        "nobody",
        "telli",
    ]


def test_a_message_of_no_configured_topic_is_refused_with_the_reason() -> None:
    unrouted = named(UNROUTED.name)
    with pytest.raises(UnknownLayout, match="No configured topic matches"):
        unrouted.decode(Frame(b"{}", topic="stel/1"))
    assert UNROUTED.name not in find()


def test_remembered_filters_survive_and_damage_counts_as_none(tmp_path: Path) -> None:
    memory = FilterFile(tmp_path / "cell.filters")
    assert memory.load() == frozenset()
    memory.save(frozenset({"b/#", "a"}))
    assert FilterFile(tmp_path / "cell.filters").load() == {"a", "b/#"}
    for damage in ("", "{", "7", '{"a": 1}', "[1, null]"):
        memory.path.write_text(damage)
        assert memory.load() == frozenset()


def test_a_folder_that_cannot_be_written_is_a_full_store(tmp_path: Path) -> None:
    with pytest.raises(StoreFull):
        FilterFile(tmp_path / "nowhere" / "cell.filters").save(frozenset({"a"}))
