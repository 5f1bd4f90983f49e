"""`assign`: say who wears a device, from when."""

import argparse

from gateway.cli.ask import add_json, answered
from gateway.cli.who import operator

_EXAMPLES = """\
The device is known by its id, as `vitals-gateway status` shows it; the patient is an opaque reference, never a name.
An assignment begins now. One that began earlier says so with --from and --why, and the ledger keeps both.

  vitals-gateway assign stel:AB:CD:EF:12:34:01 pt-8842
  vitals-gateway assign ble:5C:F8:21:00:11:22 pt-8842 --slot 1
  vitals-gateway assign bodytrace:356789000000000 pt-8842 --from 2026-11-20T09:00:00-05:00 --why "handed over\""""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = _EXAMPLES
    add_json(parser)
    parser.add_argument("device", metavar="DEVICE", help="the device's id")
    parser.add_argument("patient", metavar="PATIENT", help="an opaque reference such as pt-8842")
    parser.add_argument("--slot", type=int, metavar="N", help="the user's slot on a shared device")
    parser.add_argument("--from", dest="start", metavar="T", help="when it began: 2026-11-20T09:00:00-05:00")
    parser.add_argument("--why", metavar="TEXT", help="the reason, needed where it began earlier")
    parser.add_argument(
        "--status",
        choices=["device_201h", "wellness", "unknown"],
        help="the device's regulatory status, where a document says it and the catalogue does not",
    )
    parser.add_argument("--source", metavar="TEXT", help="the document that says it, needed with --status")


def run(arguments: argparse.Namespace) -> int:
    """Assign."""
    question = {
        "do": "assign",
        "device": arguments.device,
        "patient": arguments.patient,
        "slot": arguments.slot,
        "from": arguments.start,
        "why": arguments.why,
        "status": arguments.status,
        "source": arguments.source,
        "by": operator(),
    }
    return answered(arguments, question, lambda answer: print(answer["said"]))
