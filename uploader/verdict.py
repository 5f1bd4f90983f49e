"""
What an answer means. Pure: an answer in, a verdict out; waiting times with the randomness as an argument.

    200, 201 with the contract's results     Settled  each record has its outcome
    400, 413, 422                            Split    halve; one record alone is the bad one
    401, 403, a proxy's certificate page     Hold     keep everything, knock slowly, call a person
    408, 425, 429, 5xx                       Again    same bytes, later, not before Retry-After
    200, 201 with anything else, 3xx         Again    a captive portal, a proxy's page, another batch's answer
    every other 4xx                          Again    and a person: the address is not one that takes uploads

An answer is taken whole or not at all: one result that cannot be read, or speaks of a record that was not sent, makes
the answer unreadable, and nothing is settled on its word.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from gateway.core.batch import Outcome, Status

# An answer of 1,000 results with reasons is below 0.5 MB; whatever is longer is not the contract.
ANSWER_BYTES_MAX = 4 * 1024 * 1024

_WORDS = frozenset(Status)
_SPLIT = frozenset({400, 413, 422})
_HOLD = frozenset({401, 403})
_LATER = frozenset({408, 425, 429})
_SEQ_MAX = 2**53 - 1  # the largest integer a record may hold
_RANGES_MAX = 1_000  # of one answer; a backend that misses more asks again with the next
_TEXT_MAX = 300  # characters of a backend's reason that are kept: enough for a sentence

_FIRST_S = 1.0  # a backend that restarts is back within seconds
_LONGEST_S = 300.0  # after an outage of hours a fleet comes back within five minutes, not in one second
_RETRY_AFTER_MAX_S = 3600.0  # a backend may ask for an hour; a date far off is a wrong clock, theirs or ours
_HELD_FIRST_S = 60.0  # a refused token does not mend itself, and knocking may lock the account
_HELD_LONGEST_S = 900.0  # a person who has mended it waits a quarter of an hour at most


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `body` is cut after ANSWER_BYTES_MAX, and then `is_whole` is False."""

    status: int
    body: bytes
    content_type: str = ""
    retry_after: str | None = None
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Settled:
    """The backend's word on each record; a record without an outcome waits again. `missing` are ranges of seq."""

    outcomes: tuple[Outcome, ...]
    missing: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Split:
    """Something in this batch is not accepted; `reason` is what the last record alone would be refused with."""

    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A person must act; `why` says so in a sentence."""

    why: str


@dataclass(frozen=True, slots=True)
class Again:
    """The same bytes, later."""

    why: str
    retry_after_s: float | None = None
    needs_person: bool = False


Verdict = Settled | Split | Hold | Again

NOT_THE_CONTRACT = (
    "The backend's answer cannot be read: a captive portal or a proxy may stand between; "
    "check upload.url and the network."
)


def judge(answer: Answer, batch_id: str, ids: Sequence[str], now_ms: int) -> Verdict:
    """The verdict on an answer to the batch of these records; `now_ms` is what a date in Retry-After counts from."""
    status = answer.status
    if status in {200, 201}:
        return _settled(answer, batch_id, ids)
    if status in _HOLD or _is_certificate_page(answer):
        return Hold(f"The backend refuses this hub (HTTP {status}); check the credentials in upload.auth.")
    if status in _SPLIT:
        return Split(_reason(answer))
    if status in _LATER or status >= 500:
        return Again(f"The backend is not ready (HTTP {status}).", retry_after_s(answer.retry_after, now_ms))
    if status >= 400:
        return Again(f"No uploads are taken at upload.url (HTTP {status}); check it.", needs_person=True)
    return Again(NOT_THE_CONTRACT)


def delay_s(failures: int, jitter: float) -> float:
    """Full-jitter exponential back-off: anything up to 1, 2, 4 ... 300 s; `jitter` is 0 to 1."""
    return min(_LONGEST_S, _FIRST_S * 2.0 ** min(failures - 1, 16)) * jitter


def again_s(asked_s: float | None, failures: int, jitter: float) -> float:
    """The back-off, never shorter than the backend asked for; a second of jitter keeps a fleet from coming at once."""
    backed_off_s = delay_s(failures, jitter)
    return backed_off_s if asked_s is None else max(backed_off_s, asked_s + _FIRST_S * jitter)


def hold_s(holds: int, jitter: float) -> float:
    """The slow probe: 60, 120 ... 900 s, or down to half of it."""
    return min(_HELD_LONGEST_S, _HELD_FIRST_S * 2.0 ** min(holds - 1, 16)) * (1.0 + jitter) / 2.0


def retry_after_s(text: str | None, now_ms: int) -> float | None:
    """Seconds that a Retry-After field asks for (RFC 9110 section 10.2.3), at most an hour; None if it says nothing."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _RETRY_AFTER_MAX_S) if len(text) <= 9 else _RETRY_AFTER_MAX_S
    try:
        until = parsedate_to_datetime(text)
        until_s = until.replace(tzinfo=until.tzinfo or UTC).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(until_s - now_ms / 1000, 0.0), _RETRY_AFTER_MAX_S)


