"""`demo`: the whole path on this machine, with nothing to install or configure."""

import argparse
import asyncio
import contextlib
import json
import sys
from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from gateway.cli.table import table
from gateway.core.errors import Exit

if TYPE_CHECKING:
    from gateway.demo.story import Outcome

_EXAMPLES = """\
Virtual devices publish real hubs' payloads to a real MQTT broker; the gateway keeps and uploads them while the backend
goes away, the gateway is killed, a vendor sends everything again and nonsense arrives. It ends with the day ledger, and
exits 0 only if every reading arrived exactly once.

  vitals-gateway demo
  vitals-gateway demo --days 29 --json | jq .checks"""
_WEEK = 7
_DAYS_MAX = 29  # one billing period, with today in it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--stay", action="store_true", help="leave it running, to look at the backend's pages")
    parser.add_argument("--days", type=int, default=21, metavar="N", help="days to play, 3 to 29 (21)")


def run(arguments: argparse.Namespace) -> int:
    """Play, show, judge."""
    if not 3 <= arguments.days <= _DAYS_MAX:
        from gateway.cli import complain

        complain(f"--days is a number from 3 to {_DAYS_MAX}: the demo plays within one billing period.")
        return int(Exit.USAGE)
    from gateway.clock import HubClock
    from gateway.demo.story import play

    outcome = asyncio.run(play(arguments.days, HubClock(), _say, _stay if arguments.stay else None))
    if arguments.json:
        print(json.dumps(_json(outcome)))
    elif not arguments.stay:
        _show(outcome)
    return int(Exit.OK if outcome.holds else Exit.SOFTWARE)


async def _stay(outcome: "Outcome", address: str) -> None:
    """Show, then leave everything running for a look around."""
    _show(outcome)
    print(f"\nThe backend's pages: {address} (Ctrl-C ends the demo)", flush=True)
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


def _say(sentence: str) -> None:
    print(f"  {sentence}", file=sys.stderr, flush=True)


def _ledger(outcome: "Outcome") -> dict[str, dict[str, dict[str, Any]]]:
    """Patient -> date -> whether it counts, its readings and the reasons of those that do not count."""
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for record in outcome.records:
        if record["type"] != "reading" or not record["patient"] or not record["local_date"]:
            continue
        blank = {"counted": False, "readings": 0, "reasons": []}
        day = found[record["patient"]].setdefault(record["local_date"], blank)
        day["readings"] += 1
        day["counted"] = day["counted"] or record["qualifies"]["day"]
        if record["qualifies"]["reason"]:
            day["reasons"].append(record["qualifies"]["reason"])
    return {patient: dict(sorted(days.items())) for patient, days in sorted(found.items())}


def _json(outcome: "Outcome") -> dict[str, Any]:
    checks = [{"what": check.what, "holds": check.holds, "found": check.found} for check in outcome.checks]
    return {"holds": outcome.holds, "checks": checks, "ledger": _ledger(outcome)}


def _show(outcome: "Outcome") -> None:
    ledger = _ledger(outcome)
    dates = sorted({day for days in ledger.values() for day in days})
    print("\nThe day ledger, as the backend holds it:\n")
    rows = [_row(patient, days, dates) for patient, days in ledger.items()]
    print(table(("patient", "days of data", "readings", f"{dates[0]} to {dates[-1]}, a week each"), rows))
    print("\n# a day of data   . readings that do not count   - nothing measured\n")
    for check in outcome.checks:
        print(f"  {'ok  ' if check.holds else 'FAIL'}  {check.what} ({check.found})")
    print(f"\n{'Every reading arrived exactly once.' if outcome.holds else 'The demo FAILED: see above.'}")


def _row(patient: str, days: dict[str, dict[str, Any]], dates: list[str]) -> tuple[str, ...]:
    first, last = date.fromisoformat(dates[0]), date.fromisoformat(dates[-1])
    every = [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
    marks = "".join("-" if day not in days else "#" if days[day]["counted"] else "." for day in every)
    weeks = " ".join(marks[start : start + _WEEK] for start in range(0, len(marks), _WEEK))
    counted = sum(day["counted"] for day in days.values())
    return patient, str(counted), str(sum(day["readings"] for day in days.values())), weeks
