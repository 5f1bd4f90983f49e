"""`enrol`: begin or end a patient's service."""

import argparse

from gateway.cli.ask import add_json, answered
from gateway.cli.who import operator

_EXAMPLES = """\
Service begins when order, consent and setup are complete. A start that lies in the past needs --why.

  vitals-gateway enrol pt-8842
  vitals-gateway enrol pt-8842 --end --why "goals met\""""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = _EXAMPLES
    add_json(parser)
    parser.add_argument("patient", metavar="PATIENT", help="an opaque reference such as pt-8842")
    parser.add_argument("--from", dest="start", metavar="T", help="when service began: 2026-11-20T09:00:00-05:00")
    parser.add_argument("--end", action="store_true", help="end the service now")
    parser.add_argument("--rules", metavar="NAME", help="the rule profile (us-medicare-2026)")
    parser.add_argument("--why", metavar="TEXT", help="the reason, needed for an end and for a start in the past")


def run(arguments: argparse.Namespace) -> int:
    """Enrol or end."""
    question = {
        "do": "enrol",
        "patient": arguments.patient,
        "from": arguments.start,
        "end": arguments.end,
        "why": arguments.why,
        "rules": arguments.rules,
        "by": operator(),
    }
    return answered(arguments, question, lambda answer: print(answer["said"]))
