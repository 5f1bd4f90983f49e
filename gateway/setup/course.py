"""
The command's side of a visit: from the first step to the record, wherever the answers come from.

It keeps nothing: the daemon holds every answer, so this can be killed between any two of its lines.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.core.errors import BadInput, Exit, GatewayError, NotThere
from gateway.setup import form

Body = dict[str, Any]
Ask = Callable[[Body], Body]
LOOK_S = 0.5
_KEPT = "Everything answered is kept: go on with `vitals-gateway setup --resume`, or end it with --abandon --why."


class Source(Protocol):
    """Where answers come from: a file, or a person at a terminal."""

    def device(self, heard: list[Body]) -> Body:
        """The answers to the first step, given the devices heard lately."""

    def answers(self, step: form.Step, told: Body) -> Body | None:
        """The answers to a step; None where what was answered before stands."""

    def refused(self, error: GatewayError) -> None:
        """The answers were refused; returns if others may be given, else raises."""

    def waits(self, step: form.Step, why: str) -> None:
        """Something must happen before the visit goes on."""

    def again(self, told: Body) -> form.Step | None:
        """A step to be answered again before the visit is completed; None to complete it."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a device and the backend: a pause, the time that is left, both in seconds."""

    pause: Callable[[], None]
    now_s: Callable[[], float]
    limit_s: float


def begun(ask: Ask, source: Source, patient: str) -> Body:
    """A new visit, as the daemon tells it."""
    while True:
        answers = source.device(ask({"do": "setup.list", "patient": patient})["heard"])
        slot = {"slot": answers.pop("slot")} if "slot" in answers else {}
        try:
            return ask({"do": "setup.begin", "patient": patient, "answers": answers, **slot})
        except GatewayError as error:
            _mend(source, error)


def conducted(ask: Ask, source: Source, told: Body, patience: Patience) -> Body:
    """The setup record of a visit, after every step that stands out; NotThere where something did not come in time."""
    for step in form.STEPS:
        if step in form.ASKED:
            told = _answered(ask, source, step, told)
        elif step.name in told["missing"]:
            told = _waited(ask, source, step, told, patience)
    while (step_again := source.again(told)) is not None:
        told = _answered(ask, source, step_again, told)
    record: Body = ask({"do": "setup.finish", "visit": told["visit"]})["record"]
    return record


def _answered(ask: Ask, source: Source, step: form.Step, told: Body) -> Body:
    while step is not form.DEVICE:
        answers = source.answers(step, told)
        if answers is None:
            break
        try:
            return ask({"do": "setup.answer", "visit": told["visit"], "step": step.name, "answers": answers})
        except GatewayError as error:
            _mend(source, error)
    return told


def _mend(source: Source, error: GatewayError) -> None:
    """Only what was given can be given otherwise; the daemon's own trouble ends the command."""
    if error.exit_code != Exit.DATA:
        raise error
    source.refused(error)


def _waited(ask: Ask, source: Source, step: form.Step, told: Body, patience: Patience) -> Body:
    """The visit once a step the daemon sees for itself has come; a daemon that is started again is waited for."""
    until_s, why = patience.now_s() + patience.limit_s, ""
    while step.name in told["missing"]:
        if _why(step, told) != why:
            why = _why(step, told)
            source.waits(step, why)
        if patience.now_s() >= until_s:
            raise NotThere(f"{step.title}: {why} {_KEPT}")
        patience.pause()
        try:
            told = ask({"do": "setup.show", "visit": told["visit"]})
        except NotThere:
            told = told | {"why": "The daemon does not answer; is it running?"}
    return told


def _why(step: form.Step, told: Body) -> str:
    if step.name == form.PAIRING and told["device"].startswith("ble:"):
        return "Pairing Bluetooth devices is not part of this version; this device was not heard over another way."
    if step.name == form.PAIRING:
        return "The hub has not heard this device yet; switch it on and measure once."
    return str(told["why"])


def the_open(visits: list[Body], device: str | None = None) -> Body | None:
    """The one visit that can be meant, None where there is none; BadInput where there are several."""
    meant = [each for each in visits if device in (None, each["device"])]
    if len(meant) > 1:
        listed = ", ".join(f"{each['patient']} with {each['device']}" for each in meant)
        raise BadInput(f"Several visits are under way ({listed}); name the patient, or use the visit's file.")
    return meant[0] if meant else None
