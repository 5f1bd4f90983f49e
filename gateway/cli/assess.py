"""`assess`: evaluate an evidence bundle offline."""

import argparse
import json
import sys
from collections import Counter

from config.rules import profiles
from gateway.core.assessment import Assessment, assess
from gateway.core.bundle import Bundle, judge, read_bundle
from gateway.core.errors import BadInput, NotThere

_EXAMPLES = """\
Counts dates, not readings, by the rule profile the bundle names; needs no hub and no network. It reports counts and
reasons; people bill. OPEN: the period still runs. CLEAN: every count gives the same code. REVIEW: a person must look.

  vitals-gateway assess march.json
  vitals-gateway assess march.json --json | jq .candidate"""
# A year of one reading a minute is some 200 MB; an evidence bundle holds one patient's few periods.
_BYTES_MAX = 64 * 1024 * 1024
_MEANING = {
    "OPEN": "the period still runs; show it, do not code it yet",
    "CLEAN": "the period is closed and every count gives the same code",
    "REVIEW": "the period is closed and a person must look before it is coded",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("file", metavar="FILE", help="an evidence bundle (vitals-evidence/1); - for standard input")
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Print what the bundle comes to; BadInput where it cannot be used."""
    bundle = read_bundle(_content(arguments.file), profiles())
    result = assess(judge(bundle), bundle.service, bundle.period, bundle.zone, bundle.rules, bundle.now_ms)
    print(json.dumps(result.as_json()) if arguments.json else _page(bundle, result))
    return 0


def _content(path: str) -> bytes:
    try:
        if path == "-":
            content = sys.stdin.buffer.read(_BYTES_MAX + 1)
        else:
            with open(path, "rb") as file:  # noqa: PTH123 -- Path.open would say the same with an import more
                content = file.read(_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        raise NotThere(f"The file {path} cannot be read; check its path and that you may read it.") from error
    if len(content) > _BYTES_MAX:
        raise BadInput(f"The file is larger than {_BYTES_MAX // 2**20} MiB; export fewer periods at a time.")
    return content


def _page(bundle: Bundle, result: Assessment) -> str:
    """What a biller reads."""
    rows = [
        ("Patient", bundle.patient),
        ("Rules", f"{bundle.rules.name} ({bundle.rules.title})"),
        ("Period", f"{result.period.number}: {result.period.start} to {result.period.end}, {bundle.zone.key}"),
        ("Readings", f"{len(bundle.readings)}, {result.automatic} of them automatic"),
        ("Days measured", f"{result.counts.measured}"),
        ("Days claimable", f"{result.counts.claimable}  (acknowledged before the period closed)"),
        ("Days received", f"{result.counts.received}  (dates on which they were acknowledged)"),
        ("Candidate", result.candidate),
        ("Conservative", f"{result.conservative}  (lowest code any count gives)"),
        (f"Setup {result.setup_code}", "yes" if result.setup_due else "no"),
        ("Status", f"{result.status}: {_MEANING[result.status]}"),
        *[("Look at", reason) for reason in result.reasons],
    ]
    rejected = [f"  {number:>5}  {reason}" for reason, number in sorted(Counter(result.rejected).items())]
    head = (
        ["", "Readings that do not qualify, by reason:"]
        if rejected
        else ["", "Every reading qualifies."]
        if bundle.readings
        else []
    )
    return "\n".join([*(f"{name:<16}{text}" for name, text in rows), *head, *rejected])
