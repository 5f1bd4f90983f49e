"""
Where a mapping file finds a field, and what it asks of one.

A path is names and list places: `data.readings[0].value`. A name with a dot or bracket in it stands in double quotes.
It begins at the record; after `$.` at the whole message; `@topic[1]` is the second level of the MQTT topic. There are
no wildcards, no patterns and nothing to evaluate: a path leads to one field or to none.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from drivers.payload import Node
from gateway.core.errors import BadValue, DecodeError, Truncated

TEXT_MAX = 256
STEPS_MAX = 16
_NAME = r'(?:"(?P<quoted>[^"]+)"|(?P<name>[^.\[\]"$@]+))'
_PLACE = r"\[(?P<place>[0-9]{1,4})\]"
_FIRST, _NEXT = re.compile(f"{_NAME}|{_PLACE}"), re.compile(rf"\.{_NAME}|{_PLACE}")

Scalar = str | int | Decimal | bool


class Start(StrEnum):
    """Where a path begins."""

    RECORD = "record"
    MESSAGE = "message"
    TOPIC = "topic"


class Scope(NamedTuple):
    """What paths lead into: one record, the message it stands in, the levels of the topic it came on."""

    record: Node
    message: Node
    topic: Node


@dataclass(frozen=True, slots=True)
class Path:
    """The way to one field; `text` is how the file writes it."""

    text: str
    start: Start
    steps: tuple[str | int, ...]

    def find(self, scope: Scope) -> Node | None:
        """The field; None where it is absent or null. Raises BadValue where the way leads through something else."""
        node: Node | None = {Start.RECORD: scope.record, Start.MESSAGE: scope.message}.get(self.start, scope.topic)
        for step in self.steps:
            if node is None:
                return None
            node = node.maybe(step) if isinstance(step, str) else _item(node, step)
        return node

    def need(self, scope: Scope) -> Node:
        """The field; raises Truncated where it is absent or null."""
        found = self.find(scope)
        if found is None:
            raise Truncated(f"The message has no {self.text}.")
        return found

    def glance(self, scope: Scope) -> Node | None:
        """The field; None where there is no such one for any reason: for choosing between kinds of message."""
        try:
            return self.find(scope)
        except DecodeError:
            return None


def read_path(text: object) -> Path:
    """A path as the file writes it; raises ValueError with what is wrong with it."""
    if not isinstance(text, str) or not text or len(text) > TEXT_MAX or not text.isprintable():
        raise ValueError('must be a path, for example "measure.systolic.value"')
    start, rest = Start.RECORD, text
    if text.startswith("$."):
        start, rest = Start.MESSAGE, text[2:]
    elif text.startswith("@topic["):
        start, rest = Start.TOPIC, text.removeprefix("@topic")
    steps = _steps(rest)
    if start is Start.TOPIC and (len(steps) != 1 or not isinstance(steps[0], int)):
        raise ValueError("must name a level of the topic as @topic[0], @topic[1] and so on")
    return Path(text, start, steps)


def _steps(rest: str) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    at = 0
    while at < len(rest):
        found = (_NEXT if at else _FIRST).match(rest, at)
        if found is None:
            raise ValueError("is no path; names are joined by dots, places in a list stand in [0]")
        steps.append(int(found["place"]) if found["place"] is not None else found["quoted"] or found["name"])
        at = found.end()
    if not steps or len(steps) > STEPS_MAX:
        raise ValueError(f"must have 1 to {STEPS_MAX} steps")
    return tuple(steps)


def _item(node: Node, place: int) -> Node | None:
    items = list(node.each()) if isinstance(node.value, list) else None
    if items is None:
        raise BadValue(f"The message's {node.path or 'top level'} is not a list.")
    return items[place] if place < len(items) and items[place].value is not None else None


@dataclass(frozen=True, slots=True)
class Match:
    """A question to one field: is it one of `equals`, or, where there are none, is it there at all (`present`)."""

    path: Path
    equals: tuple[Scalar, ...] = ()
    present: bool = True

    def holds(self, scope: Scope) -> bool:
        """The answer; a field that is not there, or is something else, equals nothing."""
        found = self.path.glance(scope)
        if not self.equals:
            return (found is not None) is self.present
        return found is not None and any(same(found.value, wanted) for wanted in self.equals)

    def marks(self, scope: Scope) -> bool:
        """
        The answer where it changes what a value means.

        Raises BadValue for a field of another type than the file's words: "true" for true is a message the file does
        not describe, and a test must not pass for a measurement because of it.
        """
        found = self.path.find(scope)
        if found is None:
            return False
        if not any(_alike(found.value, wanted) for wanted in self.equals):
            raise BadValue(f"The message's {self.path.text} is of another type than the mapping's words for it.")
        return any(same(found.value, wanted) for wanted in self.equals)


def same(value: object, wanted: Scalar) -> bool:
    """Whether a field's value is one of the file's: of its type, and equal. 1 is 1.0; neither is true or "1"."""
    return _alike(value, wanted) and bool(value == wanted)


def _alike(value: object, wanted: Scalar) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return isinstance(value, bool) and isinstance(wanted, bool)
    numbers = isinstance(value, int | Decimal) and isinstance(wanted, int | Decimal)
    return numbers or (isinstance(value, str) and isinstance(wanted, str))
