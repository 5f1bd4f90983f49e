"""The sheet a clinic files: a setup record on one page, with lines to sign and room for the clinic's own label."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from config.rules import profiles
from gateway.core.period import to_ms
from gateway.core.time import local_text
from gateway.paper import BOLD, GREY, INNER, MARGIN, MONO, Paper

_SIZE = 9.0
_LABEL = 118.0
_BOX = (214.0, 62.0)  # an address label of 3 by 7/8 inch
_TRAINED = {
    "operation": "Operation of the device",
    "technique": "Measuring technique",
    "schedule": "When to measure, and that it transmits by itself",
    "troubleshooting": "What to do when it does not work",
    "emergency": "Emergency: nobody watches live",
}
_SHOWN = {
    "measured": "Measured by themselves",
    "understood": "Said in their own words how it is done",
    "transmitted": "Transmission confirmed by the backend",
}
_STATUS = {
    "device_201h": "medical device under section 201(h) FD&C Act",
    "wellness": "general wellness product, no medical device",
    "unknown": "not documented",
}
_SMALL = (
    "Whatever the device sent during the visit is marked as a demonstration and counts for no day. This page repeats a "
    "record of the hub's ledger; the record, with its hash, is what counts. No name stands in it: the label above ties "
    "it to the chart."
)


def page(record: Mapping[str, Any]) -> bytes:
    """A setup record that is done, as PDF; the same record gives the same bytes."""
    zone = ZoneInfo(record["service"]["timezone"])
    paper = Paper(f"Setup record {record['record_id'][:16]}", "Setup and patient education for remote monitoring")
    _top(paper, record)
    for title, rows in _sections(record, zone):
        paper.heading(title, size=10, keep=30)
        paper.space(-3)
        paper.pairs(rows, label_width=_LABEL, size=_SIZE)
    _ticks(paper, "Training given", _TRAINED, record["training"])
    _ticks(paper, "Demonstration", _SHOWN, record["demonstration"])
    _signatures(paper, record)
    return paper.written()


def _top(paper: Paper, record: Mapping[str, Any]) -> None:
    """Title at the left, room for the clinic's label at the right."""
    x, y = MARGIN + INNER - _BOX[0], paper.y
    paper.box(x, y, *_BOX, edge=GREY)
    paper.at(x + 6, y + 11, "Patient: the clinic's label", size=7, colour=GREY)
    paper.text("Setup record", size=18, font=BOLD)
    code = profiles()[record["service"]["rules"]].setup_code
    paper.text(f"Setup and patient education, remote monitoring (CPT {code})", size=8, colour=GREY)
    paper.space(2)
    paper.text(f"Patient reference  {record['patient']}", size=11, font=BOLD)
    paper.y = y + _BOX[1]


def _sections(record: Mapping[str, Any], zone: ZoneInfo) -> Sequence[tuple[str, list[tuple[str, str]]]]:
    return [
        ("Visit", _visit(record, zone)),
        ("Device", _device(record, zone)),
        ("Consent, order, trainer", _papers(record, zone)),
        ("Test reading, accepted by the backend", _test(record["test_reading"], zone)),
    ]


def _visit(record: Mapping[str, Any], zone: ZoneInfo) -> list[tuple[str, str]]:
    service, hub = record["service"], record["hub"]
    clock = "" if hub["clock_synchronised"] else "; its clock was not synchronised"
    began = "begins with this visit" if service["begun"] else "ran before this visit"
    return [
        ("From, to", f"{_at(record['started_at'], zone)}  to  {_at(record['ended_at'], zone)}  ({zone.key})"),
        ("Service", f"{service['program']}, {began}: {_at(service['start'], zone)}"),
        ("Counted by", f"{service['rules']}; practitioners with active orders: {service['practitioners']}"),
        ("Hub, operator", f"{hub['id']} ({hub['site']}), {record['software']}; login {record['by']}{clock}"),
    ]


