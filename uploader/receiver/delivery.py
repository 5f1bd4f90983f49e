"""A batch as it came, checked for shape. Pure: what is wrong with the envelope is a Problem, with a record a reason."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from gateway.core.errors import BadInput
from gateway.core.record import verify
from uploader.receiver.problem import bad_request, too_large, unprocessable

TYPES = frozenset({"reading", "device", "assignment", "enrolment", "setup", "event"})
SEQ_MAX = 2**53 - 1  # the largest whole number every JSON reader gives back unchanged
_ID = re.compile(r"[!-~]{1,200}")  # an id is printable ASCII without spaces
_REFERENCE = re.compile(r"[^\x00-\x20\x7f\ud800-\udfff]{1,200}")  # a patient's reference: opaque, and no spaces
_WORDS = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}")
_HASH = re.compile(r"[0-9a-f]{64}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One batch: which hub, and its records as they came."""

    batch_id: str
    hub: str
    site: str
    software: str
    records: list[dict[str, Any]]


class Facts(NamedTuple):
    """
    What the day ledger needs of a reading; of an enrolment only whose it is and in which program.

    The order is that of the columns of `record`.

    counts    it says that it qualifies, and it is of a patient and of a date, and automatic; in RTM a person may report
    reason    why it does not count, as the hub gave it; None where it counts
    """

    patient: str | None = None
    program: str | None = None
    date: str | None = None
    dated: bool | None = None
    counts: bool | None = None
    manual: bool | None = None
    reason: str | None = None
    corrects: str | None = None


def read(document: Any, key: str | None, records_max: int) -> Delivery:
    """The batch in a request; `key` is its Idempotency-Key. Raises Problem 400, 413 or 422."""
    if not isinstance(document, dict):
        raise unprocessable("The content is not a batch; send an object with batch_id, hub and records.")
    batch_id = _text(document, "batch_id", _ID)
    if key is None:
        raise bad_request("The Idempotency-Key field is missing; send the batch_id in it.")
    if key != batch_id:
        raise bad_request("The Idempotency-Key is not the batch_id; send the same in both.")
    hub = document.get("hub")
    if not isinstance(hub, dict):
        raise unprocessable("The batch does not say which hub sent it; send hub with id, site and software.")
    records = _records(document.get("records"), records_max)
    return Delivery(
        batch_id, _text(hub, "id", _ID), _text(hub, "site", _WORDS), _text(hub, "software", _WORDS), records
    )


def _records(records: Any, records_max: int) -> list[dict[str, Any]]:
    if not isinstance(records, list):
        raise unprocessable("The batch has no records; send a list, even of one.")
    if len(records) > records_max:
        raise too_large(f"The batch holds more than {records_max} records; send it in smaller ones.")
    for at, record in enumerate(records):
        if not isinstance(record, dict) or not _matches(_ID, record.get("record_id")):
            raise unprocessable(f"records[{at}] is not a record with a record_id; no answer could name it.")
    return records


def _text(holder: dict[str, Any], name: str, form: re.Pattern[str]) -> str:
    value = holder.get(name)
    if not isinstance(value, str) or form.fullmatch(value) is None:
        raise unprocessable(f"The batch's {name} is missing or not a text of the form it must have.")
    return value


def _matches(form: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def fault(record: dict[str, Any]) -> str | None:
    """Why a record cannot be kept, whatever else is here; None where it can."""
    if record.get("type") not in TYPES:
        return "Its type is not one this backend knows."
    seq = record.get("seq")
    if type(seq) is not int or not 1 <= seq <= SEQ_MAX:
        return "Its seq is not a whole number from 1 on."
    for name in ("prev", "hash"):
        if not _matches(_HASH, record.get(name)):
            return f"Its {name} is not a SHA-256 in lower-case hex."
    try:
        if not verify(record):
            return "Its hash is not that of its content; it was altered."
    except (BadInput, RecursionError):
        return "It has no canonical form: a number with a fraction, text that is not Unicode, or too deep."
    return _reading_fault(record) if record["type"] == "reading" else None


def _reading_fault(record: dict[str, Any]) -> str | None:
    """What the day ledger could not work with."""
    given = record.get("qualifies")
    qualifies = given if isinstance(given, dict) else {}
    checks = (
        (isinstance(qualifies.get("day"), bool), "qualifies.day is neither true nor false"),
        (_null_or(_WORDS, qualifies.get("reason")), "qualifies.reason is neither a text nor null"),
        (isinstance(record.get("automatic"), bool), "automatic is neither true nor false"),
        (_matches(_ID, record.get("capture")), "capture is not a word"),
        (_null_or(_REFERENCE, record.get("patient")), "patient is neither a reference nor null"),
        (record.get("program") in {"RPM", "RTM", None}, "program is neither RPM nor RTM nor null"),
        (_null_or(_ID, record.get("corrects")), "corrects is not a record_id"),
        (record.get("local_date") is None or _is_date(record["local_date"]), "local_date is neither a date nor null"),
        (_is_date(str(record.get("received_at"))[:10]), "received_at is not a time"),
    )
    return next((f"Its {words}." for holds, words in checks if not holds), None)


def _null_or(form: re.Pattern[str], value: Any) -> bool:
    return value is None or _matches(form, value)


def _is_date(value: Any) -> bool:
    if not _matches(_DATE, value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def facts(record: dict[str, Any]) -> Facts:
    """What the day ledger needs of a record without fault; empty where it is neither reading nor enrolment."""
    if record["type"] == "reading":
        return _reading_facts(record)
    if record["type"] == "enrolment" and _matches(_REFERENCE, record.get("patient")):
        return Facts(patient=record["patient"], program=str(record.get("program")))
    return Facts()


def _reading_facts(record: dict[str, Any]) -> Facts:
    patient, local_date = record.get("patient"), record.get("local_date")
    program = record.get("program") or "RPM"
    automatic = (record["automatic"] and record["capture"] == "device") or program == "RTM"
    counts = record["qualifies"]["day"] and automatic and patient is not None and local_date is not None
    return Facts(
        patient=patient,
        program=program,
        date=local_date or record["received_at"][:10],
        dated=local_date is not None,
        counts=counts,
        manual=record["capture"].startswith("manual"),
        reason=None if counts else record["qualifies"].get("reason") or _why_not(record, automatic=automatic),
        corrects=record.get("corrects"),
    )


def _why_not(record: dict[str, Any], *, automatic: bool) -> str:
    """The reason in the rule table's words where the hub gave none."""
    if not automatic:
        return "Q01 not automatic"
    if record.get("local_date") is None:
        return "Q09 time untrusted"
    return "Q05 person ambiguous" if record.get("patient") is None else "no reason given"
