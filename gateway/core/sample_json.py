"""A decoded frame as the one JSON line that `decode` prints for it."""

from collections.abc import Sequence
from typing import Any

from gateway.core.errors import DecodeError
from gateway.core.reading import DeviceIdentity, Sample, absent_json, observations_json


def samples_json(samples: Sequence[Sample]) -> dict[str, Any]:
    """What a driver read from one frame."""
    return {"samples": [sample_json(sample) for sample in samples]}


def refusal_json(error: DecodeError) -> dict[str, Any]:
    """Why a frame was refused: the kind of error and its one plain sentence."""
    return {"error": {"kind": type(error).__name__, "message": str(error)}}


def sample_json(sample: Sample) -> dict[str, Any]:
    """One sample; `device_time` as the device's clock said it, or null."""
    return {
        "kind": sample.kind.value,
        "context": sample.context.value,
        "origin": sample.origin.value,
        "device_time": sample.device_time.text if sample.device_time else None,
        "device": _device_json(sample.device, sample.hub),
        "message_id": sample.message_id,
        "slot": sample.slot,
        "observations": observations_json(sample),
        "absent": absent_json(sample),
        "status": list(sample.status),
        "quality": sample.quality.value,
    }


def _device_json(device: DeviceIdentity | None, hub: str | None) -> dict[str, str]:
    """What the frame says of the device and of the hub that relayed it; empty where it says nothing."""
    if device is None:
        return {} if hub is None else {"hub": hub}
    said = {
        "id": device.id,
        "manufacturer": device.manufacturer,
        "model": device.model,
        "serial": device.serial,
        "firmware": device.firmware,
        "udi_di": device.udi_di,
        "hub": hub,
    }
    return {name: text for name, text in said.items() if text is not None}
