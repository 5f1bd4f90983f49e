"""A person at a terminal: every prompt, wrong answers at each, processes killed between them."""

import json
import os
import pty
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.gateway.setup.clinic import Visitor

DEADLINE_S = 60


class Terminal:
    """`setup` on a pseudo-terminal: what it asks, and what is typed."""

    def __init__(self, visitor: Visitor, *words: str) -> None:
        self.fd, inner = pty.openpty()
        self.seen = ""
        command = visitor.clinic.command("setup", *words)
        self.running = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, start_new_session=True)
        os.close(inner)

    def until(self, words: str) -> str:
        """Everything said up to these words."""
        while words not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], DEADLINE_S)
            assert ready, f"{words!r} did not come; it said {self.seen!r}"
            try:
                said = os.read(self.fd, 65_536)
            except OSError:
                said = b""  # Linux says EIO once the other end is closed
            assert said, f"{words!r} did not come; it said {self.seen!r}"
            self.seen += said.decode().replace("\r\n", "\n")
        before, _, self.seen = self.seen.partition(words)
        return before + words

    def answer(self, prompt: str, typed: str) -> str:
        """Wait for a prompt and type; what was said before it."""
        said = self.until(f"{prompt}: ")
        os.write(self.fd, f"{typed}\n".encode())
        return said

    def ended(self) -> int:
        """Its exit code, at its end."""
        return self.running.wait(DEADLINE_S)


@contextmanager
def terminal(visitor: Visitor, *words: str) -> Iterator[Terminal]:
    made = Terminal(visitor, *words)
    try:
        yield made
    finally:
        made.running.kill()
        made.running.wait()
        os.close(made.fd)


# prompt, (what is typed wrongly, the sentence it is met with), and what is typed then
Questions = list[tuple[str, list[tuple[str, str]], str]]
DEVICE: Questions = [
    ("Its number in the list, or its id", [("99", "It must be the id"), ("cuff", "It must be the id")], "1"),
    ("UDI on its label (Enter: none)", [("x y", "It must be the UDI")], "(01)00093764603044"),
    ("Regulatory status a document gives (Enter: none)", [("fine", "It must be")], "device_201h"),
    ("That document, so that another can find it", [("", "It is missing")], "510(k) K141160"),
    ("510(k) or De Novo number of that document (Enter: none)", [("yes", "must be a 510(k)")], "K141160"),
]  # fmt: skip
STEPS: dict[str, Questions] = {
    "assignment": [("User slot on a shared device (Enter: none)", [("one", "whole"), ("300", "whole")], "")],
    "training": [
        ("How to operate the device: taught? [y/n]", [("maybe", "It must be y or n"), ("n", "do it first")], "y"),
        ("Measuring technique (posture, position, rest): taught? [y/n]", [("", "It is missing")], "yes"),
        ("When to measure, and that it transmits by itself: taught? [y/n]", [], "y"),
        ("What to do when it does not work, and whom to call: taught? [y/n]", [], "Y"),
        ("Nobody watches live; in an emergency call 911: taught? [y/n]", [("no", "do it first")], "y"),
    ],
    "demonstration": [
        ("Measured by themselves? [y/n]", [("0", "y or n")], "y"),
        ("Said in their own words how it is done? [y/n]", [("n", "do it first")], "y"),
    ],
    "consent": [
        ("verbal or written", [("nod", "It must be"), ("", "is missing")], "written"),
        ("When it was given (2026-11-20)", [("2926-01-01", "not come yet"), ("monday", "a date")], "2026-11-20"),
        ("Reference of its document", [("Ann Example", "no name")], "c-1"),
    ],
    "order": [
        ("Reference of the order", [("", "is missing")], "o-1"),
        ("When it was given (2026-11-18)", [("2026-11-18 10:00", "must be a date")], "2026-11-18T10:00:00-05:00"),
        ("What is monitored, such as blood_pressure, weight [", [("Blood Pressure", "must be a list")], ""),
    ],
    "service": [
        ("Rule profile [us-medicare-2026]", [("mine", "It must be")], ""),
        ("Time zone of the patient [America/New_York]", [("Mars/Olympus", "no time zone")], "America/Denver"),
        ("Practitioners with active orders [1]", [("0", "whole number"), ("two", "whole number")], ""),
    ],
    "trainer": [
        ("Reference of the trainer", [("me & you", "no name")], "t-1"),
        ("Credentials, such as RN", [("7", "usual letters")], "RN"),
    ],
    "acknowledgement": [("patient or caregiver", [("nurse", "It must be")], "patient")],
}  # fmt: skip


def typed(at: Terminal, questions: Questions, *, wrongly: bool = True) -> None:
    """Answer the questions of a step, each wrongly first."""
    for prompt, wrong, right in questions:
        for words, sentence in wrong if wrongly else ():
            prompted(at, prompt, words)
            at.until(sentence)
        prompted(at, prompt, right)


def prompted(at: Terminal, prompt: str, words: str) -> None:
    if prompt.endswith("["):  # what stands in the brackets is suggested by the driver
        at.until(prompt)
        at.answer("]", words)
    else:
        at.answer(prompt, words)


