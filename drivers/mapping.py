"""
A JSON hub that is described, not programmed: what a mapping file says, as a pure driver.

`config.mapping` reads and checks the file; what is declared here can only name fields. Nothing of a message is kept but
what a path leads to, so a person's name beside a value stays in the frame. Nothing is guessed: a message of no declared
kind, a unit word that is not in the table, a time in another form are refused, and the frame is kept.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from functools import partial
from types import MappingProxyType

from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from drivers.mapping_path import Match, Path, Scalar, Scope, same
from drivers.payload import Node, each_message
from drivers.quantities import mac, measured, unit_missing
from gateway.core.errors import BadValue, UnknownLayout
from gateway.core.observation import Absent, Kind, Observation, Unit, Why
from gateway.core.reading import Capture, Context, DeviceIdentity, Frame, Metric, Origin, Sample
from gateway.core.time import DeviceTime

# What every mapped driver's name begins with, so that no file can take the place of a driver of ours.
PREFIX = "map-"
_OFFSET_S_MAX = 14 * 3600  # UTC+14, Kiribati


class TimeKind(StrEnum):
    """How a hub writes the time of a measurement; every one of these is on the wire somewhere."""

    EPOCH_MS = "epoch_ms"
    EPOCH_S = "epoch_s"
    LOCAL_EPOCH_MS = "local_epoch_ms"  # a wall clock written as if it were UTC
    LOCAL_EPOCH_S = "local_epoch_s"
    RFC3339 = "rfc3339"  # with its offset
    NAIVE_LOCAL = "naive_local"  # RFC 3339 without an offset, by the device's wall clock
    NAIVE_UTC = "naive_utc"  # RFC 3339 without an offset, in UTC
    NONE = "none"


_EPOCHS = (TimeKind.EPOCH_MS, TimeKind.EPOCH_S, TimeKind.LOCAL_EPOCH_MS, TimeKind.LOCAL_EPOCH_S)
LOCAL_KINDS = frozenset({TimeKind.LOCAL_EPOCH_MS, TimeKind.LOCAL_EPOCH_S, TimeKind.NAIVE_LOCAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """
    The time of a measurement.

    offset, offset_s   a field with the offset of a local time from UTC, and how many seconds one of it is
    estimated          the hub's document says, or a field of the message does, that the time may be a guess
    """

    kind: TimeKind
    path: Path | None = None
    offset: Path | None = None
    offset_s: int = 60
    estimated: bool | Match = False

    def read(self, scope: Scope) -> DeviceTime | None:
        """The device's word; raises DecodeError where it is not there or not in the declared form."""
        if self.path is None:
            return None
        found = self._civil(self.path.need(scope))
        offset = self.offset.find(scope) if self.offset else None
        if offset is not None:
            found = replace(found, offset_minutes=self._minutes(offset))
        guessed = self.estimated if isinstance(self.estimated, bool) else self.estimated.marks(scope)
        return replace(found, estimated=True) if guessed else found

    def _civil(self, node: Node) -> DeviceTime:
        if self.kind in _EPOCHS:
            found = node.epoch_ms() if self.kind in (TimeKind.EPOCH_MS, TimeKind.LOCAL_EPOCH_MS) else node.epoch_s()
        else:
            found = node.time()
            if (found.offset_minutes is None) is (self.kind is TimeKind.RFC3339):
                said = "without" if self.kind is TimeKind.RFC3339 else "with"
                raise BadValue(f"The message's {node.path} is a time {said} an offset; the mapping says otherwise.")
        if self.kind in LOCAL_KINDS:
            return replace(found, offset_minutes=None)
        return replace(found, offset_minutes=0) if self.kind is TimeKind.NAIVE_UTC else found

    def _minutes(self, node: Node) -> int:
        seconds = node.numeral() * self.offset_s
        if abs(seconds) > _OFFSET_S_MAX or seconds % 60:
            raise BadValue(f"The message's {node.path} is no offset that exists.")
        return int(seconds) // 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """
    One number and its unit.

    unit        fixed by the maker; None with `unit_path` where it stands in the message; neither: stated nowhere
    spelled     the number may be text
    step        what one of the number is worth, where the hub sends tenths or hundredths
    absent      numbers that stand for "nothing was measured", beside those known for the kind
    instead     words in place of a number ("HI"), and what they say
    """

    path: Path
    kind: Kind
    unit: Unit | None = None
    unit_path: Path | None = None
    units: Mapping[str, Unit] = field(default_factory=lambda: MappingProxyType({}))
    optional: bool = False
    spelled: bool = False
    step: Decimal | None = None
    absent: tuple[Decimal | int, ...] = ()
    instead: Mapping[str, Why] = field(default_factory=lambda: MappingProxyType({}))

    def read(self, scope: Scope) -> Observation | None:
        """What was seen; None for an optional field that is absent or null. Raises DecodeError."""
        node = self.path.find(scope) if self.optional else self.path.need(scope)
        if node is None:
            return None
        if isinstance(node.value, str) and node.value in self.instead:
            return Absent(self.kind, self.instead[node.value])
        if self.unit is None and self.unit_path is None:
            return unit_missing(node, self.kind)
        number = node.numeral() if self.spelled else node.number()
        unit = self.unit_path.need(scope).word(self.units) if self.unit_path else self.unit
        assert unit is not None  # noqa: S101 -- one of the two is there, see above
        if number in self.absent:
            return Absent(self.kind, Why.NOT_AVAILABLE)
        return measured(self.kind, number if self.step is None else number * self.step, unit)


@dataclass(frozen=True, slots=True)
class Word:
    """A word for the status of a reading; said always where there is no `match`."""

    word: str
    match: Match | None = None

    def said(self, scope: Scope) -> bool:
        """Whether the message says it."""
        return self.match is None or self.match.marks(scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """One sort of record: how it is known, and what it holds. One that is passed over holds nothing."""

    when: tuple[Match, ...] = ()
    values: tuple[Value, ...] = ()
    words: tuple[Word, ...] = ()
    metric: Metric = Metric.PHYSIOLOGIC
    passed_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """
    How a value came to be, as the file states it.

    base     what an unmarked value, or one marked as the device's own, is: UNKNOWN unless the file says with a reason
             that the channel carries device values, or marks them
    marks    the vendor's words, each with what it says; any other word, and none, is UNKNOWN
    """

    base: Capture = Capture.UNKNOWN
    path: Path | None = None
    marks: tuple[tuple[Scalar, Capture], ...] = ()

    def read(self, scope: Scope) -> tuple[Capture, tuple[str, str] | None]:
        """The capture and the mark behind it; a word that is not in the file is not repeated."""
        if self.path is None:
            return self.base, None
        found = self.path.find(scope)
        if found is None:
            return Capture.UNKNOWN, (self.path.text, "absent")
        for word, capture in self.marks:
            if same(found.value, word):
                return self.base if capture is Capture.DEVICE else capture, (self.path.text, _spelled(word))
        return Capture.UNKNOWN, (self.path.text, "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Where a record names its device. `bluetooth` writes addresses one way, so that one device has one identity."""

    namespace: str
    id: Path
    bluetooth: bool = False
    manufacturer: Path | None = None
    model: Path | None = None
    serial: Path | None = None
    firmware: Path | None = None
    hub: Path | None = None

    def read(self, scope: Scope) -> DeviceIdentity:
        """Which device sent it; raises DecodeError."""
        return DeviceIdentity(
            id=f"{self.namespace}:{self._written(self.id.need(scope))}",
            manufacturer=_text(self.manufacturer, scope),
            model=_text(self.model, scope),
            serial=_text(self.serial, scope),
            firmware=_text(self.firmware, scope),
        )

    def relay(self, scope: Scope) -> str | None:
        """The hub that relayed it."""
        found = self.hub.find(scope) if self.hub else None
        return None if found is None else self._written(found)

    def _written(self, node: Node) -> str:
        return mac(node.identifier()) if self.bluetooth else node.identifier()


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """Everything a mapping file declares about messages."""

    identity: Identity
    time: When
    sorts: tuple[Sort, ...]
    records: Path | None = None
    event: Path | None = None
    slot: Path | None = None
    stored: Match | None = None
    test: Match | None = None
    control: Match | None = None
    trust: Trust = Trust()
    technical: tuple[tuple[str, Path], ...] = ()
    ignore: tuple[tuple[Match, ...], ...] = ()

    def decode(self, frame: Frame) -> tuple[Sample, ...]:
        """Every sample of a payload that is one message or a list of them; raises DecodeError."""
        levels = [] if frame.topic is None else frame.topic.split("/")
        return each_message(frame, partial(self._message, topic=Node(levels, key="@topic")))

    def _message(self, root: Node, topic: Node) -> tuple[Sample, ...]:
        whole = Scope(root, root, topic)
        if any(all(match.holds(whole) for match in row) for row in self.ignore):
            return ()
        if self.records is None:
            return tuple(self._samples(whole))
        records = list(self.records.need(whole).each())
        if not records:
            raise UnknownLayout(f"The message's {self.records.text} is an empty list.")
        return tuple(sample for record in records for sample in self._samples(Scope(record, root, topic)))

    def _samples(self, scope: Scope) -> Iterator[Sample]:
        sort = next((sort for sort in self.sorts if all(match.holds(scope) for match in sort.when)), None)
        if sort is None:
            raise UnknownLayout("The message is of no kind that the mapping describes.")
        if not sort.passed_over:
            yield self._sample(sort, scope)

    def _sample(self, sort: Sort, scope: Scope) -> Sample:
        capture, marker = self.trust.read(scope)
        number = self.event.need(scope) if self.event else None
        slot = self.slot.find(scope) if self.slot else None
        stored = self.stored is not None and self.stored.marks(scope)
        return Sample(
            device=self.identity.read(scope),
            hub=self.identity.relay(scope),
            message_id=None if number is None else number.identifier(),
            slot=None if slot is None else slot.slot(),
            device_time=self.time.read(scope),
            origin=Origin.STORED if stored else Origin.LIVE,
            context=self._context(scope),
            observations=_observations(sort, scope),
            status=tuple(word.word for word in sort.words if word.said(scope)),
            metric=sort.metric,
            capture=capture,
            marker=marker,
            technical=tuple(_technical(self.technical, scope)),
        )

    def _context(self, scope: Scope) -> Context:
        if self.test is not None and self.test.marks(scope):
            return Context.TEST
        return Context.CONTROL if self.control is not None and self.control.marks(scope) else Context.NORMAL