def plain(text: str) -> str:
    """One line of printable text, cut to a sentence's length."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text[: 4 * _TEXT_MAX]).split())[:_TEXT_MAX]


def _is_certificate_page(answer: Answer) -> bool:
    """
    The 400 by which nginx says that a client certificate is missing, expired or unknown.

    It has no status of its own (495 and 496 leave as 400), and taken for a refusal of the batch it would set every
    record aside. ngx_http_special_response.c: "400 The SSL certificate error", "400 No required SSL certificate was
    sent".
    """
    page = answer.status == 400 and answer.content_type.startswith("text/html")
    return page and b"SSL certificate" in answer.body[:1024]


def _settled(answer: Answer, batch_id: str, ids: Sequence[str]) -> Verdict:
    try:
        document = _document(answer, batch_id)
        outcomes = _outcomes(document["results"], frozenset(ids))
        missing = tuple(_range(pair) for pair in _list(document.get("missing") or [])[:_RANGES_MAX])
    except (ValueError, TypeError, KeyError, RecursionError):  # all mean: not the contract
        return Again(NOT_THE_CONTRACT)
    return Settled(outcomes, missing)


def _document(answer: Answer, batch_id: str) -> dict[str, Any]:
    document = json.loads(answer.body.decode("utf-8")) if answer.is_whole else None
    if not isinstance(document, dict) or document["batch_id"] != batch_id:
        raise ValueError
    return document


def _outcomes(results: Any, sent: frozenset[str]) -> tuple[Outcome, ...]:
    """
    What is said of our records.

    A word we do not know, or one on another record, is passed over: it must not keep the others from being settled for
    ever. An answer that says nothing else is no answer to this batch.
    """
    said: dict[str, Outcome] = {}
    for result in _list(results):
        outcome = _outcome(result)
        if outcome is None or outcome.record_id not in sent:
            continue
        if said.setdefault(outcome.record_id, outcome).status != outcome.status:
            raise ValueError
    if results and not said:
        raise ValueError
    return tuple(said.values())


def _outcome(result: Any) -> Outcome | None:
    """None where the status is a word of another contract."""
    record_id, word, reason = result["record_id"], result["status"], result.get("reason")
    if not isinstance(record_id, str) or not isinstance(word, str) or not isinstance(reason, str | None):
        raise TypeError
    if word not in _WORDS:
        return None
    status = Status(word)
    if status is not Status.REFUSED:
        return Outcome(record_id, status)
    return Outcome(record_id, status, plain(reason or "") or "the backend gave no reason")


def _range(pair: Any) -> tuple[int, int]:
    first, last = pair
    if type(first) is not int or type(last) is not int or not 0 <= first <= last or first > _SEQ_MAX:
        raise ValueError
    return first, min(last, _SEQ_MAX)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _reason(answer: Answer) -> str:
    said = _said(answer)
    return f"HTTP {answer.status}: {said}" if said else f"HTTP {answer.status}"


def _said(answer: Answer) -> str:
    """What a refusal says in plain text: a problem's detail (RFC 9457) or a short text, never a page."""
    text = answer.body[: 16 * _TEXT_MAX].decode("utf-8", "replace")
    if answer.content_type.startswith("text/plain"):
        return plain(text)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    fields = document if isinstance(document, dict) else {}
    words = (fields.get(name) for name in ("detail", "message", "title", "error"))
    return next((plain(word) for word in words if isinstance(word, str)), "")
