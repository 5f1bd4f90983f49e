"""
The ledger for people: plain HTML without scripts, everything escaped, nothing loaded from anywhere.

Colour never says anything alone: each day carries its mark and words.
"""

import base64
import hashlib
from calendar import SUNDAY, Calendar, month_name
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from html import escape
from importlib.resources import files
from string import Template
from typing import Any
from urllib.parse import quote

from uploader.receiver import words
from uploader.receiver.ledger import Day, Ledger
from uploader.receiver.period import PERIOD_DAYS, Period, Question, month_of

READINGS_MAX = 500
_MONTHS_MAX = 6  # calendars on one page; a longer range has its number and its list
_TEXT = files("uploader.receiver").joinpath("page.html").read_text("utf-8")
_PAGE = Template(_TEXT)
_STYLE = _TEXT.partition("<style>")[2].partition("</style>")[0]
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_HOME = '<a href="/">All patients and hubs</a>'


def overview(patients: list[dict[str, Any]], hubs: list[dict[str, Any]]) -> str:
    """Everyone with readings, and every hub."""
    content = _patients(patients) + "".join(_hub(hub) for hub in hubs)
    if not hubs:
        content += "<section><h2>Hubs</h2><p>No hub has sent anything yet.</p></section>"
    return _whole("Day ledger", "vitals-gateway reference backend", "Day ledger", content)


def patient(found: Ledger, readings: list[dict[str, Any]], current: Period | None) -> str:
    """One patient: the count, the calendar, why other dates do not count, every reading; `current` is the period."""
    content = _summary(found, current) + _calendars(found) + _not_counted(found) + _readings(found, readings)
    return _whole(
        f"Day ledger of {found.question.patient}",
        _HOME,
        f"Patient {found.question.patient}",
        content,
        escaped_trail=True,
    )


def _whole(title: str, trail: str, heading: str, content: str, *, escaped_trail: bool = False) -> str:
    return _PAGE.substitute(
        title=escape(title), trail=trail if escaped_trail else escape(trail), heading=escape(heading), content=content
    )


def _path(reference: str) -> str:
    return f"/patients/{quote(reference, safe='')}"


def _summary(found: Ledger, current: Period | None) -> str:
    asked = found.question
    plural = "day counts" if found.counted == 1 else "days count"
    length = (asked.last - asked.first).days + 1
    return (
        '<section aria-label="Result"><div class="sum"><p class="big">'
        f"<strong>{found.counted}</strong> <span>{plural}<br>of {length}</span></p>"
        f"<p>{_span_text(asked, current)}<br>"
        '<span class="soft">A day counts once, if a reading on it qualifies. Dates are local to the patient.</span>'
        f"</p></div>{_form(asked)}{_neighbours(asked, current)}</section>"
    )


def _span_text(asked: Question, current: Period | None) -> str:
    dates = f"{_day_text(asked.first)} to {_day_text(asked.last)}"
    if current and (asked.first, asked.last) == (current.first, current.last):
        return f"<b>{asked.program}, period {current.number}</b>: {dates}, both included."
    return f"<b>{asked.program}</b>: {dates}, both included."


def _form(asked: Question) -> str:
    return (
        f'<form method="get" action="{escape(_path(asked.patient))}">'
        f'<input type="hidden" name="program" value="{asked.program}">'
        f'<label>From<input type="date" name="from" required value="{asked.first}"></label>'
        f'<label>To<input type="date" name="to" required value="{asked.last}"></label>'
        "<button>Count these dates</button></form>"
    )


def _neighbours(asked: Question, current: Period | None) -> str:
    """Links to the periods or months before and after, and to the other program."""
    if current:
        days = timedelta(days=PERIOD_DAYS)
        links = [(f"Period {current.number}", current.first, current.last)]
        if current.number > 1:
            links.insert(0, (f"← Period {current.number - 1}", current.first - days, current.last - days))
        links.append((f"Period {current.number + 1} →", current.first + days, current.last + days))
    else:
        before, after = month_of(asked.first - timedelta(days=1)), month_of(asked.last + timedelta(days=1))
        links = [(f"← {_month_text(before[0])}", *before), (f"{_month_text(after[0])} →", *after)]
    items = [_link(asked.patient, asked.program, *link) for link in links]
    other = "RTM" if asked.program == "RPM" else "RPM"
    items.append(_link(asked.patient, other, f"Same dates in {other}", asked.first, asked.last))
    return f'<nav aria-label="Other dates">{"".join(items)}</nav>'