def _device(record: Mapping[str, Any], zone: ZoneInfo) -> list[tuple[str, str]]:
    told, found, pairing = record["identity"], record["regulatory"], record["pairing"]
    slot = record["assignment"]["slot"]
    udi = told["udi_di"] and f"{told['udi_di']}  (from the {told['udi_from']})"
    source = f"; {found['source']}, checked {found['checked']}" if found["source"] else ""
    number = f", {found['clearance']}" if found["clearance"] else ""
    return [
        ("Device", record["device"]),
        ("Maker, model", f"{_said(told['manufacturer'])}, {_said(told['model'])}"),
        ("Serial, firmware", f"{_said(told['serial'])}, {_said(told['firmware'])}"),
        ("UDI", _said(udi)),
        ("Regulatory status", f"{_STATUS[found['status']]}{number}{source}"),
        ("Heard, assigned", f"{_at(pairing['heard_at'], zone)}, {_at(record['assignment']['at'], zone)}"),
        ("Measures", ", ".join(map(_plain, record["parameters"])) + ("" if slot is None else f"; user slot {slot}")),
    ]


def _papers(record: Mapping[str, Any], zone: ZoneInfo) -> list[tuple[str, str]]:
    consent, order, trainer, ack = (record[key] for key in ("consent", "order", "trainer", "acknowledgement"))
    return [
        ("Consent", f"{consent['form']}, {_given(consent['at'], zone)}, reference {consent['reference']}"),
        ("Order", f"{_given(order['at'], zone)}, reference {order['reference']}"),
        ("Trainer", f"reference {trainer['reference']}, {trainer['credentials']}"),
        ("Acknowledged by", f"the {ack['by']}, {_at(ack['at'], zone)}"),
    ]


def _test(receipt: Mapping[str, Any], zone: ZoneInfo) -> list[tuple[str, str]]:
    measured = _at(receipt["measured_at"], zone) if receipt["measured_at"] else "no time that can be trusted"
    return [
        ("Measured", f"{_plain(receipt['modality'])}, {measured}; marked {receipt['context']}"),
        ("Received, accepted", f"hub {_at(receipt['received_at'], zone)}, backend {_at(receipt['accepted_at'], zone)}"),
        ("Ledger", f"number {receipt['seq']}, id {receipt['record_id']}"),
        ("Hash", receipt["hash"]),
    ]


def _ticks(paper: Paper, title: str, names: Mapping[str, str], done: Mapping[str, bool]) -> None:
    """Boxes in two columns, crossed where it was done."""
    paper.heading(title, size=10, keep=30)
    for number, (key, words) in enumerate(names.items()):
        x = MARGIN + (number % 2) * INNER / 2
        y = paper.y + (number // 2) * 13
        paper.box(x, y, 8, 8)
        if done[key]:
            paper.line(x + 1.5, y + 1.5, x + 6.5, y + 6.5)
            paper.line(x + 1.5, y + 6.5, x + 6.5, y + 1.5)
        paper.at(x + 13, y + 7.5, words, size=_SIZE)
    paper.space((len(names) + 1) // 2 * 13)


def _signatures(paper: Paper, record: Mapping[str, Any]) -> None:
    paper.heading("Signatures", size=10, keep=110)
    by = "Patient" if record["acknowledgement"]["by"] == "patient" else "Caregiver"
    width = (INNER - 24) / 2
    paper.space(26)
    for column, words in enumerate((f"{by}: I was taught the above", "Trainer")):
        x = MARGIN + column * (width + 24)
        paper.line(x, paper.y, x + width, paper.y)
        paper.at(x, paper.y + 10, words, size=8, colour=GREY)
        paper.at(x + width - 70, paper.y + 10, "Date", size=8, colour=GREY)
    paper.space(20)
    paper.text(_SMALL, size=7, colour=GREY)
    paper.text(f"Record {record['record_id']}, number {record['seq']}", size=6.5, font=MONO, colour=GREY)
    paper.text(f"Hash   {record['hash']}", size=6.5, font=MONO, colour=GREY)


def _at(text: str, zone: ZoneInfo) -> str:
    """A moment where the patient lives, to the second, with its offset."""
    whole = to_ms(datetime.fromisoformat(text)) // 1000 * 1000
    return local_text(whole, zone).replace("T", " ")


def _given(text: str, zone: ZoneInfo) -> str:
    return text if "T" not in text else _at(text, zone)


def _plain(word: str) -> str:
    return word.replace("_", " ")


def _said(value: str | None) -> str:
    return value or "not said"
