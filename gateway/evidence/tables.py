"""
A packet as CSV: the transmission log and the day ledger, two tables in one zip.

One file is what a person attaches; the tables differ too much to stand in one. RFC 4180 with a heading row, UTF-8. A
text that a spreadsheet would take for a formula has an apostrophe before it; no value or time of a reading begins so.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from typing import Any

Json = dict[str, Any]
TRANSMISSIONS, DAYS = "transmissions.csv", "days.csv"
_LOG = ("seq", "record_id", "measured_at", "local_date", "received_at", "acked_at", "state", "device", "driver",
        "driver_version", "transport", "capture", "automatic", "kind", "context", "quality", "qualifies", "reason",
        "rules", "values", "time_source", "device_time", "offset_s", "time_quality",
        "frame", "prev", "hash")  # fmt: skip
_LEDGER = ("date", "counted", "readings", "late", "reasons")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip has dates; the same packet must give the same bytes


def zipped(document: Json) -> bytes:
    """Both tables."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in ((TRANSMISSIONS, transmissions(document)), (DAYS, days(document))):
            file = zipfile.ZipInfo(name, _EPOCH)
            file.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(file, text.encode("utf-8"))
    return out.getvalue()


def transmissions(document: Json) -> str:
    """Every reading, one a line."""
    return _table(_LOG, (_logged(item) for item in document["transmissions"]))


def days(document: Json) -> str:
    """Every date of the period, one a line."""
    return _table(_LEDGER, (_dated(line) for line in document["days"]["dates"]))


def _logged(item: Json) -> list[Any]:
    record = item["record"]
    device, time, verdict = record["device"], record["time"], record["qualifies"]
    values = "; ".join(f"{each['code']}={each['value']} {each['unit']}" for each in record["observations"])
    return [
        record["seq"], record["record_id"], record["measured_at"], record["local_date"], record["received_at"],
        item["acked_at"], item["state"], device["id"], device["driver"], device["driver_version"], record["transport"],
        record["capture"], record["automatic"], record["kind"], record["context"], record["quality"], verdict["day"],
        verdict["reason"], verdict["rules"], values, time["source"], time["device_time"], time["offset_s"],
        time["quality"], record["frame"], record["prev"], record["hash"],
    ]  # fmt: skip


def _dated(line: Json) -> list[Any]:
    reasons = "; ".join(f"{reason} ({count})" for reason, count in line["reasons"].items())
    return [line["date"], line["counted"], " ".join(line["readings"]), " ".join(line["late"]), reasons]


def _table(heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(heading)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    return text.lstrip("+-").replace(".", "", 1).isdigit()
