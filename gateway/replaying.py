"""A line of a capture as an arrival: the path is a replay's, so every reading of it is synthetic."""

from collections.abc import Callable, Mapping
from typing import Any

from drivers.contract import Driver
from drivers.fields import from_hex
from gateway.core.errors import BadInput, BadValue
from gateway.core.reading import Arrival, Capture, DeviceIdentity, Frame
from gateway.core.time import Instant


def arrival_of(question: Mapping[str, Any], heard: Instant, named: Callable[[str], Driver]) -> Arrival:
    """`driver` with `hex` or `text`, and where known `source`, `topic`, `device`; raises BadInput."""
    driver = named(str(question.get("driver")))
    device = question.get("device")
    return Arrival(
        frame=Frame(_payload(question), question.get("source"), question.get("topic")),
        driver=driver.name,
        heard=heard,
        transport="replay",
        source="replay",
        path=Capture.SYNTHETIC,
        device=DeviceIdentity(id=device) if isinstance(device, str) and device else None,
    )


def _payload(question: Mapping[str, Any]) -> bytes:
    if isinstance(question.get("text"), str):
        return str(question["text"]).encode()
    try:
        return from_hex(str(question.get("hex", "-")))
    except BadValue as error:
        raise BadInput("A frame of a capture is hex digits, or text under the key text.") from error
