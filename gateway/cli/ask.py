"""How a command asks the daemon, or does the work itself where none runs."""

import argparse
import asyncio
import json
from collections.abc import Callable
from typing import Any

from config.load import Options, load
from gateway.cli import config_path
from gateway.control import Answer, asked


def answer_of(options: Options, question: dict[str, Any]) -> Answer:
    """The daemon's answer; where none runs, the store is opened here, under its lock, for this one question."""
    return asyncio.run(_ask(options, question))


def answered(arguments: argparse.Namespace, question: dict[str, Any], show: Callable[[Answer], None]) -> int:
    """Ask, then print the answer as JSON or as `show` does."""
    answer = answer_of(load(config_path(arguments)), question)
    if getattr(arguments, "json", False):
        print(json.dumps(answer, ensure_ascii=False))
    else:
        show(answer)
    return 0


def add_json(parser: argparse.ArgumentParser) -> None:
    """The --json switch."""
    parser.add_argument("--json", action="store_true", help="one JSON document")


async def _ask(options: Options, question: dict[str, Any]) -> Answer:
    answer = await asked(options.buffer.path, question)
    if answer is not None:
        return answer
    from gateway.wiring import local_desk  # the store and its libraries, only where no daemon answers

    async with local_desk(options) as desk:
        return await desk.ask(question)
