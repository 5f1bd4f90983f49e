"""What people see: right, whole, escaped, and without scripts."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.uploader.receiver import samples
from tests.uploader.receiver.conftest import CLIENT, Live
from uploader.receiver import page, words
from uploader.receiver.ledger import Day, Ledger
from uploader.receiver.period import Question, asked, latest_30, month_of

ENROLMENT = {
    "_type": "enrolment", "at": "2026-10-20T14:00:00.000Z", "by": "tech-3", "why": None, "action": "begin",
    "patient": "pt-8842", "program": "RPM", "rules": "us-medicare-2026", "timezone": "America/New_York",
    "practitioners": 1, "start": "2026-10-03T03:00:00.000Z", "end": None,
}  # fmt: skip
# Elements that HTML never closes.
VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """Checks that elements close in order, and gathers text, elements and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words += f" {data}"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A backend with a patient's month on it."""
    backend = Live(tmp_path_factory.mktemp("page") / "receiver.db")
    url = backend.start()
    counted = [samples.reading(day) for day in range(16)]
    typed = samples.reading(17, capture="manual_staff", reason="Q01 not automatic")
    undated = {**samples.reading(18, reason="Q09 time untrusted"), "measured_at": None, "local_date": None}
    odd = samples.reading(19, reason="<b>own words</b>", patient="<i>&x", observations=7, device="thing")
    records = samples.chained([*counted, typed, undated, odd])
    records += samples.chained([ENROLMENT], first=20, prev=records[-1]["hash"])
    fields = {"Content-Type": "application/json", "Idempotency-Key": "b-1"}
    answer = CLIENT.post(f"{url}/api/v1/readings/batches/", content=samples.batch(records), headers=fields)
    assert {result["status"] for result in answer.json()["results"]} == {"accepted"}
    yield url
    backend.kill()


def fetch(url: str) -> tuple[httpx.Response, Page]:
    answer = CLIENT.get(url)
    return answer, Page(answer.text)


@pytest.mark.parametrize("path", ["/", "/patients/pt-8842", "/patients/%3Ci%3E%26x"])
def test_pages_hold_no_scripts_and_load_nothing(filled: str, path: str) -> None:
    answer, seen = fetch(filled + path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "script" not in seen.seen
    assert not {name for name, _ in seen.attributes if name.startswith("on") or name in {"src", "style"}}
    assert all((value or "").startswith("/") for name, value in seen.attributes if name in {"href", "action"})


def test_a_biller_sees_the_period_its_number_and_every_reason(filled: str) -> None:
    _, seen = fetch(f"{filled}/patients/pt-8842?from=2026-11-01&to=2026-11-30")
    text = " ".join(seen.words.split())
    assert "16 days count of 30" in text
    assert "18 November 2026 Not captured by a device: typed in, or its source is unknown (Q01): 1 reading" in text
    assert "Without a certain date The time of measurement is not certain (Q09): 1 reading" in text
    assert "Systolic 120 mmHg Diastolic 80 mmHg A&D UA-651BLE ble:5C:F8:21:00:11:22 by the device ✓ Yes" in text
    assert "typed in by staff ✗ No" in text


def test_without_dates_the_period_of_service_is_shown(filled: str) -> None:
    _, seen = fetch(f"{filled}/patients/pt-8842")
    assert "RPM, period 2 : 1 November 2026 to 30 November 2026" in " ".join(seen.words.split())
    days = CLIENT.get(f"{filled}/api/v1/patients/pt-8842/days").json()
    assert (days["from"], days["to"], days["days_counted"]) == ("2026-11-01", "2026-11-30", 16)


def test_foreign_text_stays_text(filled: str) -> None:
    _, seen = fetch(f"{filled}/patients/%3Ci%3E%26x")
    assert "Patient <i>&x" in seen.words
    assert "<b>own words</b>" in seen.words
    assert "i" not in seen.seen


def test_a_patient_nobody_knows_is_not_there(filled: str) -> None:
    assert CLIENT.get(f"{filled}/patients/pt-0").status_code == 404
    assert CLIENT.get(f"{filled}/patients/").status_code == 404


@pytest.mark.parametrize("query", ["from=2026-11-02&to=2026-11-01", "from=x", "from=20261101", "to=", "program=X",
                                   "from=2020-01-01&to=2026-01-01"])  # fmt: skip
def test_dates_that_cannot_be_are_a_problem(filled: str, query: str) -> None:
    for path in ("/patients/pt-8842", "/api/v1/patients/pt-8842/days"):
        assert CLIENT.get(f"{filled}{path}?{query}").status_code == 400


@settings(max_examples=60, deadline=None)
@given(
    first=st.dates(), length=st.integers(0, 365), text=st.text(min_size=1), reading=st.dictionaries(
        st.sampled_from(("measured_at", "received_at", "observations", "device")),
        st.none() | st.integers() | st.text() | st.lists(st.integers() | st.dictionaries(st.text(), st.text())),
    ),
)  # fmt: skip
def test_any_ledger_has_a_page(first: Any, length: int, text: str, reading: dict[str, Any]) -> None:
    _, last = asked(first.isoformat(), None, (first, type(first).fromordinal(min(first.toordinal() + length, 3652059))))
    day = Day(first.isoformat(), readings=1)
    day.reasons[text] = 1
    found = Ledger(Question(text, "RPM", first, last), {day.date: day}, Day(""))
    shown = Page(page.patient(found, [{"capture": text, "counts": False, "why_not": text, **reading}], None))
    assert "table" in shown.seen


@given(st.dates())
def test_usual_dates_hold_the_latest(day: Any) -> None:
    for first, last in (month_of(day), latest_30(day)):
        assert first <= day <= last


def test_every_gate_has_its_words() -> None:
    gates = (Path(__file__).parents[3] / "gateway/core/gates.py").read_text("utf-8")
    assert {code for code in words.REASONS if f'"{code}"' in gates} == set(words.REASONS) == set(words.SHORT)
