"""A packet as PDF: what a clinic files. It shows what the JSON says; the JSON is what `evidence verify` checks."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from gateway.evidence import picture
from gateway.paper import BOLD, GREY, INNER, MARGIN, MONO, PALE, Column, Paper

Json = dict[str, Any]
_MEANING = {
    "OPEN": "The period still runs. Do not code it yet.",
    "CLEAN": "The period is closed and every count gives the same code.",
    "REVIEW": "The period is closed and a person must look before it is coded.",
}
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_SHORT = 10  # digits of a hash that tell records of one packet apart


def pdf(document: Json) -> bytes:
    """The packet's pages."""
    packet, period = document["packet"], document["assessment"]["period"]
    title = (
        f"{document['patient']}   {packet['program']} period {period['number']}, {period['start']} to {period['end']}"
    )
    paper = Paper(f"Evidence of device data   {title}   made {document['now'][:16]}Z")
    _first_page(paper, document)
    paper.page_break()
    sections: Sequence[Callable[[Paper, Json], None]] = (
        _day_ledger, _devices, _history, _issues, _clock, _access, _transmissions,
    )  # fmt: skip
    for section in sections:
        section(paper, document)
    return paper.written()


def _first_page(paper: Paper, document: Json) -> None:
    judged, packet, days = document["assessment"], document["packet"], document["days"]
    period, is_open = judged["period"], judged["status"] == "OPEN"
    paper.text("Evidence of device data", size=20, font=BOLD)
    span = f"{_long(period['start'])} to {_long(period['end'])}"
    paper.text(f"Patient {document['patient']}, {packet['program']} period {period['number']}: {span}", size=12)
    hub = packet["hub"]
    paper.text(
        f"Hub {hub['id']} ({hub['site']}). Dates and times are civil time in {document['timezone']}. "
        f"Rules: {document['rules']}. Made {_local(document, document['now'])} by {packet['made_by']} "
        f"with {packet['software']}.",
        size=8.5,
        colour=GREY,
    )
    paper.space(8)
    _figures(paper, judged)
    today = _civil(document, document["now"]).date()
    found = picture.cells(days["dates"], is_open=is_open, today=today)
    picture.draw(paper, found)
    picture.legend(paper, found, _reasons(days), is_open=is_open)
    for note in [*(f"Look at: {reason}." for reason in judged["reasons"]), *document["notes"]]:
        paper.space(3)
        paper.text(note, size=9.5, font=BOLD)
    if days["pace"]:
        paper.space(3)
        paper.text(_pace(days["pace"]), size=9.5)
    _signatures(paper)
    _seal(paper, document)


def _pace(pace: Json) -> str:
    days = "1 more day is" if pace["needed"] == 1 else f"{pace['needed']} more days are"
    needed = f"{days} needed" if pace["needed"] else "nothing more is needed for the highest code"
    rate = f" ({pace['needed_per_week']} a week)" if pace["needed_per_week"] else ""
    risk = f" At risk: {pace['why']}." if pace["at_risk"] else ""
    return f"Day {pace['day']} of the period: {needed}{rate}; {pace['possible']} days are still possible.{risk}"


def _signatures(paper: Paper) -> None:
    """Where whoever reviews the packet signs it."""
    paper.need(60)
    paper.space(34)
    for label, x, width in (("Reviewed by", MARGIN, 250), ("Date", MARGIN + 270, 110)):
        paper.line(x, paper.y, x + width, paper.y, colour=GREY)
        paper.at(x, paper.y + 10, label, size=8, colour=GREY)
    paper.space(16)


def _figures(paper: Paper, judged: Json) -> None:
    """The counts as a row of boxes, and the status as a sentence."""
    counts = judged["days"]
    setup = next(key for key in judged if key.startswith("setup_"))
    boxes = [
        (str(counts["measured"]), "days measured"),
        (str(counts["claimable"]), "days claimable"),
        (str(counts["received"]), "days received"),
        (judged["candidate"], "code candidate"),
        (judged["conservative"], "lowest of all counts"),
        ("yes" if judged[setup] else "no", f"{setup.removeprefix('setup_')} due"),
        (judged["status"], "status"),
    ]
    width = INNER / len(boxes)
    for n, (value, label) in enumerate(boxes):
        x = MARGIN + n * width
        paper.box(x, paper.y, width - 4, 40, fill=PALE)
        paper.at(x + 5, paper.y + 20, value, size=15, font=BOLD)
        paper.at(x + 5, paper.y + 33, label, size=7.5, colour=GREY)
    paper.y += 46
    paper.text(
        f"{_MEANING[judged['status']]} Claimable: measured in the period and acknowledged before it closed. "
        "Received: distinct dates of those acknowledgements. The gateway reports counts and reasons; people bill.",
        size=8.5,
    )
    paper.space(6)