def _link(patient: str, program: str, label: str, first: date, last: date) -> str:
    return f'<a href="{escape(_path(patient))}?program={program}&amp;from={first}&amp;to={last}">{label}</a>'


def _calendars(found: Ledger) -> str:
    months = list(_months(found.question.first, found.question.last))
    if len(months) > _MONTHS_MAX:
        return ""
    key = (
        '<p class="key"><span><span class="tag yes">✓ Counts</span> at least one reading qualifies</span>'
        '<span><span class="tag no">✗ Does not count</span> readings, and none qualifies</span>'
        "<span>No mark: no reading</span></p>"
    )
    tables = "".join(_month(found, year, month) for year, month in months)
    return f'<section><h2>Calendar</h2><div class="months">{tables}</div>{key}</section>'


def _months(first: date, last: date) -> Iterable[tuple[int, int]]:
    year, month = first.year, first.month
    while (year, month) <= (last.year, last.month):
        yield year, month
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


def _month(found: Ledger, year: int, month: int) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in _WEEKDAYS)
    weeks = Calendar(SUNDAY).monthdayscalendar(year, month)
    rows = "".join(f"<tr>{''.join(_cell(found, year, month, day) for day in week)}</tr>" for week in weeks)
    caption = _month_text(date(year, month, 1))
    return (
        f'<table class="month"><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    )


def _cell(found: Ledger, year: int, month: int, number: int) -> str:
    if number == 0:
        return "<td></td>"
    at = date(year, month, number)
    if not found.question.first <= at <= found.question.last:
        return f'<td class="out"><b>{number}</b></td>'
    day = found.days.get(at.isoformat())
    if day is None:
        return f'<td class="day"><b>{number}</b></td>'
    if day.counted:
        return f'<td class="yes"><b>{number} <span class="mark">✓</span></b>{_cell_text(day)}</td>'
    why = escape(words.short(day.reasons.most_common(1)[0][0]))
    return f'<td class="no"><b>{number} <span class="mark">✗</span></b>{why}</td>'


def _cell_text(day: Day) -> str:
    typed = f"<br>{day.manual} typed in" if day.manual else ""
    return f"{_times(day.readings, 'reading')}{typed}"


def _not_counted(found: Ledger) -> str:
    """Dates with readings that do not count, each with all its reasons."""
    rows = [f"<tr><td>{_day_text(date.fromisoformat(day.date))}</td><td>{_reasons(day)}</td></tr>"
            for day in found.days.values() if not day.counted]  # fmt: skip
    if found.undated.readings:
        rows.append(f"<tr><td>Without a certain date</td><td>{_reasons(found.undated)}</td></tr>")
    if not rows:
        return ""
    return (
        '<section><h2>Dates that do not count, and why</h2><table class="list"><thead><tr><th scope="col">Date</th>'
        f'<th scope="col">Why</th></tr></thead><tbody>{"".join(rows)}</tbody></table></section>'
    )


def _reasons(day: Day) -> str:
    return "<br>".join(
        f"{escape(words.reason(text))}: {_times(number, 'reading')}" for text, number in day.reasons.items()
    )


def _readings(found: Ledger, readings: list[dict[str, Any]]) -> str:
    total = sum(day.readings for day in found.days.values()) + found.undated.readings
    if not total:
        return "<section><h2>Readings</h2><p>None on these dates.</p></section>"
    note = f"<p>The latest {len(readings)} of {total}.</p>" if total > len(readings) else ""
    names = ("Measured", "Values", "Device", "Captured", "Counts", "Reached the hub (UTC)")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    rows = "".join(_reading(reading) for reading in readings)
    return (
        f'<section><h2>Readings</h2>{note}<div class="wide"><table class="list dense"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _reading(reading: Mapping[str, Any]) -> str:
    cells = (
        f'<span class="num">{_moment(reading.get("measured_at"))}</span>',
        "<br>".join(f'<span class="num">{escape(text)}</span>' for text in _values(reading)) or "none",
        _device(reading.get("device")),
        escape(words.capture(str(reading["capture"]))),
        _verdict(reading),
        f'<span class="num">{_moment(reading.get("received_at"))}</span>',
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _values(reading: Mapping[str, Any]) -> list[str]:
    """The values a reading holds, as they came; whatever has another shape is not shown as a value."""
    observations = reading.get("observations")
    return [
        words.value(str(seen.get("code")), str(seen.get("value")), str(seen.get("unit")))
        for seen in (observations if isinstance(observations, list) else [])
        if isinstance(seen, dict)
    ]


def _device(device: Any) -> str:
    if not isinstance(device, dict):
        return "not stated"
    name = " ".join(str(device[part]) for part in ("manufacturer", "model") if device.get(part))
    shown = f'<span class="num">{escape(name)}</span><br>' if name else ""
    return f"{shown}<small>{escape(str(device.get('id')))}</small>"


def _verdict(reading: Mapping[str, Any]) -> str:
    if reading["counts"]:
        return '<span class="tag yes">✓ Yes</span>'
    return f'<span class="tag no">✗ No</span><br><small>{escape(words.reason(str(reading["why_not"])))}</small>'


def _moment(text: Any) -> str:
    """A time as it stands in the record, with a space for the T and without fractions; the whole in `datetime`."""
    if not isinstance(text, str) or len(text) < 19:
        return "not certain"
    offset = text[19:].lstrip(".0123456789").replace("Z", "")
    return f'<time datetime="{escape(text)}">{escape(text[:10])} {escape(text[11:19])} {escape(offset)}</time>'


def _patients(patients: list[dict[str, Any]]) -> str:
    if not patients:
        return "<section><h2>Patients</h2><p>No reading of a patient has arrived yet.</p></section>"
    names = ("Patient", "RPM days, of the last 30", "RTM days, of the last 30", "Latest date")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    rows = "".join(_patient_row(each) for each in patients)
    return (
        f'<section><h2>Patients</h2><table class="list"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></section>"
    )


def _patient_row(each: Mapping[str, Any]) -> str:
    days, latest = each["days_counted"], _day_text(date.fromisoformat(each["latest"]))
    link = f'<a href="{escape(_path(each["patient"]))}">{escape(each["patient"])}</a>'
    return f"<tr><td>{link}</td><td>{days['RPM']}</td><td>{days['RTM']}</td><td>{latest}</td></tr>"


def _hub(hub: Mapping[str, Any]) -> str:
    whole = not hub["missing_records"]
    state = '<span class="tag yes">✓ Unbroken</span>' if whole else '<span class="tag no">✗ Records missing</span>'
    facts = (
        ("Chain", f"{state} {_times(hub['records'], 'record')} verified"),
        ("Missing", "none" if whole else _missing(hub)),
        ("Refused", _refused(hub["refused"])),
        ("Last heard (UTC)", _moment(hub["last_seen"])),
        ("Software", escape(f"{hub['software']}, site: {hub['site']}")),
    )
    rows = "".join(f'<tr><th scope="row">{name}</th><td>{text}</td></tr>' for name, text in facts)
    return f'<section><h2>Hub {escape(hub["hub"])}</h2><table class="list"><tbody>{rows}</tbody></table></section>'


def _missing(hub: Mapping[str, Any]) -> str:
    ranges = ", ".join(f"{first} to {last}" if first < last else f"{first}" for first, last in hub["missing"][:20])
    return f"{_times(hub['missing_records'], 'record')}: number {ranges}{', …' if len(hub['missing']) > 20 else ''}"


def _refused(refusals: list[dict[str, Any]]) -> str:
    if not refusals:
        return "none"
    return "<br>".join(
        f"{_moment(each['at'])} number {'unknown' if each['seq'] is None else each['seq']}: {escape(each['reason'])}"
        for each in refusals[:5]
    )


def _times(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _day_text(day: date) -> str:
    return f"{day.day} {month_name[day.month]} {day.year}"


def _month_text(day: date) -> str:
    return f"{month_name[day.month]} {day.year}"
