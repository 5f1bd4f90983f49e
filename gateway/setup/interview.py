"""Answers from a person at a terminal: plain lines that work over ssh, one question at a time."""

from collections.abc import Callable
from dataclasses import replace
from typing import TextIO
from zoneinfo import ZoneInfo

from gateway.core.errors import GatewayError, NotThere
from gateway.setup import form
from gateway.setup.course import Body

LEAVE = "q"


class Screen:
    """Lines out, lines in."""

    def __init__(self, lines: TextIO, out: TextIO) -> None:
        self._lines = lines
        self._out = out

    def say(self, words: str = "") -> None:
        """A line for the person."""
        print(words, file=self._out, flush=True)

    def ask(self, prompt: str) -> str:
        """What the person types; raises EOFError for `q` or the end of input."""
        self._out.write(f"{prompt}: ")
        self._out.flush()
        line = self._lines.readline()
        if not line or line.strip().lower() == LEAVE:
            raise EOFError
        return line.strip()


class Interview:
    """Asks each step's questions until the answers hold."""

    def __init__(self, screen: Screen, zone: ZoneInfo, now_ms: Callable[[], int]) -> None:
        self._screen = screen
        self._zone = zone
        self._now_ms = now_ms
        self._again: form.Step | None = None

    @property
    def patient(self) -> str:
        """Whom the visit is for; asked each time."""
        self._screen.say("Whom is the visit for? A reference such as pt-8842, never a name. q leaves at any time.")
        return self._screen.ask("Patient")

    def device(self, heard: list[Body]) -> Body:
        """The device, from those heard lately or by its id."""
        self._head(form.DEVICE)
        self._screen.say("Heard lately:" if heard else "No device was heard lately; it may still be named by its id.")
        for number, each in enumerate(heard, 1):
            whose = f", {each['patient']}'s" if each["patient"] else ""
            name = " ".join(word for word in (each["manufacturer"], each["model"]) if word) or "model not said"
            self._screen.say(f"  {number}  {each['device']}  ({name}; last heard {each['received_at']}{whose})")
        by_number = {str(number): each["device"] for number, each in enumerate(heard, 1)}
        while True:
            words = self._screen.ask(form.DEVICE.fields[0].ask)
            chosen = self._value(form.DEVICE.fields[0], by_number.get(words, words))
            if chosen is not None:
                break
        return {"id": chosen, **self._documents(next((e for e in heard if e["device"] == chosen), None))}

    def answers(self, step: form.Step, told: Body) -> Body | None:
        """A step's answers, unless it was answered before and nobody asked for it again."""
        if step.name in told["answers"] and step is not self._again:
            return None
        self._head(step)
        return {each.name: self._field(each, _suggested(step, each, told, self._zone)) for each in step.fields}

    def refused(self, error: GatewayError) -> None:
        """Say so; the step is asked again."""
        self._screen.say(f"  {error}")

    def waits(self, step: form.Step, why: str) -> None:
        """Say what must happen."""
        self._screen.say(f"\n{step.title}: {step.why}")
        self._screen.say(f"  Waiting. {why} (Ctrl-C leaves; the visit stays open)")

    def again(self, told: Body) -> form.Step | None:
        """Show everything, and let a step be answered again."""
        self._screen.say("\nEverything is there:")
        for name, answers in told["answers"].items():
            words = ", ".join(f"{key} {_words(value)}" for key, value in answers.items() if key != "heard")
            self._screen.say(f"  {name:<16}{words}")
        self._screen.say(f"  {'test reading':<16}accepted by the backend at {told['receipt']['accepted_at']}")
        correctable = {step.name: step for step in form.ASKED if step is not form.DEVICE}
        while words := self._screen.ask("Enter completes the visit; or name a step to answer it again"):
            if words in correctable:
                self._again = correctable[words]
                return self._again
            self._screen.say(f"  It must be one of {', '.join(correctable)}.")
        return None

    def _head(self, step: form.Step) -> None:
        number = form.STEPS.index(step) + 1
        self._screen.say(f"\nStep {number} of {len(form.STEPS)}: {step.title}. {step.why}")

    def _documents(self, heard: Body | None) -> Body:
        """UDI and regulatory status: asked for only where neither the device nor the catalogue says it."""
        _, udi, *rest = form.DEVICE.fields
        told: Body = {"udi_di": None if heard and heard["udi_di"] else self._field(udi, None)}
        if heard and heard["regulatory"]["status"] != "unknown":
            found = heard["regulatory"]
            self._screen.say(f"  The catalogue says {found['status']}: {found['source']}.")
            return told
        self._screen.say("  The catalogue does not know this model. Without a document its days do not count.")
        status, clearance, source = rest
        told["status"] = self._field(status, None)
        if told["status"] is not None:
            told["source"] = self._field(replace(source, needed=True), None)
            told["clearance"] = self._field(clearance, None)
        return told

    def _field(self, field: form.Field, suggested: str | None) -> object:
        """A value that holds, or None where the question may be passed over."""
        hint = f" [{suggested}]" if suggested else "" if field.needed else " (Enter: none)"
        while True:
            words = self._screen.ask(f"{field.ask}{hint}") or suggested or ""
            if not words and not field.needed:
                return field.default
            value = self._value(field, words)
            if value is not None:
                return value

    def _value(self, field: form.Field, words: str) -> object:
        """What typed words come to; None, and a sentence on the screen, where they cannot be used."""
        try:
            value: object = form.value_of(field, field.read(words) if words else None, self._now_ms(), self._zone)
        except ValueError as error:
            self._screen.say(f"  It {error}.")
            return None
        return value


def _suggested(step: form.Step, field: form.Field, told: Body, zone: ZoneInfo) -> str | None:
    """What Enter stands for: what was answered before, else what is usual."""
    before = told["answers"].get(step.name, {}).get(field.name)
    if before is not None:
        return _words(before)
    if field.name == "timezone":
        return zone.key
    if field.name == "parameters" and told["heard"]:
        return ", ".join(_reads(told["heard"]["driver"]))
    return None if field.default is None else str(field.default)


def _reads(driver: str) -> tuple[str, ...]:
    from drivers import registry  # the driver's file, only where a person is asked

    try:
        return registry.named(driver).reads
    except NotThere:
        return ()  # a driver of another installation: nothing to suggest


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "-" if value is None else str(value)
