"""`queue`: what waits, what the backend refused and why."""

import argparse
import json

from gateway.cli.ask import add_json, answered
from gateway.cli.table import table
from gateway.control import Answer

_EXAMPLES = """\
  vitals-gateway queue                 what waits and what was refused
  vitals-gateway queue show ID         one record, whole
  vitals-gateway queue retry ID        send a refused record again, once its cause is mended"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = _EXAMPLES
    add_json(parser)
    parser.add_argument("what", nargs="?", choices=["list", "show", "retry"], default="list")
    parser.add_argument("id", nargs="?", metavar="ID", help="a record_id, or how it begins")


def run(arguments: argparse.Namespace) -> int:
    """List, show or retry."""
    if arguments.what == "list":
        return answered(arguments, {"do": "queue"}, _show_list)
    if not arguments.id:
        from gateway.cli import complain
        from gateway.core.errors import Exit

        complain(f"Name the record: vitals-gateway queue {arguments.what} ID; `vitals-gateway queue` lists them.")
        return int(Exit.USAGE)
    return answered(arguments, {"do": f"queue.{arguments.what}", "id": arguments.id}, _show_one)


def _show_list(answer: Answer) -> None:
    counts = ", ".join(f"{count} {state}" for state, count in answer["records"].items()) or "none"
    print(f"records: {counts}")
    if answer["queue"]:
        rows = [
            (row["record_id"][:12], row["state"], row["type"], row["received_at"], row["reason"] or "")
            for row in answer["queue"]
        ]
        print(table(("record", "state", "type", "received", "reason"), rows))


def _show_one(answer: Answer) -> None:
    print(json.dumps(answer, indent=2, ensure_ascii=False))
