"""
The steps of a visit and the questions of each, checked alike wherever the answers come from.

A check gives the value as it is kept, or raises ValueError with what it must be. No field takes a person's name:
people stand as references.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from config.rules import DEFAULT, profiles
from gateway.core import checked
from gateway.core.bundle import DEVICE_STATUSES
from gateway.core.period import to_ms
from gateway.registry import PRACTITIONERS_MAX, SLOT_MAX

PAIRING, TEST_READING = "pairing", "test_reading"
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/#-]{0,63}")
_CREDENTIALS = re.compile(r"[A-Za-z][A-Za-z0-9.,/ -]{0,39}")
_UDI = re.compile(r"[!-~]{6,120}")
_CLEARANCE = re.compile(r"(K|DEN|P)\d{6}")
_PARAMETER = re.compile(r"[a-z][a-z0-9_]{1,39}")
_PARAMETERS_MAX = 12
_TRUE = {"y": True, "yes": True, "true": True, "n": False, "no": False, "false": False}


@dataclass(frozen=True, slots=True)
class Field:
    """
    One question.

    read     makes of typed words what a file would hold; raises ValueError
    default  where it may be left out; `needed` fields have none
    """

    name: str
    ask: str
    check: Callable[[Any], Any]
    read: Callable[[str], Any] = str
    needed: bool = True
    default: Any = None


@dataclass(frozen=True, slots=True)
class Step:
    """Some questions that are kept together; `why` says what the step is for."""

    name: str
    title: str
    why: str
    fields: tuple[Field, ...] = field(default=())


def reference(value: Any) -> str:
    """A reference into another system, never a name."""
    return _matching(value, _REFERENCE, "must be a reference: letters, digits and . _ : / # - only, no name")


def credentials(value: Any) -> str:
    """What a person may do, by its usual letters."""
    return _matching(value, _CREDENTIALS, 'must be the usual letters of the credentials, for example "RN"')


def moment(value: Any) -> str:
    """A date, or a date and time with its offset; as it was written."""
    written = value.isoformat() if isinstance(value, date) else value
    try:
        if not isinstance(written, str):
            raise ValueError  # noqa: TRY301, TRY004 -- one sentence for all that is no date
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", written):
            return date.fromisoformat(written).isoformat()
        checked.instant(written)
        if written[10:11] != "T":
            raise ValueError  # noqa: TRY301 -- as above
    except ValueError as error:
        raise ValueError("must be a date such as 2026-11-20, or 2026-11-20T09:00:00-05:00") from error
    return written


def moment_ms(text: str, zone: ZoneInfo) -> int:
    """A moment as UTC milliseconds; of a date its first instant, where the patient lives."""
    at = datetime.fromisoformat(text)
    return to_ms(at if at.tzinfo else at.replace(tzinfo=zone))


def yes(value: Any) -> bool:
    """Done; a visit is not complete without it."""
    if checked.flag(value) is not True:
        raise ValueError("must be true: do it first, the visit waits")
    return True


def parameters(value: Any) -> list[str]:
    """What is monitored, by the names readings carry."""
    words = checked.a_list(value)
    if not 1 <= len(words) <= _PARAMETERS_MAX or not all(
        isinstance(word, str) and _PARAMETER.fullmatch(word) for word in words
    ):
        raise ValueError('must be a list of what is monitored, for example ["blood_pressure"]')
    return list(dict.fromkeys(words))


def _matching(value: Any, pattern: re.Pattern[str], what: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(what)
    return value


def _device(value: Any) -> str:
    return _matching(value, re.compile(r"[!-~]+:[!-~]{1,150}"), "must be the id `vitals-gateway status` shows")


def _udi(value: Any) -> str:
    return _matching(value, _UDI, "must be the UDI as the label shows it, without spaces")


def _clearance(value: Any) -> str:
    return _matching(value, _CLEARANCE, "must be a 510(k), De Novo or PMA number, for example K141160")


def _slot(value: Any) -> int:
    return checked.whole(value, 0, SLOT_MAX)


def _practitioners(value: Any) -> int:
    return checked.whole(value, 1, PRACTITIONERS_MAX)


def _rules(value: Any) -> str:
    return checked.word(value, profiles())


def _zone(value: Any) -> str:
    return checked.zone(value).key


def _one_of(*words: str) -> Callable[[Any], str]:
    return lambda value: checked.word(value, words)


def read_yes(words: str) -> bool:
    """`y` or `n`."""
    if words.lower() not in _TRUE:
        raise ValueError("must be y or n")
    return _TRUE[words.lower()]


def _read_whole(words: str) -> int:
    if not re.fullmatch(r"\d{1,9}", words):
        raise ValueError("must be a whole number")
    return int(words)


def _read_list(words: str) -> list[str]:
    return [word.strip() for word in words.split(",")]


def _done(name: str, ask: str) -> Field:
    return Field(name, ask, yes, read_yes)


DEVICE = Step(
    "device",
    "Device",
    "Which device is set up. It says over the air what it is; the catalogue says its regulatory status.",
    (
        Field("id", "Its number in the list, or its id", _device),
        Field("udi_di", "UDI on its label", _udi, needed=False),
        Field("status", "Regulatory status a document gives", _one_of(*DEVICE_STATUSES), needed=False),
        Field("clearance", "510(k) or De Novo number of that document", _clearance, needed=False),
        Field("source", "That document, so that another can find it", checked.text, needed=False),
    ),
)
STEPS = (
    DEVICE,
    Step(PAIRING, "Pairing", "The hub must have heard the device: for a cellular device, heard is paired."),
    Step(
        "assignment",
        "Assignment",
        "From now on the device's readings are this patient's; on a shared device only those of the slot.",
        (Field("slot", "User slot on a shared device", _slot, _read_whole, needed=False),),
    ),
    Step(
        "training",
        "Training",
        "What the patient or caregiver was taught; each item stands in the record.",
        (
            _done("operation", "How to operate the device: taught? [y/n]"),
            _done("technique", "Measuring technique (posture, position, rest): taught? [y/n]"),
            _done("schedule", "When to measure, and that it transmits by itself: taught? [y/n]"),
            _done("troubleshooting", "What to do when it does not work, and whom to call: taught? [y/n]"),
            _done("emergency", "Nobody watches live; in an emergency call 911: taught? [y/n]"),
        ),
    ),
    Step(
        "demonstration",
        "Demonstration",
        "The patient or caregiver measures once by themselves. What is measured during the visit never counts.",
        (
            _done("measured", "Measured by themselves? [y/n]"),
            _done("understood", "Said in their own words how it is done? [y/n]"),
        ),
    ),
    Step(
        "consent",
        "Consent",
        "Service begins only with consent; its document stands elsewhere, its reference here.",
        (
            Field("form", "verbal or written", _one_of("verbal", "written")),
            Field("at", "When it was given (2026-11-20)", moment),
            Field("reference", "Reference of its document", reference),
        ),
    ),
    Step(
        "order",
        "Order",
        "The practitioner's order for the monitoring, and what is to be monitored.",
        (
            Field("reference", "Reference of the order", reference),
            Field("at", "When it was given (2026-11-18)", moment),
            Field("parameters", "What is monitored, such as blood_pressure, weight", parameters, _read_list),
        ),
    ),
    Step(
        "service",
        "Service",
        "By which rules days are counted, and where the patient lives: that decides the date of a reading.",
        (
            Field("rules", "Rule profile", _rules, needed=False, default=DEFAULT),
            Field("timezone", "Time zone of the patient", _zone, needed=False),
            Field("practitioners", "Practitioners with active orders", _practitioners, _read_whole, False, 1),
        ),
    ),
    Step(
        "trainer",
        "Trainer",
        "Who taught: a reference of the clinic's own, and the credentials. No name.",
        (
            Field("reference", "Reference of the trainer", reference),
            Field("credentials", "Credentials, such as RN", credentials),
        ),
    ),
    Step(
        "acknowledgement",
        "Acknowledgement",
        "The patient or a caregiver acknowledges the training; the printed page has a line for the signature.",
        (Field("by", "patient or caregiver", _one_of("patient", "caregiver")),),
    ),
    Step(
        TEST_READING,
        "Test reading",
        "One measurement that the backend accepts shows that the whole way works. It is marked and never counts.",
    ),
)
NAMED: Mapping[str, Step] = {step.name: step for step in STEPS}
ASKED: Sequence[Step] = tuple(step for step in STEPS if step.fields)


def answers(step: Step, table: Mapping[str, Any], now_ms: int, zone: ZoneInfo) -> tuple[dict[str, Any], list[str]]:
    """What is kept of a step's answers, and a sentence with its path for each mistake."""
    mistakes = [f"{step.name}.{key} is not asked for; take it out." for key in table if key not in _names(step)]
    found: dict[str, Any] = {}
    for each in step.fields:
        try:
            found[each.name] = value_of(each, table.get(each.name), now_ms, zone)
        except ValueError as error:
            mistakes.append(f"{step.name}.{each.name} {error}.")
    return found, mistakes or [f"{step.name}.{mistake}." for mistake in _together(step, found)]


def value_of(asked: Field, value: Any, now_ms: int, zone: ZoneInfo) -> Any:
    """The value as it is kept; raises ValueError with what it must be."""
    if value is None or value == "":
        if asked.needed:
            raise ValueError("is missing")
        return asked.default
    kept = asked.check(value)
    if asked.check is moment and moment_ms(kept, zone) > now_ms:
        raise ValueError("has not come yet; write when it was given")
    return kept


def _names(step: Step) -> set[str]:
    return {each.name for each in step.fields}


def _together(step: Step, found: Mapping[str, Any]) -> list[str]:
    """Mistakes that lie between the answers."""
    if step is not DEVICE:
        return []
    if found["status"] and not found["source"]:
        return ["source is missing: a regulatory status needs the document that says it"]
    if not found["status"] and (found["source"] or found["clearance"]):
        return ["status is missing: say what the document says of the device"]
    return []
