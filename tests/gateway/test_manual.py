"""Values typed by a person: kept, never counted, and nothing can make them automatic."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import BadInput
from gateway.core.reading import Draft
from gateway.core.record import check_plain
from gateway.manual import typed_reading
from tests.fakes.clock import FakeClock

ZONE = ZoneInfo("America/New_York")


def entered(**question: object) -> Draft:
    asked = {"patient": "pt-1", "values": ["weight=70.50kg"]} | question
    return typed_reading(asked, FakeClock().now(), ZONE, "home")


def test_a_typed_value_is_manual_and_does_not_count() -> None:
    body = entered(by="patient").body
    assert (body["capture"], body["automatic"]) == ("manual_patient", False)
    assert body["qualifies"] == {"day": False, "reason": "Q01 not automatic", "rules": None}
    assert body["observations"][0]["value"] == "70.50"
    check_plain(body)


@given(
    st.dictionaries(st.sampled_from(["capture", "automatic", "qualifies", "device", "path", "kind"]), st.just("device"))
)
def test_no_further_word_makes_it_automatic(more: dict[str, str]) -> None:
    body = entered(**more).body
    assert body["capture"] == "manual_staff"
    assert body["automatic"] is False
    assert body["device"]["driver"] == "manual"


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ({"values": ["weight=70"]}, "unit of weight"),
        ({"values": ["weight=70 stone"]}, "unit of weight"),
        ({"values": ["mood=3"]}, "names:"),
        ({"values": ["weight=NaN"]}, "NAME=NUMBER"),
        ({"values": []}, "NAME=NUMBER"),
        ({"patient": "Jane Doe"}, "opaque"),
        ({"by": "device"}, "patient or by staff"),
        ({"at": "yesterday"}, "2026-11-21T09:00:00-05:00"),
        ({"at": "2026-11-20T09:00:00"}, "offset"),
        ({"at": "2030-01-01T00:00:00Z"}, "not come yet"),
    ],
)
def test_a_mistake_says_what_to_write(question: dict[str, object], word: str) -> None:
    with pytest.raises(BadInput, match=word):
        entered(**question)
