import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.batch import Outcome, Status
from uploader.verdict import (
    Again,
    Answer,
    Hold,
    Settled,
    Split,
    again_s,
    delay_s,
    hold_s,
    judge,
    plain,
    retry_after_s,
)

NOW_MS = 1_795_269_603_120
IDS = ("a", "b", "c")


def answer(status: int, document: Any = None, *, body: bytes | None = None, kind: str = "application/json") -> Answer:
    return Answer(status, json.dumps(document).encode() if body is None else body, kind)


def results(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"batch_id": "k", "results": [{"record_id": name, "status": status} for name, status in pairs]}


ALL = results(("a", "accepted"), ("b", "duplicate"), ("c", "accepted"))


@pytest.mark.parametrize("status", [200, 201])
def test_results_settle_each_record(status: int) -> None:
    document = ALL | {"missing": [[4, 7], [9, 9]]}
    outcomes = (Outcome("a", Status.ACCEPTED), Outcome("b", Status.DUPLICATE), Outcome("c", Status.ACCEPTED))
    assert judge(answer(status, document), "k", IDS, NOW_MS) == Settled(outcomes, ((4, 7), (9, 9)))


def test_a_refusal_keeps_its_reason_as_one_plain_line() -> None:
    refused = {"record_id": "a", "status": "refused", "reason": "value\r\n\x1b[31mout of\trange" + "!" * 999}
    verdict = judge(answer(200, {"batch_id": "k", "results": [refused]}), "k", IDS, NOW_MS)
    assert isinstance(verdict, Settled)
    (outcome,) = verdict.outcomes
    assert outcome.reason is not None
    assert outcome.reason.startswith("value [31mout of range!")
    assert len(outcome.reason) == 300


@pytest.mark.parametrize("reason", [None, "", " \n"])
def test_a_refusal_without_a_reason_says_so(reason: str | None) -> None:
    refused = {"record_id": "a", "status": "refused", "reason": reason}
    verdict = judge(answer(200, {"batch_id": "k", "results": [refused]}), "k", IDS, NOW_MS)
    assert verdict == Settled((Outcome("a", Status.REFUSED, "the backend gave no reason"),))


def test_the_same_word_twice_is_one_word() -> None:
    document = results(("a", "accepted"), ("a", "accepted"))
    assert judge(answer(200, document), "k", IDS, NOW_MS) == Settled((Outcome("a", Status.ACCEPTED),))


def test_a_stranger_or_a_strange_word_does_not_keep_the_others_from_being_settled() -> None:
    document = results(("a", "accepted"), ("d", "accepted"), ("b", "parked"))
    assert judge(answer(200, document), "k", IDS, NOW_MS) == Settled((Outcome("a", Status.ACCEPTED),))


def test_no_results_settle_nothing() -> None:
    assert judge(answer(200, results()), "k", IDS, NOW_MS) == Settled(())


@pytest.mark.parametrize(
    "document",
    [
        results(("d", "accepted")),
        results(("a", "accepted"), ("a", "refused")),
        results(("a", "kept")),
        ALL | {"batch_id": "other"},
        {"results": []},
        {"batch_id": "k"},
        {"batch_id": "k", "results": {}},
        {"batch_id": "k", "results": [5]},
        {"batch_id": "k", "results": [{"record_id": 5, "status": "accepted"}]},
        {"batch_id": "k", "results": [{"record_id": "a", "status": "refused", "reason": 5}]},
        {"batch_id": "k", "results": [{"record_id": "a", "status": ["accepted"]}]},
        ALL | {"missing": 5},
        ALL | {"missing": [5]},
        ALL | {"missing": [[1]]},
        ALL | {"missing": [[1, 2, 3]]},
        ALL | {"missing": [[2, 1]]},
        ALL | {"missing": [[-1, 1]]},
        ALL | {"missing": [[True, 1]]},
        ALL | {"missing": [["1", "2"]]},
        ALL | {"missing": [[2**60, 2**61]]},
        [],
        5,
        None,
    ],
)
def test_what_is_not_the_contract_is_no_answer(document: Any) -> None:
    verdict = judge(answer(200, document), "k", IDS, NOW_MS)
    assert isinstance(verdict, Again)
    assert "cannot be read" in verdict.why


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000, b'{"batch_id": 1' + b"1" * 5000 + b"}"])
def test_bytes_that_are_no_json_are_no_answer(body: bytes) -> None:
    assert isinstance(judge(answer(200, body=body), "k", IDS, NOW_MS), Again)


def test_an_answer_that_was_cut_is_no_answer() -> None:
    cut = Answer(200, json.dumps(ALL).encode(), is_whole=False)
    assert isinstance(judge(cut, "k", IDS, NOW_MS), Again)


def test_ranges_end_where_seq_can_end() -> None:
    verdict = judge(answer(200, ALL | {"missing": [[1, 10**30]]}), "k", IDS, NOW_MS)
    assert isinstance(verdict, Settled)
    assert verdict.missing == ((1, 2**53 - 1),)


def test_ranges_are_limited() -> None:
    verdict = judge(answer(200, ALL | {"missing": [[1, 1]] * 5000}), "k", IDS, NOW_MS)
    assert isinstance(verdict, Settled)
    assert len(verdict.missing) == 1000


