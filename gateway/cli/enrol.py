"""`enrol`: begin or end a patient's service."""

import argparse

from gateway.cli.ask import add_json, answered
from gateway.cli.who import operator

_EXAMPLES = """\
Service begins with the last of order, consent and setup; `vitals-gateway setup` enrols by itself where it is used.
A start or an end that lies in the past needs --why. --practitioners alone corrects the number of a service that runs.

  vitals-gateway enrol pt-8842 --order 2026-11-18T10:00:00-05:00 --consent 2026-11-20T09:00:00-05:00
  vitals-gateway enrol pt-8842 --timezone America/Denver --rules us-medicare-2026-rtm-respiratory
  vitals-gateway enrol pt-8842 --practitioners 2
  vitals-gateway enrol pt-8842 --end --why "goals met\""""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = _EXAMPLES
    add_json(parser)
    parser.add_argument("patient", metavar="PATIENT", help="an opaque reference such as pt-8842")
    parser.add_argument("--from", dest="start", metavar="T", help="when setup was complete; with --end, when it ended")
    parser.add_argument("--order", metavar="T", help="when the monitoring was ordered: 2026-11-18T10:00:00-05:00")
    parser.add_argument("--consent", metavar="T", help="when the patient consented")
    parser.add_argument("--practitioners", type=int, metavar="N", help="how many have active orders (1)")
    parser.add_argument("--timezone", metavar="ZONE", help="where the patient lives (the hub's zone)")
    parser.add_argument("--end", action="store_true", help="end the service")
    parser.add_argument("--rules", metavar="NAME", help="the rule profile (us-medicare-2026)")
    parser.add_argument("--why", metavar="TEXT", help="the reason, needed for an end and for a start in the past")


def run(arguments: argparse.Namespace) -> int:
    """Enrol or end."""
    question = {
        "do": "enrol",
        "patient": arguments.patient,
        "from": arguments.start,
        "order": arguments.order,
        "consent": arguments.consent,
        "practitioners": arguments.practitioners,
        "timezone": arguments.timezone,
        "end": arguments.end,
        "why": arguments.why,
        "rules": arguments.rules,
        "by": operator(),
    }
    return answered(arguments, question, lambda answer: print(answer["said"]))
