"""`days`: the 30-day ledger of a patient."""

import argparse
from datetime import date

from gateway.cli.ask import add_json, answered
from gateway.cli.table import table
from gateway.control import Answer

_EXAMPLES = """\
Each date of a period, whether it counts, and why not; how many days there are, how many are still possible and how many
are needed. Dates are the patient's civil dates. The period that runs now is shown unless --period names another.

  vitals-gateway days pt-8842
  vitals-gateway days pt-8842 --period 1
  vitals-gateway days pt-8842 --program RTM --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = _EXAMPLES
    add_json(parser)
    add_scope(parser)


def add_scope(parser: argparse.ArgumentParser) -> None:
    """The patient and which of their periods."""
    parser.add_argument("patient", metavar="PATIENT", help="an opaque reference such as pt-8842")
    parser.add_argument("--period", type=int, metavar="K", help="the period, from 1; else the one that runs now")
    parser.add_argument("--program", choices=["RPM", "RTM"], help="where a patient has been in both")
    parser.add_argument("--episode", type=int, metavar="N", help="an earlier enrolment, from 1; else the last")


def scope_question(arguments: argparse.Namespace) -> dict[str, object]:
    """What add_scope read, as a question has it."""
    return {key: getattr(arguments, key) for key in ("patient", "period", "program", "episode")}


def run(arguments: argparse.Namespace) -> int:
    """Print the ledger."""
    return answered(arguments, {"do": "days", **scope_question(arguments)}, _show)


def _show(answer: Answer) -> None:
    period, counts = answer["period"], answer["days"]
    print(
        f"{answer['patient']}, {answer['program']} period {period['number']}: {period['start']} to {period['end']} "
        f"({answer['timezone']}, {answer['rules']})"
    )
    print()
    print(table(("date", "counts", "readings", "why not, or what else came"), [_row(line) for line in answer["dates"]]))
    for reason, count in answer["undated"].items():
        print(f"without a date: {count} x {reason}")
    print()
    print(f"days: {counts['measured']} measured, {counts['claimable']} claimable, {counts['received']} received")
    print(
        f"candidate: {answer['candidate']} (lowest of all counts: {answer['conservative']}); status: {answer['status']}"
    )
    for reason in answer["reasons"]:
        print(f"! look at: {reason}")
    for note in answer["notes"]:
        print(f"! {note}")
    if answer["pace"]:
        print(pace_text(answer["pace"]))


def pace_text(pace: Answer) -> str:
    """How an open period is going, in a sentence or two."""
    needed = f"{pace['needed']} more needed" if pace["needed"] else "nothing more needed"
    rate = f", {pace['needed_per_week']} a week from now on" if pace["needed_per_week"] else ""
    said = f"day {pace['day']}: {needed}{rate}; {pace['possible']} days still possible"
    return f"{said}; AT RISK: {pace['why']}" if pace["at_risk"] else f"{said}; not at risk"


def _row(line: Answer) -> tuple[str, str, str, str]:
    count = len(line["readings"]) + len(line["late"]) + sum(line["reasons"].values())
    said = [f"{reason}" + (f" (x{many})" if many > 1 else "") for reason, many in line["reasons"].items()]
    if line["late"]:
        said.append(f"{len(line['late'])} not acknowledged (in time)")
    name = f"{date.fromisoformat(line['date']):%a} {line['date']}"
    return (name, "yes" if line["counted"] else "-", str(count) if count else "", "; ".join(said))
