"""Whether the demo holds: what the backend has against what the virtual devices sent."""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers import registry
from drivers.virtual.cellular import Message
from gateway.core.reading import Frame
from gateway.core.record import GENESIS, verify


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold, and what was found."""

    what: str
    holds: bool
    found: str


def records_of(backend: Path) -> list[dict[str, Any]]:
    """Everything the backend accepted, in order of seq."""
    with sqlite3.connect(f"file:{backend}?mode=ro", uri=True) as db:
        return [json.loads(row[0]) for row in db.execute("SELECT body FROM record ORDER BY seq")]


def days_counted(records: list[dict[str, Any]]) -> dict[str, int]:
    """The days of data of each patient: dates with at least one reading that qualifies."""
    dates: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if record["type"] == "reading" and record["qualifies"]["day"]:
            dates[record["patient"]].add(record["local_date"])
    return {patient: len(found) for patient, found in sorted(dates.items())}


def checks(records: list[dict[str, Any]], sent: Iterable[Message], nonsense: int, days: dict[str, int]) -> list[Check]:
    """What must hold at the end of the demo."""
    readings = [record for record in records if record["type"] == "reading"]
    device = [reading for reading in readings if reading["capture"] == "device"]
    typed = [reading for reading in readings if reading["capture"] == "manual_staff"]
    refused = [record for record in records if record.get("name") == "frame.refused"]
    counted = [reading for reading in typed if reading["qualifies"]["day"]]
    wanted, got = Counter(_sent_key(message) for message in sent), Counter(_kept_key(reading) for reading in device)
    return [
        Check("every reading arrived", not wanted - got, f"{sum((wanted & got).values())} of {sum(wanted.values())}"),
        Check("none of them twice", not got - wanted, f"{sum((got - wanted).values())} too many"),
        Check(
            "frames no driver can read are kept as evidence", len(refused) == nonsense, f"{len(refused)} of {nonsense}"
        ),
        Check("a typed value is kept and not counted", len(typed) == 1 and not counted, f"{len(typed)} kept"),
        Check("the days counted are those measured", days_counted(records) == days, _days_text(days_counted(records))),
        Check("the chain of records is unbroken", _unbroken(records), f"{len(records)} links"),
    ]


def _days_text(days: dict[str, int]) -> str:
    return ", ".join(f"{patient}: {count}" for patient, count in days.items())


def _sent_key(message: Message) -> str:
    (sample,) = registry.named(message.topic.partition("/")[0]).decode(Frame(message.payload, topic=message.topic))
    values = sorted((o.kind.code, o.text, o.unit) for o in sample.measured)
    device, time = sample.device, sample.device_time
    return json.dumps([device.id if device else "", time.text if time else "", values])


def _kept_key(reading: dict[str, Any]) -> str:
    values = sorted((o["code"], o["value"], o["unit"]) for o in reading["observations"])
    return json.dumps([reading["device"]["id"], reading["time"]["device_time"], values])


def _unbroken(records: list[dict[str, Any]]) -> bool:
    before = GENESIS
    for number, record in enumerate(records, 1):
        if record["seq"] != number or record["prev"] != before or not verify(record):
            return False
        before = record["hash"]
    return True
