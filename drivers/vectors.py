"""
Frames with what they mean and who says so: how a driver or a mapping is held to its source.

The words are those of tests/vectors and of `[[vector]]` in a mapping file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drivers.contract import Driver, Form
from drivers.fields import from_hex
from gateway.core.errors import DecodeError
from gateway.core.reading import Frame, Sample

DEFAULTS = {"kind": "reading", "context": "normal", "origin": "live", "quality": "ok"}
VECTOR_KEYS = frozenset({"id", "source", "origin", "notes", "from", "topic", "frame", "raises", "samples"})
SAMPLE_KEYS = frozenset(
    {"measured", "absent", "time", "estimated", "status", "device", "hub", "message_id", "slot", "metric", "capture"}
    | {"marker"}
    | DEFAULTS.keys()
)


@dataclass(frozen=True, slots=True)
class Vector:
    """One frame, what it must decode to (or the name of the error it raises), and whose word that is."""

    id: str
    source: str
    frame: str
    format: str | None = None
    topic: str | None = None
    raises: str | None = None
    samples: tuple[Mapping[str, Any], ...] = ()

    def as_frame(self, driver: Driver) -> Frame:
        """The frame as the driver is given it."""
        payload = from_hex(self.frame) if driver.form is Form.HEX else self.frame.encode()
        return Frame(payload, self.format, self.topic)


def seen(sample: Sample, said: Mapping[str, Any]) -> dict[str, Any]:
    """The sample in the vector's own words: what always counts, and what the vector speaks of."""
    always = {
        "measured": {o.kind.code: f"{o.text} {o.unit}" for o in sample.measured},
        "absent": {o.kind.code: o.why.value for o in sample.absent},
        "time": sample.device_time.text if sample.device_time else None,
        "estimated": bool(sample.device_time and sample.device_time.estimated),
        **{name: getattr(sample, name).value for name in DEFAULTS},
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
    """What a vector says of a sample, with what goes without saying."""
    return {"measured": {}, "absent": {}, "time": None, "estimated": False, **DEFAULTS, **said}


def difference(driver: Driver, vector: Vector) -> str | None:
    """How the driver departs from the vector, in one sentence; None where it does not."""
    try:
        samples = driver.decode(vector.as_frame(driver))
    except DecodeError as error:
        if vector.raises == type(error).__name__:
            return None
        return f"refused with {type(error).__name__}: {error}"
    if vector.raises is not None:
        return f"decoded, where the vector says {vector.raises}."
    if len(samples) != len(vector.samples):
        return f"gave {len(samples)} samples, where the vector says {len(vector.samples)}."
    for number, (sample, said) in enumerate(zip(samples, vector.samples, strict=True)):
        found, due = seen(sample, said), wanted(said)
        for key in sorted(due.keys() | found.keys()):
            if found.get(key) != due.get(key):
                return f"samples[{number}].{key} is {found.get(key)}, where the vector says {due.get(key)}."
    return None
