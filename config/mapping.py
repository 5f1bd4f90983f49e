"""
A mapping file to a driver: a JSON hub described in TOML. Checked whole, with every mistake at once and its line.

docs/mapping.md explains every key. Nothing in the file is run: it names fields, words, units and kinds.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from config import mapping_checks as checks
from config.mapping_checks import ROWS_MAX
from config.section import Lines, Section
from drivers.contract import Driver
from drivers.mapping import LOCAL_KINDS, PREFIX, Declared, Identity, Sort, TimeKind, Trust, Value, When, Word, driver_of
from drivers.mapping_path import Match, Start, read_path
from drivers.mapping_path import Path as Field
from drivers.vectors import Vector
from gateway.core.errors import ConfigInvalid
from gateway.core.observation import ONE, Kind, Unit
from gateway.core.reading import Capture, Metric

# A file larger than this describes no hub; frames in its vectors included.
FILE_BYTES_MAX = 1_048_576
# What stands where a mistake was noted; never asked, since nothing is made of a file with mistakes.
_NOWHERE = Field("", Start.RECORD, ())
_NO_KIND = Kind("", "")
_OFFSET_UNITS = {"seconds": 1, "minutes": 60, "hours": 3600}
_NOT_STATED = "not_stated"
_CAPTURES = {
    "device": Capture.DEVICE,
    "manual_patient": Capture.MANUAL_PATIENT,
    "manual_staff": Capture.MANUAL_STAFF,
    "photo_ocr": Capture.PHOTO_OCR,
    "synthetic": Capture.SYNTHETIC,
}


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a mapping file gives: a driver, and the frames that show it does what its source says."""

    driver: Driver
    vectors: tuple[Vector, ...]


