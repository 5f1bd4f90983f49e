"""`unassign`: end an assignment."""

import argparse

from gateway.cli.ask import add_json, answered
from gateway.cli.who import operator

_EXAMPLES = """\
Readings measured until now stay the patient's; later ones belong to nobody until the device is assigned again.

  vitals-gateway unassign stel:AB:CD:EF:12:34:01"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = _EXAMPLES
    add_json(parser)
    parser.add_argument("device", metavar="DEVICE", help="the device's id")
    parser.add_argument("--slot", type=int, metavar="N", help="the user's slot on a shared device")
    parser.add_argument("--why", metavar="TEXT", help="the reason")


def run(arguments: argparse.Namespace) -> int:
    """Unassign."""
    question = {"do": "unassign", "device": arguments.device, "slot": arguments.slot, "why": arguments.why}
    return answered(arguments, question | {"by": operator()}, lambda answer: print(answer["said"]))
