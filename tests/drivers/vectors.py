"""Vectors: frames with what they mean and who says so, one TOML file a driver in tests/vectors."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from drivers import vectors
from drivers.vectors import SAMPLE_KEYS, VECTOR_KEYS, seen, wanted

__all__ = ["FOLDER", "NAMES", "Vector", "file_of", "load", "names", "seen", "wanted"]

FOLDER = Path(__file__).parent.parent / "vectors"
NAMES = FOLDER / "names.toml"


@dataclass(frozen=True, kw_only=True)
class Vector(vectors.Vector):
    """A vector of a driver's file."""

    driver: str

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


def _vector(driver: str, row: Mapping[str, Any]) -> Vector:
    where = f"{driver} {row.get('id')}"
    assert row.keys() <= VECTOR_KEYS, f"{where}: {row.keys() - VECTOR_KEYS}"
    assert row["source"], f"{where} names no source"
    assert ("raises" in row) != ("samples" in row), f"{where}: either raises or samples"
    for sample in row.get("samples", []):
        assert sample.keys() <= SAMPLE_KEYS, f"{where}: {sample.keys() - SAMPLE_KEYS}"
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
