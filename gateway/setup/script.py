"""Answers from a file: a whole visit in TOML, every mistake in it told at once with its line and path."""

import tomllib
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from config.section import Lines
from gateway.core.errors import BadInput, GatewayError
from gateway.manual import patient_reference
from gateway.setup import form
from gateway.setup.course import Body


class Script:
    """The answers of a file; `patient` as it or the command names them."""

    def __init__(self, name: str, patient: str, answers: Mapping[str, Body]) -> None:
        self.patient = patient
        self._name = name
        self._answers = answers

    @property
    def device_id(self) -> str:
        """The device the visit is for."""
        return str(self._answers["device"]["id"])

    def device(self, heard: list[Body]) -> Body:  # noqa: ARG002 -- a file does not choose from what was heard
        """The device, and its slot, so that a contradiction is found before anything is kept."""
        return {**self._answers["device"], **self._answers["assignment"]}

    def answers(self, step: form.Step, told: Body) -> Body:  # noqa: ARG002 -- a file says the same whatever came before
        """What the file says; the daemon keeps it only where it is new."""
        return self._answers[step.name]

    def refused(self, error: GatewayError) -> None:
        """A file has no second answer."""
        raise BadInput(f"{self._name}: {error}") from error

    def waits(self, step: form.Step, why: str) -> None:
        """Nobody to tell."""

    def again(self, told: Body) -> None:  # noqa: ARG002 -- nothing in a file is answered twice
        """A file's answers stand."""
        return


def read_script(text: str, name: str, patient: str | None, now_ms: int, zone: ZoneInfo) -> Script:
    """The visit a file describes; raises BadInput with every mistake, each with its line and path."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{name} is not TOML: {error}.") from error
    lines, mistakes = Lines(text), _unknown(document)
    said = _patient(document, patient, mistakes)
    answers: dict[str, Body] = {}
    for step in form.ASKED:
        table = document.get(step.name, {})
        if not isinstance(table, dict):
            mistakes.append(f"{step.name} must be a table: begin it with [{step.name}].")
            continue
        answers[step.name], wrong = form.answers(step, table, now_ms, zone)
        mistakes += wrong
    if mistakes:
        raise BadInput("\n".join(f"{name}{_place(lines, each)}: {each}" for each in mistakes))
    return Script(name, said, answers)


def _patient(document: Mapping[str, Any], patient: str | None, mistakes: list[str]) -> str:
    said = document.get("patient", patient)
    if patient is not None and said != patient:
        mistakes.append("patient is another than the command names; is this the right file?")
    try:
        return patient_reference(said if isinstance(said, str) else "")
    except BadInput:
        mistakes.append("patient must be an opaque reference such as pt-8842, in the file or on the command line.")
        return ""


def _unknown(document: Mapping[str, Any]) -> list[str]:
    known = {"patient", *(step.name for step in form.ASKED)}
    return [f"{key} is not asked for; take it out." for key in document if key not in known]


def _place(lines: Lines, mistake: str) -> str:
    line = lines.of(mistake.split(" ", 1)[0])
    return "" if line is None else f", line {line}"