@pytest.mark.parametrize(
    ("status", "kind", "person"),
    [
        (100, Again, False),
        (202, Again, False),
        (204, Again, False),
        (301, Again, False),
        (302, Again, False),
        (307, Again, False),
        (400, Split, False),
        (401, Hold, False),
        (402, Again, True),
        (403, Hold, False),
        (404, Again, True),
        (405, Again, True),
        (407, Again, True),
        (408, Again, False),
        (410, Again, True),
        (413, Split, False),
        (415, Again, True),
        (422, Split, False),
        (425, Again, False),
        (429, Again, False),
        (500, Again, False),
        (502, Again, False),
        (503, Again, False),
        (504, Again, False),
        (599, Again, False),
    ],
)
def test_statuses(status: int, kind: type, person: bool) -> None:
    verdict = judge(answer(status, ALL), "k", IDS, NOW_MS)
    assert type(verdict) is kind
    if isinstance(verdict, Again):
        assert verdict.needs_person is person


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b'{"detail": "no such unit"}', "application/json", "HTTP 422: no such unit"),
        (b'{"title": "Bad", "status": 422}', "application/problem+json", "HTTP 422: Bad"),
        (b'{"detail": [{"loc": ["body"]}], "message": "Bad"}', "application/json", "HTTP 422: Bad"),
        (b"no such\nunit", "text/plain; charset=utf-8", "HTTP 422: no such unit"),
        (b"<html><script>", "text/html", "HTTP 422"),
        (b"", "", "HTTP 422"),
        (b"\xff\xfe", "text/plain", "HTTP 422: \ufffd\ufffd"),
        (b"[" * 4000, "application/json", "HTTP 422"),
        (b'["detail"]', "application/json", "HTTP 422"),
    ],
)
def test_the_reason_of_a_refused_batch(body: bytes, kind: str, reason: str) -> None:
    assert judge(answer(422, body=body, kind=kind), "k", IDS, NOW_MS) == Split(reason)


@given(st.integers(0, 999), st.binary(max_size=200) | st.just(json.dumps(ALL).encode()), st.text(max_size=20))
def test_every_answer_has_a_verdict(status: int, body: bytes, kind: str) -> None:
    verdict = judge(Answer(status, body, kind, kind), "k", IDS, NOW_MS)
    assert isinstance(verdict, Settled | Split | Hold | Again)
    if isinstance(verdict, Settled):
        assert {outcome.record_id for outcome in verdict.outcomes} <= set(IDS)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("3600", 3600.0),
        ("86400", 3600.0),
        ("9" * 5000, 3600.0),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        ("Sat, 21 Nov 2026 14:00:13 GMT", 9.88),
        ("Saturday, 21-Nov-26 14:00:13 GMT", 9.88),
        ("Sat, 21 Nov 2026 13:00:00 GMT", 0.0),
        ("Sat, 21 Nov 2099 14:00:00 GMT", 3600.0),
        ("Sat, 99 Nov 2026 14:00:13 GMT", None),
        ("Sat, 21 Nov 2026 14:00:13 +9999999999", None),
    ],
)
def test_retry_after(text: str | None, seconds: float | None) -> None:
    assert retry_after_s(text, NOW_MS) == pytest.approx(seconds)


@given(st.integers(0, 3600))
def test_retry_after_as_a_date(seconds: int) -> None:
    until = datetime.fromtimestamp(NOW_MS // 1000, UTC) + timedelta(seconds=seconds)
    asked_s = retry_after_s(format_datetime(until, usegmt=True), NOW_MS // 1000 * 1000)
    assert asked_s == pytest.approx(seconds)


@given(st.text(max_size=60))
@example("Sat, 21 Nov 1 14:00:13 +2359")
def test_any_retry_after_is_bounded_or_nothing(text: str) -> None:
    asked_s = retry_after_s(text, NOW_MS)
    assert asked_s is None or 0.0 <= asked_s <= 3600.0


@pytest.mark.parametrize(
    ("failures", "most_s"), [(1, 1.0), (2, 2.0), (3, 4.0), (9, 256.0), (10, 300.0), (10**6, 300.0)]
)
def test_back_off_doubles_to_its_limit(failures: int, most_s: float) -> None:
    assert delay_s(failures, 1.0) == most_s
    assert delay_s(failures, 0.0) == 0.0
    assert delay_s(failures, 0.5) == most_s / 2


@given(st.none() | st.floats(0, 3600), st.integers(1, 100), st.floats(0, 1))
def test_never_sooner_than_asked_for(asked_s: float | None, failures: int, jitter: float) -> None:
    wait_s = again_s(asked_s, failures, jitter)
    assert wait_s >= (asked_s or 0.0)
    assert wait_s >= delay_s(failures, jitter)
    assert wait_s <= 3601.0


@pytest.mark.parametrize(("holds", "longest_s"), [(1, 60.0), (2, 120.0), (4, 480.0), (5, 900.0), (10**6, 900.0)])
def test_the_slow_probe(holds: int, longest_s: float) -> None:
    assert hold_s(holds, 1.0) == longest_s
    assert hold_s(holds, 0.0) == longest_s / 2


@given(st.text())
def test_plain_text_is_one_short_printable_line(text: str) -> None:
    line = plain(text)
    assert line.isprintable()
    assert len(line) <= 300
    assert plain(line) == line


@pytest.mark.parametrize("title", ["400 The SSL certificate error", "400 No required SSL certificate was sent"])
def test_a_proxys_certificate_page_is_no_word_on_the_batch(title: str) -> None:
    """The pages of nginx 1.26, as its source has them."""
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>"
    assert isinstance(judge(answer(400, body=page.encode(), kind="text/html"), "k", IDS, NOW_MS), Hold)
    assert judge(answer(400, body=page.encode()), "k", IDS, NOW_MS) == Split("HTTP 400")
