"""How a command asks the daemon, or does the work itself where none runs."""

import argparse
import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from config.load import Options, load
from gateway.cli import complain, config_path
from gateway.cli.who import operator
from gateway.control import Answer, asked
from gateway.core.errors import NotThere


def answer_of(options: Options, question: dict[str, Any]) -> Answer:
    """The daemon's answer; where none runs, the store is opened here, under its lock, for this one question."""
    (answer,) = asyncio.run(answers_of(options, [question]))
    return answer


async def answers_of(options: Options, questions: Sequence[dict[str, Any]]) -> list[Answer]:
    """The answers to several questions, all from the daemon, or all from the store where none runs."""
    if not questions:
        return []
    first = await asked(options.buffer.path, questions[0])
    if first is not None:
        return [first, *[await _from_daemon(options, question) for question in questions[1:]]]
    from gateway.wiring import local_desk  # the store and its libraries, only where no daemon answers

    async with local_desk(options) as desk:
        return [await desk.ask(question) for question in questions]


def answered(arguments: argparse.Namespace, question: dict[str, Any], show: Callable[[Answer], None]) -> int:
    """Ask, then print the answer as JSON or as `show` does."""
    answer = answer_of(load(config_path(arguments)), {**question, "operator": operator()})
    if "not_logged" in answer:
        complain(answer["not_logged"])
    if getattr(arguments, "json", False):
        print(json.dumps(answer, ensure_ascii=False))
    else:
        show(answer)
    return 0


def add_json(parser: argparse.ArgumentParser) -> None:
    """The --json switch."""
    parser.add_argument("--json", action="store_true", help="one JSON document")


async def _from_daemon(options: Options, question: dict[str, Any]) -> Answer:
    answer = await asked(options.buffer.path, question)
    if answer is None:
        raise NotThere("The daemon stopped while it was asked; start it, then give the command again.")
    return answer
