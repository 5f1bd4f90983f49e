"""Canonical form and chain: equal to RFC 8785 as another implementation has it, and broken by any change."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import BadInput
from gateway.core.record import GENESIS, canonical, chain, check_plain, verify

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_LEAF = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | _TEXT
_KEY = st.text(st.characters(codec="ascii"), min_size=1)
_PLAIN = st.recursive(_LEAF, lambda inner: st.lists(inner) | st.dictionaries(_KEY, inner), max_leaves=20)
_BODY = st.dictionaries(_KEY, _PLAIN)


@given(_PLAIN)
def test_canonical_is_rfc_8785(document: Any) -> None:
    assert canonical(document) == rfc8785.dumps(document)


@given(_BODY, st.integers(1, 2**53 - 1))
def test_a_chained_record_is_rfc_8785_and_verifies(body: dict[str, Any], seq: int) -> None:
    text, digest = chain(body, record_id="r-1", type_="reading", seq=seq, prev=GENESIS)
    record = json.loads(text)
    assert text == rfc8785.dumps(record)
    assert record["hash"] == digest
    assert verify(record)
    own = {"record_id": "r-1", "type": "reading", "seq": seq, "prev": GENESIS, "hash": digest}
    assert record == {**body, **own}


@given(_BODY, st.data())
def test_any_change_breaks_the_hash(body: dict[str, Any], draw: st.DataObject) -> None:
    text, _ = chain(body, record_id="r-1", type_="reading", seq=1, prev=GENESIS)
    record = json.loads(text)
    key = draw.draw(st.sampled_from(sorted(set(record) - {"hash"})))
    record[key] = [record[key], "changed"]
    assert not verify(record)


def test_a_body_cannot_set_its_own_place() -> None:
    text, digest = chain({"seq": 99, "hash": "x", "prev": "y", "a": 1}, record_id="r", type_="t", seq=1, prev=GENESIS)
    assert json.loads(text) == {"a": 1, "hash": digest, "prev": GENESIS, "record_id": "r", "seq": 1, "type": "t"}


@pytest.mark.parametrize(
    "body",
    [
        {"value": 1.5},
        {"value": float("nan")},
        {"value": 2**53},
        {"values": [1, [2.0]]},
        {"deep": {"value": 1.0}},
        {"text": "\ud800"},
        {"grün": 1},
        {"deep": {1: 2}},
        {"bytes": b"x"},
        {"set": {1}},
    ],
)
def test_what_has_no_canonical_form_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        chain(body, record_id="r", type_="reading", seq=1, prev=GENESIS)
    with pytest.raises(BadInput):
        canonical(body)


def test_an_error_names_no_value() -> None:
    with pytest.raises(BadInput) as caught:
        check_plain({"weight": 71.25})
    assert "71" not in str(caught.value)


def test_a_record_that_was_not_chained_does_not_verify() -> None:
    assert not verify({"a": 1})
