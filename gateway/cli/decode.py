"""`decode`: frames to samples, without hub or configuration."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from drivers import registry
from drivers.contract import Driver, Form
from drivers.fields import from_hex
from gateway.cli import complain
from gateway.core.errors import DecodeError, Exit, NotThere
from gateway.core.reading import Frame
from gateway.core.sample_json import refusal_json, samples_json

_EXAMPLES = """\
One frame a line in: hex, or the payload itself for hubs that send JSON. One JSON line a frame out.
A refused frame gives {"error": ...}; the rest is still decoded, and the exit code is 65.

  vitals-gateway decode --driver ble-blood-pressure --hex 1e80005000...
  mosquitto_sub -t 'stel/#' | vitals-gateway decode --driver stel -

A hub without a driver is described in a file (docs/mapping.md); --check runs the frames that stand in it.

  mosquitto_sub -t 'hub/#' | vitals-gateway decode --mapping hub.toml -
  vitals-gateway decode --mapping hub.toml --check"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = _EXAMPLES
    reader = parser.add_mutually_exclusive_group(required=True)
    reader.add_argument("--driver", metavar="NAME", help="one of `vitals-gateway drivers`")
    reader.add_argument("--mapping", metavar="FILE", type=Path, help="a file that describes a hub's JSON")
    parser.add_argument("--source", metavar="S", help="the characteristic or format, where the driver reads several")
    parser.add_argument("--topic", metavar="TOPIC", help="the MQTT topic the payload came on")
    parser.add_argument("--json", action="store_true", help="the output is JSON in any case")
    given = parser.add_mutually_exclusive_group()
    given.add_argument("--hex", metavar="HEX", help="one frame in hex digits")
    given.add_argument("--file", metavar="PATH", type=Path, help="a file with one frame a line")
    given.add_argument("--check", action="store_true", help="with --mapping: decode the file's own vectors")
    given.add_argument("stdin", nargs="?", choices=["-"], help="frames from standard input (the default)")


def run(arguments: argparse.Namespace) -> int:
    """Decode every line; 65 when any was refused."""
    if arguments.check:
        return _checked(arguments.mapping)
    try:
        driver = _driver(arguments)
    except NotThere as error:
        complain(str(error))
        return int(Exit.USAGE)
    if wrong := _wrong_source(driver, arguments.source):
        complain(wrong)
        return int(Exit.USAGE)
    refused = False
    for line in _lines(arguments):
        answer = _decoded(driver, line, arguments)
        refused = refused or "error" in answer
        print(json.dumps(answer, ensure_ascii=False), flush=True)
    return int(Exit.DATA if refused else Exit.OK)


def _driver(arguments: argparse.Namespace) -> Driver:
    if arguments.mapping is None:
        return registry.named(arguments.driver)
    from config.mapping import load_mapping

    return load_mapping(arguments.mapping).driver


def _checked(mapping: Path | None) -> int:
    """Whether a mapping reads its vectors as they say; one JSON line each."""
    if mapping is None:
        complain("--check looks at the vectors of a mapping file; name it with --mapping.")
        return int(Exit.USAGE)
    from config.mapping import load_mapping
    from drivers.vectors import difference

    mapped = load_mapping(mapping)
    if not mapped.vectors:
        complain("The mapping holds no vectors; add a [[vector]] with a frame and what it means.")
        return int(Exit.DATA)
    found = {vector.id: difference(mapped.driver, vector) for vector in mapped.vectors}
    for name, wrong in found.items():
        print(json.dumps({"vector": name, "ok": wrong is None, **({"difference": wrong} if wrong else {})}))
    return int(Exit.DATA if any(found.values()) else Exit.OK)


def _decoded(driver: Driver, line: bytes, arguments: argparse.Namespace) -> dict[str, object]:
    try:
        as_hex = arguments.hex is not None or driver.form is Form.HEX
        payload = from_hex(line.decode("ascii", "replace")) if as_hex else line
        return samples_json(driver.decode(Frame(payload, arguments.source, arguments.topic)))
    except DecodeError as error:
        return refusal_json(error)


def _wrong_source(driver: Driver, source: str | None) -> str | None:
    known = ", ".join(driver.sources)
    if source is None:
        return f"{driver.name} reads several formats; add --source with one of {known}." * (len(driver.sources) > 1)
    if source not in driver.sources:
        return f"{driver.name} does not read a source of that name; it reads {known}."
    return None


def _lines(arguments: argparse.Namespace) -> Iterator[bytes]:
    if arguments.hex is not None:
        yield arguments.hex.encode()
        return
    try:
        # bytes, never str.splitlines: a JSON text may hold U+2028, which is no end of a frame
        with arguments.file.open("rb") if arguments.file else nullcontext(sys.stdin.buffer) as frames:
            # one at a time: `mosquitto_sub` never comes to an end
            for line in frames:
                yield line.removesuffix(b"\n").removesuffix(b"\r")
    except OSError as error:
        raise NotThere(f"The file {arguments.file} cannot be read; check its path.") from error
