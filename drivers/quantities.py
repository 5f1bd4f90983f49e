"""
Values as hubs state them: a number, the unit its maker fixed or wrote beside it, and what is no reading at all.

A number that stands for "nothing was measured" becomes Absent, never a value. A number below zero, and a saturation
above 100 %, is none a device can mean: the message is refused. Nothing is judged beyond that: no physiology here.
"""

import re
from collections.abc import Mapping
from decimal import Decimal

from drivers.payload import Node
from gateway.core.errors import BadValue
from gateway.core.observation import (
    BODY_FAT,
    BODY_IMPEDANCE,
    BODY_MASS_INDEX,
    DIASTOLIC,
    GLUCOSE,
    HEART_RATE,
    MEAN_ARTERIAL,
    OXIMETER_PULSE_RATE,
    PA,
    PERCENT,
    PERFUSION_INDEX,
    PULSE_RATE,
    RESPIRATION_RATE,
    ROOM_TEMPERATURE,
    SPO2,
    SYSTOLIC,
    TEMPERATURE,
    WEIGHT,
    Absent,
    Kind,
    Measured,
    Observation,
    Unit,
    Why,
)

# What firmware writes where it has no number: zero, all bits set, and IEEE 11073's NaN read as a number (2047).
# Tuples: three numbers are compared sooner than one is hashed.
_WORD = (Decimal(0), Decimal(2047), Decimal(65535))
_BYTE = (*_WORD, Decimal(255), Decimal(511))
_FILLERS: Mapping[Kind, tuple[Decimal, ...]] = {
    SYSTOLIC: _WORD,
    DIASTOLIC: _WORD,
    MEAN_ARTERIAL: _WORD,
    PULSE_RATE: _BYTE,
    OXIMETER_PULSE_RATE: _BYTE,
    HEART_RATE: _BYTE,
    RESPIRATION_RATE: _BYTE,
    SPO2: (*_BYTE, Decimal(127)),
    PERFUSION_INDEX: (*_BYTE, Decimal(127)),
    GLUCOSE: _WORD,
    TEMPERATURE: (*_WORD, Decimal("999.9"), Decimal("999.99"), Decimal("6552.6"), Decimal("6553.5")),
    WEIGHT: (Decimal(0), Decimal("999.9"), Decimal("999.99")),
    BODY_FAT: (Decimal(0),),
    BODY_IMPEDANCE: _WORD,
    BODY_MASS_INDEX: (Decimal(0),),
    # theengs/decoder tests/BLE/test_ble.cpp: a probe that is not plugged in
    ROOM_TEMPERATURE: (Decimal("6552.6"), Decimal("6553.5")),
}
_ZERO = (Decimal(0),)
_BELOW_ZERO = frozenset({ROOM_TEMPERATURE})

WEIGHT_WORDS: Mapping[str, Unit] = {"kg": Unit("kg"), "lb": Unit("[lb_av]"), "lbs": Unit("[lb_av]")}
GLUCOSE_WORDS: Mapping[str, Unit] = {"mg/dL": Unit("mg/dL"), "mmol/L": Unit("mmol/L")}

_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}|[0-9A-Fa-f]{12}")


def measured(kind: Kind, number: Decimal, unit: Unit) -> Observation:
    """A number in a unit; Absent where it stands for no reading. Raises BadValue for what no device can mean."""
    # a pressure in pascal may well be 65535
    if number in (_ZERO if unit == PA else _FILLERS.get(kind, ())):
        return Absent(kind, Why.NOT_AVAILABLE)
    if number < 0 and kind not in _BELOW_ZERO:
        raise BadValue(f"{kind.code} is below zero.")
    if unit == PERCENT and number > 100:
        raise BadValue(f"{kind.code} is above 100 %.")
    return Measured(kind, number, unit)


def fixed(field: Node, kind: Kind, unit: Unit) -> Observation:
    """A JSON number whose unit its maker fixed."""
    return measured(kind, field.number(), unit)


def spelled(field: Node, kind: Kind, unit: Unit) -> Observation:
    """A number whose unit its maker fixed, sent as text or as a number."""
    return measured(kind, field.numeral(), unit)


def stated(field: Node, kind: Kind, units: Mapping[str, Unit]) -> Observation:
    """An object of `value` and `unit`; raises BadValue for a unit that is not in `units`."""
    return measured(kind, field["value"].number(), field["unit"].word(units))


def unit_missing(field: Node, kind: Kind) -> Absent:
    """A number whose unit nobody states: no value can be made of it, and none is guessed."""
    field.numeral()
    return Absent(kind, Why.UNIT_NOT_STATED)


def present(*observations: Observation | None) -> tuple[Observation, ...]:
    """The observations whose fields are there."""
    return tuple(o for o in observations if o is not None)


def maybe_fixed(node: Node, key: str, kind: Kind, unit: Unit) -> Observation | None:
    """Like `fixed`, for a field that may be absent or null."""
    field = node.maybe(key)
    return None if field is None else fixed(field, kind, unit)


def technical(node: Node, names: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """
    Battery, signal and the like: key in the message -> name with unit.

    Plain numbers only. Anything else is passed over: a battery's odd word refuses no reading, and free text may be
    about a person.
    """
    found = ((name, _plain_number(node.object().get(key))) for key, name in names.items())
    return tuple((name, text) for name, text in found if text is not None)


def words(**flags: bool) -> tuple[str, ...]:
    """The names of the flags that are set."""
    return tuple(name for name, is_set in flags.items() if is_set)


def mac(text: str) -> str:
    """A Bluetooth address written one way, so that one device has one identity; other text as it is."""
    if not _MAC.fullmatch(text):
        return text
    digits = text.replace(":", "").replace("-", "").upper()
    return ":".join([digits[at : at + 2] for at in range(0, 12, 2)])


def _plain_number(value: object) -> str | None:
    try:
        return format(Node(value).numeral(), "f")
    except BadValue:
        return None