def test_a_visit_at_a_terminal_with_every_wrong_answer(visitor: Visitor, tmp_path: Path) -> None:
    visitor.heard()
    page = tmp_path / "page.pdf"
    with terminal(visitor, "--pdf", str(page)) as at:
        at.answer("Patient", "Ann Example")
        at.until("opaque reference")
        at.answer("Patient", visitor.patient)
        typed(at, DEVICE)
        for step, questions in STEPS.items():
            at.until(f": {step.capitalize()}. ")
            typed(at, questions)
        at.until("Waiting. No reading of the device")
        visitor.measure()
        finish = "Enter completes the visit; or name a step to answer it again"
        at.until("Everything is there:")
        at.answer(finish, "tea")
        at.until("It must be one of assignment, training")
        at.answer(finish, "trainer")
        at.answer("Reference of the trainer [t-1]", "t-2")
        at.answer("Credentials, such as RN [RN]", "")
        at.answer(finish, "")
        at.until("is set up with")
        at.until("The page to file is in")
        assert at.ended() == 0
    assert page.read_bytes().startswith(b"%PDF")
    record = visitor.clinic.ask(do="setup.record", patient=visitor.patient)["record"]
    assert record["trainer"] == {"reference": "t-2", "credentials": "RN"}
    assert (record["parameters"][0], record["service"]["timezone"]) == ("blood_pressure", "America/Denver")
    assert record["consent"] == {"form": "written", "at": "2026-11-20", "reference": "c-1"}
    assert record["order"]["at"] == "2026-11-18T10:00:00-05:00"


def test_command_and_daemon_are_killed_at_every_step(alone: Visitor) -> None:
    alone.heard()
    with terminal(alone, alone.patient) as at:
        typed(at, DEVICE, wrongly=False)
        at.until(": Assignment. ")
    for number, (step, questions) in enumerate(STEPS.items()):
        with terminal(alone, alone.patient, "--resume") as at:
            at.until(f": {step.capitalize()}. ")
            typed(at, questions, wrongly=False)
            at.until("\nStep " if step != "acknowledgement" else "Waiting.")
            if number % 3 == 1:
                alone.clinic.kill("daemon")
        if number % 3 == 1:
            alone.clinic.start_daemon()
    assert alone.missing == ["test_reading"]
    alone.measure()
    with terminal(alone, "--resume") as at:
        at.answer("Enter completes the visit; or name a step to answer it again", "")
        assert at.ended() == 0
    record = alone.clinic.ask(do="setup.record", patient=alone.patient)["record"]
    assert (record["trainer"], record["state"]) == ({"reference": "t-1", "credentials": "RN"}, "done")


def test_leaving_says_how_to_go_on(visitor: Visitor) -> None:
    with terminal(visitor, visitor.patient) as at:
        at.answer("Its number in the list, or its id", visitor.device)
        at.answer(DEVICE[1][0], "")
        at.answer(DEVICE[2][0], "")
        at.until("Waiting. The hub has not heard this device yet")
        at.running.send_signal(signal.SIGINT)
        at.until("The visit stays open")
        assert at.ended() == 130
    visitor.heard()
    with terminal(visitor, visitor.patient, "--resume") as at:
        at.answer(STEPS["assignment"][0][0], "q")
        at.until("The visit stays open")
        assert at.ended() == 0
    assert visitor.missing[0] == "assignment"


def test_questions_at_a_terminal_leave_standard_output_to_the_record(visitor: Visitor) -> None:
    outer, inner = pty.openpty()
    command = visitor.clinic.command("setup", "--json")
    with subprocess.Popen(command, stdin=inner, stdout=subprocess.PIPE, stderr=inner) as running:
        os.close(inner)
        os.write(outer, b"q\n")
        out, _ = running.communicate(timeout=DEADLINE_S)
    os.close(outer)
    assert (running.returncode, out) == (0, b"")


def test_the_backend_is_away_and_the_visit_is_finished_later(alone: Visitor) -> None:
    alone.heard()
    alone.clinic.kill("backend")
    with alone.begin("--wait", "2") as running:
        while alone.missing != ["test_reading"]:
            assert running.poll() is None
        alone.measure()
        _, err = running.communicate(timeout=DEADLINE_S)
    assert (running.returncode, "--resume" in err) == (69, True)
    alone.clinic.kill("daemon")
    alone.clinic.start_backend()
    alone.clinic.start_daemon()
    code, record, _ = alone.setup("--resume")
    assert (code, record["state"]) == (0, "done")
    assert json.dumps(record["test_reading"]) == json.dumps(alone.held(record)[record["record_id"]]["test_reading"])


def test_without_a_daemon_a_visit_says_what_to_do(alone: Visitor) -> None:
    alone.clinic.kill("daemon")
    code, _, err = alone.setup()
    assert (code, err) == (
        69,
        "vitals-gateway: No daemon runs here, and a visit needs it; start it, then go on with --resume.\n",
    )
