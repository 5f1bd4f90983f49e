"""Vectors: frames with what they mean and who says so, one TOML file a driver in tests/vectors."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from drivers.contract import Driver, Form
from drivers.fields import from_hex
from gateway.core.reading import Frame, Sample

FOLDER = Path(__file__).parent.parent / "vectors"
NAMES = FOLDER / "names.toml"

_VECTOR_KEYS = frozenset({"id", "source", "origin", "notes", "from", "topic", "frame", "raises", "samples"})
_DEFAULTS = {"kind": "reading", "context": "normal", "origin": "live", "quality": "ok"}
_SAMPLE_KEYS = frozenset(
    {"measured", "absent", "time", "estimated", "status", "device", "hub", "message_id", "slot", "metric", "capture"}
    | {"marker"}
    | _DEFAULTS.keys()
)


@dataclass(frozen=True)
class Vector:
    """One frame, what it must decode to, and whose word that is."""

    driver: str
    id: str
    source: str
    frame: str
    format: str | None
    topic: str | None
    raises: str | None
    samples: tuple[Mapping[str, Any], ...]

    def as_frame(self, driver: Driver) -> Frame:
        payload = from_hex(self.frame) if driver.form is Form.HEX else self.frame.encode()
        return Frame(payload, self.format, self.topic)

    @property
    def is_foreign(self) -> bool:
        """Whether somebody other than this project says what the frame means."""
        return not self.source.startswith(("derived from", "encoded by"))


def file_of(driver: str) -> Path:
    return FOLDER / f"{driver.replace('-', '_')}.toml"


@cache
def load(driver: str) -> tuple[Vector, ...]:
    path = file_of(driver)
    if not path.exists():
        return ()
    document = tomllib.loads(path.read_text("utf-8"))
    assert document["driver"] == driver, f"{path.name} is for {document['driver']}"
    return tuple(_vector(driver, row) for row in document["vector"])


def names() -> tuple[tuple[str, str | None], ...]:
    rows = tomllib.loads(NAMES.read_text("utf-8"))["name"]
    return tuple((row["driver"], row.get("source")) for row in rows)


def seen(sample: Sample, said: Mapping[str, Any]) -> dict[str, Any]:
    """The sample in the vector's own words: what always counts, and what the vector speaks of."""
    always = {
        "measured": {o.kind.code: f"{o.text} {o.unit}" for o in sample.measured},
        "absent": {o.kind.code: o.why.value for o in sample.absent},
        "time": sample.device_time.text if sample.device_time else None,
        "estimated": bool(sample.device_time and sample.device_time.estimated),
        **{name: getattr(sample, name).value for name in _DEFAULTS},
    }
    spoken = {
        "status": list(sample.status),
        "device": sample.device.id if sample.device else None,
        "hub": sample.hub,
        "message_id": sample.message_id,
        "slot": sample.slot,
        "metric": sample.metric.value,
        "capture": sample.capture.value,
        "marker": list(sample.marker) if sample.marker else None,
    }
    return always | {name: value for name, value in spoken.items() if name in said}


def wanted(said: Mapping[str, Any]) -> dict[str, Any]:
    return {"measured": {}, "absent": {}, "time": None, "estimated": False, **_DEFAULTS, **said}


def _vector(driver: str, row: Mapping[str, Any]) -> Vector:
    where = f"{driver} {row.get('id')}"
    assert row.keys() <= _VECTOR_KEYS, f"{where}: {row.keys() - _VECTOR_KEYS}"
    assert row["source"], f"{where} names no source"
    assert ("raises" in row) != ("samples" in row), f"{where}: either raises or samples"
    for sample in row.get("samples", []):
        assert sample.keys() <= _SAMPLE_KEYS, f"{where}: {sample.keys() - _SAMPLE_KEYS}"
    return Vector(
        driver=driver,
        id=row["id"],
        source=row["source"],
        frame=row["frame"],
        format=row.get("from"),
        topic=row.get("topic"),
        raises=row.get("raises"),
        samples=tuple(row.get("samples", [])),
    )
