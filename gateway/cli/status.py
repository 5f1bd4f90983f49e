"""`status`: one screen."""

import argparse

from gateway.cli.ask import add_json, answered
from gateway.cli.days import pace_text
from gateway.cli.table import sentence, table
from gateway.control import Answer

_EXAMPLES = """\
  vitals-gateway status
  vitals-gateway status --json | jq .needs_person"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = _EXAMPLES
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the daemon's state."""
    return answered(arguments, {"do": "status"}, _show)


def _show(answer: Answer) -> None:
    hub, clock, buffer = answer["hub"], answer["clock"], answer["buffer"]
    running = f"running since {hub['started_at']}" if answer["running"] else "not running; this is the store as it lies"
    print(sentence(f"hub {hub['id']} ({hub['site']}), vitals-gateway {hub['version']}, {running}"))
    print(f"clock: {'synchronised' if clock['synchronised'] else 'NOT synchronised'} at {answer['now']}")
    if answer["links"]:
        print()
        print(table(("source", "state", "frames", "last frame", "why"), [_link_row(link) for link in answer["links"]]))
    print()
    print(sentence(_buffer_text(buffer)))
    if answer["devices"]:
        rows = [
            (name, said["driver"], said["modality"], said["received_at"]) for name, said in answer["devices"].items()
        ]
        print()
        print(table(("device", "driver", "last reading of", "received"), rows))
    if answer.get("patients"):
        print()
        print(table(("patient", "program", "days", "how it goes"), [_patient_row(each) for each in answer["patients"]]))
    print()
    for said in answer["needs_person"]:
        print(sentence(f"! {said}"))
    if not answer["needs_person"]:
        print("Nothing needs a person.")


def _patient_row(each: Answer) -> tuple[str, str, str, str]:
    waiting = f" (+{each['waiting']} waiting)" if each["waiting"] else ""
    return (each["patient"], each["program"], f"{each['days']}{waiting}", pace_text(each))


def _link_row(link: Answer) -> tuple[str, str, str, str, str]:
    state = "up" if link["up"] else "HELD" if link["needs_person"] else "down"
    return (link["name"], state, str(link["frames"]), link["last_frame_at"] or "-", link["why"] or "")


def _buffer_text(buffer: Answer) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in buffer["records"].items()) or "empty"
    age = buffer["oldest_unsent_s"]
    waited = "nothing waits" if age is None else f"the oldest unsent record has waited {_span(age)}"
    size = f"{buffer['bytes'] / 1e6:.1f} of {buffer['size_max_bytes'] / 1e6:.0f} MB"
    return f"buffer: {counts}; {size}; {waited}"


def _span(seconds: int) -> str:
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} seconds"
