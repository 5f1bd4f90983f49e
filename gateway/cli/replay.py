"""`replay`: run a capture of frames through the real path."""

import argparse
import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from config.load import load
from gateway.cli import config_path
from gateway.cli.ask import answers_of
from gateway.core.errors import BadInput, NotThere

_EXAMPLES = """\
One JSON object a line: {"driver": NAME, "hex": HEX | "text": PAYLOAD, "source": S, "topic": T, "device": ID}.
The frames take the same way as live ones, into the same store, and are uploaded; every reading of a replay is marked
synthetic and never counts.

  vitals-gateway replay capture.jsonl"""
_KEYS = frozenset({"driver", "hex", "text", "source", "topic", "device", "at"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("file", metavar="FILE", help="the capture, or - for standard input")


def run(arguments: argparse.Namespace) -> int:
    """Replay every line; all are checked before the first is sent."""
    options = load(config_path(arguments))
    questions = [_question(number, line) for number, line in enumerate(_lines(arguments.file), 1) if line.strip()]
    totals: Counter[str] = Counter()
    for answer in asyncio.run(answers_of(options, questions)):
        totals.update({key: answer[key] for key in ("kept", "known", "refused")})
    if arguments.json:
        print(json.dumps({"frames": len(questions), **totals}))
    else:
        print(
            f"{len(questions)} frames: {totals['kept']} records kept, {totals['known']} known before, "
            f"{totals['refused']} frames refused."
        )
    return 0


def _lines(file: str) -> list[str]:
    try:
        return (sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")).split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise NotThere(f"The capture {file} cannot be read; check its path and that it is UTF-8 text.") from error


def _question(number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise BadInput(f"Line {number} of the capture is not JSON.") from error
    if not isinstance(found, dict) or "driver" not in found or ("hex" in found) == ("text" in found):
        raise BadInput(f"Line {number} of the capture needs a driver, and either hex or text.")
    if unknown := sorted(set(found) - _KEYS):
        raise BadInput(f"Line {number} of the capture has {unknown[0]}, which is not a known key.")
    if not all(isinstance(value, str) or value is None for value in found.values()):
        raise BadInput(f"Line {number} of the capture: every value is text.")
    return {"do": "replay", **found}
