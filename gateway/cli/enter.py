"""`enter`: keep a value typed by a person."""

import argparse

from gateway.cli.ask import add_json, answered
from gateway.cli.who import operator

_EXAMPLES = """\
Such a value is kept, uploaded and shown as manual. It never makes a day of data, and nothing can change that.

  vitals-gateway enter pt-8842 systolic=128 diastolic=82 pulse=70
  vitals-gateway enter pt-8842 weight=70.5kg --by patient --at 2026-11-21T08:00:00-05:00"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = _EXAMPLES
    add_json(parser)
    parser.add_argument("patient", metavar="PATIENT", help="an opaque reference such as pt-8842")
    parser.add_argument("values", metavar="NAME=VALUE[UNIT]", nargs="+", help="for example weight=70.5kg")
    parser.add_argument("--by", choices=["staff", "patient"], default="staff", help="who says so (staff)")
    parser.add_argument("--at", metavar="T", help="when it was measured, with offset; else now")


def run(arguments: argparse.Namespace) -> int:
    """Enter."""
    question = {
        "do": "enter",
        "patient": arguments.patient,
        "values": arguments.values,
        "by": arguments.by,
        "at": arguments.at,
        "operator": operator(),
    }
    return answered(arguments, question, lambda answer: print(answer["said"]))