def _seal(paper: Paper, document: Json) -> None:
    seal, signature = document["seal"], document["seal"]["signature"]
    paper.space(6)
    paper.need(50)
    paper.text(f"Seal (SHA-256 over every section of the JSON packet): {seal['digest']}", size=7.5, colour=GREY)
    who = "" if signature is None else f" Key: {signature['key']}"
    paper.text(f"{seal['says']}{who}", size=7.5, colour=GREY)
    paper.text("To check the packet itself: vitals-gateway evidence verify FILE.json", size=7.5, colour=GREY)


def _reasons(days: Json) -> list[tuple[str, int]]:
    total: Counter[str] = Counter(days["undated"])
    for line in days["dates"]:
        total.update(line["reasons"])
    return sorted(total.items())


def _day_ledger(paper: Paper, document: Json) -> None:
    paper.heading("Day ledger", size=14)
    columns = [
        Column("Date", 92),
        Column("Counts", 48),
        Column("Readings", 52),
        Column("Why not, or what else came", INNER - 192),
    ]
    paper.table(columns, [_day(line, _civil(document, document["now"]).date()) for line in document["days"]["dates"]])
    if document["days"]["undated"]:
        said = "; ".join(f"{reason}: {count}" for reason, count in document["days"]["undated"].items())
        paper.text(f"Readings without a date: {said}.", size=8.5)


def _day(line: Json, today: date) -> list[str]:
    day = date.fromisoformat(line["date"])
    count = len(line["readings"]) + len(line["late"]) + sum(line["reasons"].values())
    said = [f"{reason}" + (f" ({many} times)" if many > 1 else "") for reason, many in line["reasons"].items()]
    said += [f"{len(line['late'])} not acknowledged before the close"] if line["late"] else []
    nothing = "" if line["counted"] else "no reading" if day <= today else "to come"
    why = "; ".join(said) or nothing
    return [f"{day:%a} {line['date']}", "yes" if line["counted"] else "-", str(count) if count else "", why]


def _devices(paper: Paper, document: Json) -> None:
    paper.heading("Devices and assignments")
    records = [item["record"] for item in document["history"]]
    known = {record["device"]: record for record in records if record["type"] == "device"}
    heard: dict[str, Json] = {}
    for item in document["transmissions"]:
        heard[item["record"]["device"]["id"]] = item["record"]["device"]
    for device in document["devices"]:
        said = {key: value for key, value in heard.get(device["id"], {}).items() if value is not None}
        record = known.get(device["id"], {})
        spans = [
            f"from {_local(document, s['from'])}" + (f" to {_local(document, s['to'])}" if s["to"] else " on")
            for s in device["assigned"]
        ]
        paper.need(80)
        paper.text(device["id"], size=10, font=BOLD)
        rows = [
            ("Model", " ".join(str(said[key]) for key in ("manufacturer", "model") if key in said) or "not told"),
            ("Serial, firmware", f"{said.get('serial', 'not told')}, {said.get('firmware', 'not told')}"),
            ("UDI-DI", said.get("udi_di", "not told")),
            ("Regulatory status", _status(device, record)),
            ("Assigned", "; ".join(spans)),
        ]
        paper.pairs(rows, size=8.5, label_width=110)
        paper.space(6)
    if not document["devices"]:
        paper.text("No device was assigned to this patient.", size=8.5)


def _status(device: Json, record: Json) -> str:
    words = {"device_201h": "device under section 201(h) FD&C Act"}.get(device["status"], device["status"])
    source = f"; source: {record['source']}, checked {record['checked']}" if record.get("source") else "; no source"
    more = f"; more specific code {device['specific_code']}" if device["specific_code"] else ""
    return f"{words}{source}{more}"


_SAID = {"action", "state", "at", "by", "why", "type", "record_id", "seq", "prev", "hash", "patient"}


