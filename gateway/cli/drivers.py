"""`drivers`: the catalogue."""

import argparse
import json

from drivers import registry
from drivers.contract import Driver
from gateway.cli.table import table

_EXAMPLES = """\
Grades: A the maker's document and captures; B several open implementations, or one with captures;
C one open implementation or a partial document; D fragments.

  vitals-gateway drivers
  vitals-gateway drivers --json | jq '.drivers[] | select(.link == "ble") | .name'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Print every driver."""
    found = list(registry.find().values())
    if arguments.json:
        print(json.dumps({"drivers": [_json(driver) for driver in found]}, ensure_ascii=False))
        return 0
    rows = [(d.name, d.link.value, ", ".join(d.reads), d.grade.value, ", ".join(d.models)) for d in found]
    print(table(("driver", "link", "reads", "known", "models"), rows))
    return 0


def _json(driver: Driver) -> dict[str, object]:
    return {
        "name": driver.name,
        "version": driver.version,
        "link": driver.link.value,
        "models": list(driver.models),
        "reads": list(driver.reads),
        "sources": list(driver.sources),
        "grade": driver.grade.value,
        "documented": driver.documented,
    }
