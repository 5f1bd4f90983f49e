"""`setup`: the technician's visit, from the device to the backend's receipt."""

import argparse
import asyncio
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.load import Options, load
from gateway.cli import complain, config_path
from gateway.cli.ask import add_json
from gateway.cli.who import operator
from gateway.core.errors import BadInput, Exit, NotThere

if TYPE_CHECKING:
    from gateway.clock import HubClock
    from gateway.setup.course import Ask
    from gateway.setup.interview import Interview
    from gateway.setup.script import Script

_EXAMPLES = """\
Asks step by step what a setup record (CPT 99453) holds, keeps every answer at once, and ends when the backend has
accepted a test reading. It can be interrupted at any time and taken up with --resume. Nothing measured during the visit
counts. With --file the answers come from a file; docs/setup.md shows one.

  vitals-gateway setup pt-8842 --pdf pt-8842.pdf
  vitals-gateway setup --file visit.toml --json
  vitals-gateway setup pt-8842 --resume
  vitals-gateway setup pt-8842 --abandon --why "device is faulty\""""
_FILE_BYTES_MAX = 1_048_576
_WAIT_S = 600.0
_INTERRUPTED = 130
_LEFT = "The visit stays open, with every answer; go on with `vitals-gateway setup --resume`."

Body = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = _EXAMPLES
    add_json(parser)
    parser.add_argument("patient", metavar="PATIENT", nargs="?", help="an opaque reference such as pt-8842")
    parser.add_argument("--file", metavar="FILE", help="take the answers from a TOML file; - for standard input")
    parser.add_argument("--resume", action="store_true", help="go on with an open visit, or show the last record")
    parser.add_argument("--abandon", action="store_true", help="end an open visit without a record of setup")
    parser.add_argument("--why", metavar="TEXT", help="the reason, needed with --abandon")
    parser.add_argument("--pdf", metavar="OUT", type=Path, help="also write the page a clinic files")
    parser.add_argument("--wait", metavar="S", type=float, default=_WAIT_S, help="seconds to wait for a reading (600)")


def run(arguments: argparse.Namespace) -> int:
    """Conduct a visit, take one up, or end one."""
    options = load(config_path(arguments))
    if arguments.pdf and not arguments.pdf.absolute().parent.is_dir():
        raise NotThere(f"The folder of {arguments.pdf} is not there; make it, or name another.")
    ask = partial(_asked, options)
    try:
        record = _abandoned(ask, arguments) if arguments.abandon else _visited(ask, options, arguments)
    except (EOFError, KeyboardInterrupt) as left:
        complain(_LEFT)
        return _INTERRUPTED if isinstance(left, KeyboardInterrupt) else int(Exit.OK)
    _show(record, arguments)
    return int(Exit.OK)


def _asked(options: Options, question: Body) -> Body:
    """The daemon's answer: a visit needs the daemon, which hears the device and sends its reading."""
    from gateway.control import asked

    answer = asyncio.run(asked(options.buffer.path, question | {"by": operator()}))
    if answer is None:
        raise NotThere("No daemon runs here, and a visit needs it; start it, then go on with --resume.")
    return answer


def _visited(ask: "Ask", options: Options, arguments: argparse.Namespace) -> Body:
    """The setup record at the visit's end; with --resume the last one, where none is under way."""
    from gateway.clock import HubClock
    from gateway.setup.course import LOOK_S, Patience, begun, conducted, the_open

    clock = HubClock()
    script = _script(options, arguments, clock)
    patient = script.patient if script else arguments.patient
    told = None
    if arguments.resume:
        told = the_open(ask({"do": "setup.list", "patient": patient})["open"], script.device_id if script else None)
        if told is None:
            return _last_record(ask, patient)
    source = script or _interview(options, arguments, clock)
    told = told or begun(ask, source, patient or _whom(source))
    patience = Patience(lambda: asyncio.run(clock.sleep(LOOK_S)), clock.monotonic_s, arguments.wait)
    return conducted(ask, source, told, patience)


def _script(options: Options, arguments: argparse.Namespace, clock: "HubClock") -> "Script | None":
    if not arguments.file:
        return None
    from gateway.setup.script import read_script

    return read_script(_text(arguments.file), arguments.file, arguments.patient, clock.now().utc_ms, options.hub.zone)


def _interview(options: Options, arguments: argparse.Namespace, clock: "HubClock") -> "Interview":
    if not sys.stdin.isatty():
        raise BadInput("Answers are typed at a terminal, and this is none; give them with --file.")
    from gateway.setup.interview import Interview, Screen

    screen = Screen(sys.stdin, sys.stderr if arguments.json else sys.stdout)
    return Interview(screen, options.hub.zone, lambda: clock.now().utc_ms)


def _whom(source: "Interview | Script") -> str:
    """The patient's reference, asked until it is one; a file names it."""
    from gateway.manual import patient_reference

    while True:
        try:
            return patient_reference(source.patient)
        except BadInput as error:
            source.refused(error)


def _text(path: str) -> str:
    try:
        if path == "-":
            content = sys.stdin.buffer.read(_FILE_BYTES_MAX + 1)
        else:
            with open(path, "rb") as file:  # noqa: PTH123 -- Path.open would say the same with an import more
                content = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise NotThere(f"The file {path} cannot be read; check its path and that you may read it.") from error
    if len(content) > _FILE_BYTES_MAX:
        raise BadInput(f"The file {path} is larger than any visit; is it the right one?")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"The file {path} is not UTF-8 text.") from error


def _last_record(ask: "Ask", patient: str | None) -> Body:
    if patient is None:
        raise BadInput("No visit is under way; name the patient whose last record is meant.")
    record: Body = ask({"do": "setup.record", "patient": patient})["record"]
    return record


def _abandoned(ask: "Ask", arguments: argparse.Namespace) -> Body:
    from gateway.setup.course import the_open

    told = the_open(ask({"do": "setup.list", "patient": arguments.patient})["open"])
    if told is None:
        raise BadInput("No visit is under way, so there is nothing to abandon.")
    record: Body = ask({"do": "setup.abandon", "visit": told["visit"], "why": arguments.why})["record"]
    return record


def _show(record: Body, arguments: argparse.Namespace) -> None:
    if arguments.pdf and record["state"] == "done":
        from gateway.setup.page import page

        _write(arguments.pdf, page(record))
    if arguments.json:
        print(json.dumps(record, ensure_ascii=False))
        return
    print(f"\n{_sentence(record)}")
    if arguments.pdf and record["state"] == "done":
        print(f"The page to file is in {arguments.pdf}.")


def _sentence(record: Body) -> str:
    if record["state"] == "abandoned":
        return (
            f"The visit for {record['patient']} with {record['device']} is abandoned. What was assigned stays so; "
            "`vitals-gateway unassign` ends it."
        )
    service = record["service"]
    begins = f"service began {service['start']}" if service["begun"] else f"service runs since {service['start']}"
    return (
        f"{record['patient']} is set up with {record['device']}: the backend accepted the test reading at "
        f"{record['test_reading']['accepted_at']}; {service['program']} {begins}. Record {record['record_id'][:12]}."
    )


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and for its owner's eyes."""
    part = path.with_name(f".{path.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        part.replace(path)
    except OSError as error:
        raise NotThere(
            f"The visit is complete, but {path} cannot be written; print it again with --resume --pdf elsewhere."
        ) from error