def _observations(sort: Sort, scope: Scope) -> tuple[Observation, ...]:
    read = [seen for value in sort.values if (seen := value.read(scope)) is not None]
    if sort.values and not read:
        raise UnknownLayout("The message holds none of the values its kind is described with.")
    if len({seen.kind for seen in read}) < len(read):
        raise BadValue("The message holds one value under two names.")
    return tuple(read)


def _technical(rows: Iterable[tuple[str, Path]], scope: Scope) -> Iterator[tuple[str, str]]:
    """Battery, signal and the like: plain numbers only; anything else refuses no reading."""
    for name, path in rows:
        found = path.glance(scope)
        try:
            text = None if found is None else format(found.numeral(), "f")
        except BadValue:
            continue
        if text is not None:
            yield name, text


def _text(path: Path | None, scope: Scope) -> str | None:
    found = path.find(scope) if path else None
    return None if found is None else found.identifier()


def _spelled(word: Scalar) -> str:
    return str(word).lower() if isinstance(word, bool) else str(word)


def driver_of(
    mapping: Declared, name: str, *, version: int, documented: str, models: tuple[str, ...], repeat_s: int
) -> Driver:
    """The driver of a mapping; it decodes and refuses like any other."""
    kinds = [value.kind.modality for sort in mapping.sorts for value in sort.values]
    return Driver(
        name=name,
        version=version,
        link=Link.MQTT,
        form=Form.TEXT,
        sources={PAYLOAD: mapping.decode},
        models=models,
        reads=tuple(dict.fromkeys(kinds)),
        grade=Grade.C,
        documented=documented,
        repeat_s=repeat_s,
    )