def _history(paper: Paper, document: Json) -> None:
    paper.heading("Enrolment, assignment and setup records")
    columns = [
        Column("When", 84),
        Column("Record", 70),
        Column("By", 60),
        Column("What it says", INNER - 264),
        Column("Hash", 50, MONO),
    ]
    rows = []
    for item in document["history"]:
        record = item["record"]
        act = record.get("action") or record.get("state") or ""
        said = "; ".join(
            f"{key.replace('_', ' ')} {_plain(value, document)}"
            for key, value in record.items()
            if key not in _SAID and value is not None
        )
        why = f"; why: {record['why']}" if record.get("why") else ""
        rows.append(
            [_local(document, record["at"]), f"{record['type']} {act}", record["by"], said + why, record["hash"][:8]]
        )
    paper.table(columns, rows, size=7.5)


def _plain(value: Any, document: Json) -> str:
    """A value of a record in words; its instants in the patient's civil time."""
    if isinstance(value, dict):
        told = [
            f"{key.replace('_', ' ')} {_plain(inner, document)}" for key, inner in value.items() if inner is not None
        ]
        return f"({', '.join(told)})"
    if isinstance(value, list):
        return ", ".join(_plain(inner, document) for inner in value)
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return _local(document, value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _issues(paper: Paper, document: Json) -> None:
    paper.heading("Technical issues")
    if not document["issues"]:
        paper.text("The daemon found none in this period.", size=8.5)
        return
    columns = [
        Column("What", 150),
        Column("Where", 110),
        Column("Start", 84),
        Column("End", 84),
        Column("Resolution", INNER - 428),
    ]
    rows = [
        [
            each["what"],
            each["subject"],
            _local(document, each["start"]),
            _local(document, each["end"]),
            each["resolution"] or "",
        ]
        for each in document["issues"]
    ]
    paper.table(columns, rows, size=7.5)


def _clock(paper: Paper, document: Json) -> None:
    paper.heading("Clock")
    sources = Counter((row["source"], row["quality"]) for row in document["clock"]["readings"])
    words = [f"{count} by {source} ({quality})" for (source, quality), count in sorted(sources.items())]
    paper.text(f"Times of readings: {', '.join(words) or 'none'}.", size=8.5)
    faults = document["clock"]["hub"]
    said = "The hub's clock followed no time source for a while; see the technical issues."
    paper.text(said if faults else "The daemon found no fault of the hub's clock; it looks once a minute.", size=8.5)


def _access(paper: Paper, document: Json) -> None:
    paper.heading("Access log")
    if not document["access"]:
        paper.text("Nobody looked since the period began.", size=8.5)
        return
    paper.text("Looks are told once an hour for each person and command; changes each time.", size=8.5, colour=GREY)
    columns = [Column("When", 100), Column("Who", 140), Column("What", INNER - 290), Column("Record", 50)]
    rows = [[_local(document, row["at"]), row["who"], row["what"], str(row["seq"])] for row in document["access"]]
    paper.table(columns, rows, size=7.5)


def _transmissions(paper: Paper, document: Json) -> None:
    paper.heading("Transmission log", size=14)
    paper.text(
        "Each reading with its place in the hub's chain of records. The whole frame and hash stand in the JSON packet.",
        size=8.5,
        colour=GREY,
    )
    columns = [
        Column("Seq", 28), Column("Measured", 60), Column("Received", 60), Column("Acknowledged", 60),
        Column("Device", 78), Column("Values", 70), Column("Captured", 54), Column("Qualifies", 60),
        Column("Hash", INNER - 470, MONO),
    ]  # fmt: skip
    paper.table(columns, [_transmission(item, document) for item in document["transmissions"]], size=6.5)


def _transmission(item: Json, document: Json) -> list[str]:
    record = item["record"]
    verdict = "yes" if record["qualifies"]["day"] else str(record["qualifies"]["reason"])
    values = ", ".join(f"{each['value']} {each['unit']}" for each in record["observations"])
    return [
        str(record["seq"]),
        _brief(document, record["measured_at"]),
        _brief(document, record["received_at"]),
        _brief(document, item["acked_at"]) if item["acked_at"] else item["state"],
        record["device"]["id"],
        values or record["kind"],
        record["capture"] + ("" if record["quality"] == "ok" else f", {record['quality']}"),
        verdict,
        record["hash"][:_SHORT],
    ]


def _civil(document: Json, text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(ZoneInfo(document["timezone"]))


def _local(document: Json, text: str | None) -> str:
    return "lasts" if text is None else f"{_civil(document, text):%Y-%m-%d %H:%M}"


def _brief(document: Json, text: str | None) -> str:
    return "no time" if text is None else f"{_civil(document, text):%m-%d %H:%M:%S}"


def _long(text: str) -> str:
    day = date.fromisoformat(text)
    return f"{day:%B} {day.day}, {day.year}"
