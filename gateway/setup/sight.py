"""
What was heard of a device: that it is paired, the test reading, and the backend's receipt for it.

Nobody is asked for any of this, and none of it can be typed in: it is read from the records the hub kept.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from buffer.rows import Entry
from gateway.core.batch import State
from gateway.core.time import utc_text

_VALUES = ("reading", "alert_with_value")


@dataclass(frozen=True, slots=True)
class Heard:
    """A device as it was heard: when, by which driver, and what it said it is."""

    received_at: str
    driver: str
    transport: str
    manufacturer: str | None
    model: str | None
    serial: str | None
    firmware: str | None
    udi_di: str | None

    def as_json(self) -> dict[str, Any]:
        """For a record or an answer."""
        return asdict(self)


def heard_in(record: Mapping[str, Any]) -> Heard:
    """What a reading's record tells of its device."""
    device = record["device"]
    told = (device[key] for key in ("manufacturer", "model", "serial", "firmware", "udi_di"))
    return Heard(record["received_at"], device["driver"], record["transport"], *told)


@dataclass(slots=True)
class Sight:
    """
    What a visit has seen so far.

    seq         looked through up to here
    heard       None while the device was not heard
    candidates  record ids that may be the test reading, oldest first
    receipt     the test reading with the backend's acceptance, None before it
    why         one sentence: why there is no receipt yet
    """

    seq: int = 0
    heard: Heard | None = None
    candidates: list[str] = field(default_factory=list)
    receipt: dict[str, Any] | None = None
    why: str = "No reading of the device has come since the visit began; let the patient measure once."

    def look(self, record: Mapping[str, Any], patient: str, slot: int | None) -> None:
        """Take in a reading of the device that was kept since the visit began."""
        if self.heard is None and record["capture"] == "device":
            self.heard = heard_in(record)
        unfit = _unfit(record, patient, slot)
        if unfit is None:
            self.candidates.append(record["record_id"])
        elif not self.candidates:
            self.why = unfit

    def settle(self, entry: Entry) -> None:
        """Take in where a candidate stands with the backend."""
        if entry.state is State.ACCEPTED:
            self.receipt = _receipt(entry)
        elif entry.state is State.REFUSED:
            self.why = "The backend refused the test reading; `vitals-gateway queue` shows why."
        else:
            self.why = "The reading is kept on the hub and waits for the backend to accept it."


def _unfit(record: Mapping[str, Any], patient: str, slot: int | None) -> str | None:
    """Why a reading cannot be the test reading, None where it can."""
    if record["capture"] != "device" or record["kind"] not in _VALUES:
        return "What came was not captured by the device itself; let the patient measure once."
    if record["quality"] == "invalid":
        return "The device says that its measurement failed; let the patient measure again."
    if record["context"] == "normal":
        return "What came was measured before the visit began; let the patient measure once."
    if record["measured_at"] is None or record["patient"] == patient:
        return None
    if slot is not None and record["slot"] != slot:
        return "A reading came under another user slot; measure again with the patient's slot."
    return (
        "A reading came that its own clock places before the device was assigned; measure again, "
        "and where that stays so set the device's clock."
    )


def _receipt(entry: Entry) -> dict[str, Any]:
    record = entry.record
    return {
        "record_id": entry.record_id,
        "seq": entry.seq,
        "hash": record["hash"],
        "modality": record["modality"],
        "context": record["context"],
        "measured_at": record["measured_at"],
        "received_at": record["received_at"],
        "accepted_at": None if entry.settled_ms is None else utc_text(entry.settled_ms),
    }
