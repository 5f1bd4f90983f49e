"""`doctor`: everything a technician would check."""

import argparse
import asyncio
import json

from config.load import load
from gateway.cli import config_path
from gateway.cli.ask import add_json
from gateway.cli.table import table
from gateway.core.errors import Exit
from gateway.doctor import Line, State, examine

_EXAMPLES = """\
Each line is ok, warn or fail, with what to do. Exit code 69 where anything fails.

  vitals-gateway doctor
  vitals-gateway doctor --json | jq '.checks[] | select(.state != "ok")'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = _EXAMPLES
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Examine and print."""
    lines = asyncio.run(_all(arguments))
    if arguments.json:
        print(json.dumps({"checks": [{"what": x.what, "state": x.state.value, "said": x.said} for x in lines]}))
    else:
        print(table(("", "what", ""), [(line.state.value, line.what, line.said) for line in lines]))
    failed = any(line.state is State.FAIL for line in lines)
    return int(Exit.UNAVAILABLE if failed else Exit.OK)


async def _all(arguments: argparse.Namespace) -> list[Line]:
    return [line async for line in examine(load(config_path(arguments)))]