def load_mapping(path: Path) -> Mapped:
    """Read a mapping file; raises ConfigInvalid with every mistake in it, each with the file and the line."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigInvalid([f"The mapping {path} cannot be read; check its path and rights."]) from error
    if len(content) > FILE_BYTES_MAX:
        raise ConfigInvalid([f"The mapping {path} is larger than {FILE_BYTES_MAX} bytes; keep fewer vectors in it."])
    try:
        return parse_mapping(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigInvalid([f"The mapping {path} is not UTF-8 text."]) from error
    except ConfigInvalid as error:
        raise ConfigInvalid([f"{path}: {mistake}" for mistake in error.mistakes]) from error


def parse_mapping(text: str) -> Mapped:
    """A mapping from TOML text; raises ConfigInvalid."""
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, ArithmeticError, RecursionError) as error:
        raise ConfigInvalid([f"This is not TOML: {error}."]) from error
    mistakes: list[str] = []
    top = Section(document, "", Lines(text), mistakes)
    name = top.get("driver", checks.driver_name, required=True) or PREFIX
    version = top.whole("version", 1, most=10**6)
    documented = top.text("documented", required=True)
    models = top.get("models", checks.texts) or ()
    repeat_s = top.whole("repeat_s", 0, least=0, most=86_400)
    declared = _declared(top, name.removeprefix(PREFIX))
    vectors = tuple(_vector(table) for table in top.tables("vector"))
    top.end()
    if mistakes or declared is None:
        raise ConfigInvalid(mistakes)
    driver = driver_of(declared, name, version=version, documented=documented, models=models, repeat_s=repeat_s)
    return Mapped(driver, vectors)


def _declared(top: Section, namespace: str) -> Declared | None:
    identity = _identity(top, namespace)
    time = _time(top)
    event = top.table("event")
    declared = Declared(
        identity=identity,
        time=time,
        sorts=tuple(_sorts(top)),
        records=_field(top, "records"),
        event=_field(event, "id") if event else None,
        slot=_field(event, "slot") if event else None,
        stored=_match_in(event, "stored"),
        test=_match_in(event, "test"),
        control=_match_in(event, "control"),
        trust=_trust(top),
        technical=tuple(_technical(top)),
        ignore=tuple(_ignored(top)),
    )
    if event:
        event.end()
    return declared


def _identity(top: Section, namespace: str) -> Identity:
    table = top.table("device")
    if table is None:
        top.wrong("device", "is missing; begin it with [device]")
        return Identity(namespace=namespace, id=_NOWHERE)
    identity = Identity(
        namespace=table.get("namespace", checks.namespace, namespace) or namespace,
        id=_field(table, "id", required=True) or _NOWHERE,
        bluetooth=table.choice("form", ("text", "bluetooth"), "text") == "bluetooth",
        manufacturer=_field(table, "manufacturer"),
        model=_field(table, "model"),
        serial=_field(table, "serial"),
        firmware=_field(table, "firmware"),
        hub=_field(table, "hub"),
    )
    table.end()
    return identity


def _time(top: Section) -> When:
    table = top.table("time")
    if table is None:
        top.wrong("time", 'is missing; begin it with [time], and say kind = "none" where the hub sends no time')
        return When(kind=TimeKind.NONE)
    kind = TimeKind(table.choice("kind", tuple(kind.value for kind in TimeKind), "none", required=True) or "none")
    path, offset = _field(table, "path"), _field(table, "offset")
    offset_in = table.choice("offset_in", tuple(_OFFSET_UNITS))
    estimated = table.flag("estimated")
    guess = _match_in(table, "estimated_where")
    if (path is None) is not (kind is TimeKind.NONE):
        table.wrong("path", 'is missing; or say kind = "none"' if path is None else 'stands beside kind = "none"')
    if offset is not None and kind not in LOCAL_KINDS:
        table.wrong("offset", "belongs to a local time; this kind has its own")
    if (offset is None) is not (offset_in is None):
        table.wrong("offset", 'needs offset and offset_in = "seconds", "minutes" or "hours" together')
    table.end()
    return When(
        kind=kind, path=path, offset=offset, offset_s=_OFFSET_UNITS.get(offset_in, 60), estimated=guess or estimated
    )


def _trust(top: Section) -> Trust:
    table = top.table("capture")
    if table is None:
        return Trust()
    channel = table.choice("channel", ("device_only", "device_marked"))
    reason = table.text("reason")
    path = _field(table, "path")
    marks = tuple(
        (word, capture) for key, capture in _CAPTURES.items() for word in table.get(key, checks.scalars) or ()
    )
    if channel and not reason:
        table.wrong("reason", "is missing; say which document shows that these values come from the device")
    if channel == "device_marked" and not any(capture is Capture.DEVICE for _, capture in marks):
        table.wrong("device", "is missing; list the words by which the vendor marks a device's own value")
    if marks and path is None:
        table.wrong("path", "is missing; it leads to the vendor's mark")
    if len({(type(word), word) for word, _ in marks}) < len(marks):
        table.wrong("", "holds one word twice; each says one thing")
    table.end()
    return Trust(base=Capture.DEVICE if channel else Capture.UNKNOWN, path=path, marks=marks)


def _sorts(top: Section) -> Iterator[Sort]:
    tables = top.tables("reading")
    if not tables:
        top.wrong("reading", "is missing; describe at least one with [[reading]]")
    if len(tables) > ROWS_MAX:
        top.wrong("reading", f"stands more than {ROWS_MAX} times")
    for number, table in enumerate(tables):
        sort = _sort(table)
        if not sort.when and number < len(tables) - 1:
            table.wrong("when", "is missing; only the last [[reading]] may go without, for those below are never asked")
        yield sort


def _sort(table: Section) -> Sort:
    sort = Sort(
        when=tuple(_match(row) for row in table.tables("when")),
        values=tuple(_values(table)),
        words=tuple(_words(table)),
        metric=Metric(table.choice("metric", ("physiologic", "therapeutic"), "physiologic") or "physiologic"),
        passed_over=table.flag("ignore"),
    )
    if sort.passed_over is bool(sort.values or (sort.metric is Metric.THERAPEUTIC and sort.words)):
        what = "ignores what it describes" if sort.passed_over else "holds nothing; add [[reading.value]]"
        table.wrong("", f"{what}, or say ignore = true alone")
    fixed = [value.kind for value in sort.values if not value.optional]
    if len(set(fixed)) < len(fixed):
        table.wrong("value", "has one kind twice; a reading holds each once, under another name only if optional")
    table.end()
    return sort


def _values(reading: Section) -> Iterator[Value]:
    for table in reading.tables("value"):
        kind, fitting = table.get("of", checks.kind, required=True) or (_NO_KIND, (ONE,))
        unit, unit_path, units = _unit(table, fitting)
        yield Value(
            path=_field(table, "path", required=True) or _NOWHERE,
            kind=kind,
            unit=unit,
            unit_path=unit_path,
            units=units,
            optional=table.flag("optional"),
            spelled=table.flag("spelled"),
            step=table.get("step", checks.step),
            absent=table.get("absent", checks.numbers) or (),
            instead=table.get("instead", checks.instead) or {},
        )
        table.end()


def _unit(table: Section, fitting: tuple[Unit, ...]) -> tuple[Unit | None, Field | None, dict[str, Unit]]:
    fixed = table.get("unit", lambda value: checks.one_of(value, (*fitting, _NOT_STATED)))
    path = _field(table, "unit_path")
    units = table.get("units", lambda value: checks.unit_words(value, fitting)) or {}
    if table.has("unit") is table.has("unit_path"):
        table.wrong("unit", 'is needed once: unit, or unit_path with units; unit = "not_stated" where nobody says')
    if table.has("unit_path") is not table.has("units"):
        table.wrong("units", "needs unit_path and units together: where the word stands, and what each word means")
    return (None if fixed == _NOT_STATED else fixed), path, units


def _words(reading: Section) -> Iterator[Word]:
    for table in reading.tables("status"):
        word = table.get("word", checks.status_word, required=True) or "unnamed"
        match = _match(table, ends=False) if table.has("path") else None
        table.end()
        yield Word(word, match)


def _technical(top: Section) -> Iterator[tuple[str, Field]]:
    for table in top.tables("technical"):
        name, path = table.get("name", checks.status_word, required=True), _field(table, "path", required=True)
        table.end()
        if name and path:
            yield name, path


def _ignored(top: Section) -> Iterator[tuple[Match, ...]]:
    for table in top.tables("ignore"):
        rows = tuple(_match(row) for row in table.tables("when"))
        if not rows:
            table.wrong("when", "is missing; say which messages are passed over")
        if any(row.path.start is Start.RECORD and top.has("records") for row in rows):
            table.wrong("when", "looks at whole messages: begin its paths with $. or @topic")
        table.end()
        yield rows


def _match_in(table: Section | None, key: str) -> Match | None:
    inner = table.table(key) if table else None
    return None if inner is None else _match(inner, needs_words=True)


def _match(table: Section, *, ends: bool = True, needs_words: bool = False) -> Match:
    path = _field(table, "path", required=True) or _NOWHERE
    equals = table.get("equals", checks.scalars) or ()
    present = table.flag("present", default=True) if ends and not needs_words else True
    if ends and not needs_words:
        if table.has("equals") is table.has("present"):
            table.wrong("equals", "is needed, or present = true or false; one of the two")
    elif not table.has("equals"):
        table.wrong("equals", "is missing")
    if ends:
        table.end()
    return Match(path, equals, present)


def _vector(table: Section) -> Vector:
    raises, has_samples = table.get("raises", checks.error_name), table.has("samples")
    vector = Vector(
        id=table.text("id", required=True),
        source=table.text("source", required=True),
        frame=table.get("frame", checks.frame, required=True) or "",
        topic=table.get("topic", checks.frame),
        raises=raises,
        samples=tuple(table.get("samples", checks.samples) or ()),
    )
    for spare in ("origin", "notes"):
        table.has(spare)
    if has_samples is table.has("raises"):
        table.wrong("samples", "is needed, or raises; one of the two")
    table.end()
    return vector


def _field(table: Section | None, key: str, *, required: bool = False) -> Field | None:
    return table.get(key, read_path, required=required) if table else None
