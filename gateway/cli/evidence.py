"""`evidence`: the audit packet of a patient and period, and its check."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from config.load import load
from config.rules import profiles
from gateway.cli import complain, config_path
from gateway.cli.ask import answer_of
from gateway.cli.days import add_scope, scope_question
from gateway.cli.who import operator
from gateway.core.errors import BadInput, Exit, NotThere

_EXAMPLES = """\
A packet holds each reading of the period with its frame and its place in the hub's chain of records, the day ledger
with reasons, devices, assignments, enrolment and setup, technical issues, clock and access log. The JSON is the packet:
it can be verified, and `vitals-gateway assess` reads it. PDF and CSV (a zip of two tables) are made from it for people.

  vitals-gateway evidence export pt-8842 --period 1 --out march.json
  vitals-gateway evidence export pt-8842 --period 1 --format pdf --out march.pdf
  vitals-gateway evidence verify march.json"""
_BYTES_MAX = 64 * 1024 * 1024
_ENDINGS = {"json": "json", "pdf": "pdf", "csv": "zip"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = _EXAMPLES
    parts = parser.add_subparsers(dest="part", metavar="export | verify", required=True)
    export = parts.add_parser("export", help="make a packet")
    add_scope(export)
    export.add_argument("--format", choices=sorted(_ENDINGS), default="json", help="json (the packet), pdf or csv")
    export.add_argument("--out", metavar="FILE", help="where to; - for standard output (default for json)")
    export.add_argument("--json", action="store_true", help="the same as --format json")
    verify = parts.add_parser("verify", help="check a packet from its file alone")
    verify.add_argument("file", metavar="FILE", help="a packet in JSON; - for standard input")
    verify.add_argument("--key", metavar="HEX", help="the hub's public key, where it must be this one")
    verify.add_argument("--json", action="store_true", help="one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Export or verify."""
    return _export(arguments) if arguments.part == "export" else _verify(arguments)


def _export(arguments: argparse.Namespace) -> int:
    question = {"do": "evidence", **scope_question(arguments), "operator": operator()}
    answer = answer_of(load(config_path(arguments)), question)
    if "not_logged" in answer:
        complain(answer["not_logged"])
    packet = answer["packet"]
    wanted = "json" if arguments.json else arguments.format
    content = _written(packet, wanted)
    name = arguments.out or ("-" if wanted == "json" else f"{packet['patient']}-{_span(packet)}.{_ENDINGS[wanted]}")
    if name == "-":
        sys.stdout.buffer.write(content)
    else:
        _write(Path(name), content)
        print(f"Written to {name}: {len(packet['transmissions'])} readings, period {_span(packet)}.")
    return 0


def _span(packet: dict[str, Any]) -> str:
    period = packet["assessment"]["period"]
    return f"{packet['packet']['program']}-{period['start']}"


def _written(packet: dict[str, Any], wanted: str) -> bytes:
    if wanted == "pdf":
        from gateway.evidence.pages import pdf  # the PDF writer, only where a page is asked for

        return pdf(packet)
    if wanted == "csv":
        from gateway.evidence.tables import zipped

        return zipped(packet)
    return json.dumps(packet, ensure_ascii=False, indent=1).encode() + b"\n"


def _write(path: Path, content: bytes) -> None:
    """To a file that belongs to its maker alone: it holds what belongs to a patient."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as out:
            out.write(content)
    except OSError as error:
        raise NotThere(f"The file {path} cannot be written; check its folder, or name another with --out.") from error


def _verify(arguments: argparse.Namespace) -> int:
    from gateway.evidence.verify import verified

    found = verified(_content(arguments.file), profiles())
    altered = found.altered or _other_key(arguments.key, found.signed_by)
    if arguments.json:
        told = {"altered": altered, "records": found.records, "linked": found.linked, "signed_by": found.signed_by}
        print(json.dumps({"ok": altered is None, **told}))
    elif altered is None:
        signed = f"signed by {found.signed_by}" if found.signed_by else "sealed, not signed"
        print(
            f"Nothing was altered: {found.records} records and {found.linked} links of others, chain, counts and seal "
            f"hold; {signed}."
        )
    if altered is not None and not arguments.json:
        complain(altered)
    return int(Exit.OK if altered is None else Exit.DATA)


def _other_key(wanted: str | None, found: str | None) -> str | None:
    if wanted is None or wanted.lower() == found:
        return None
    return "The packet is not signed with the key given: it comes from another hub, or was signed anew."


def _content(path: str) -> bytes:
    try:
        if path == "-":
            content = sys.stdin.buffer.read(_BYTES_MAX + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        raise NotThere(f"The file {path} cannot be read; check its path and that you may read it.") from error
    if len(content) > _BYTES_MAX:
        raise BadInput(f"The file is larger than {_BYTES_MAX // 2**20} MiB and no packet of one period.")
    return content
