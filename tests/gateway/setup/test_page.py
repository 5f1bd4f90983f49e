"""The page a clinic files: everything in the record stands on it, and no more than one page."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.setup.page import page
from tests.gateway.setup.desk import CUFF

NEEDED = shutil.which("pdftotext")
AT = "2026-11-21T14:32:10.120Z"
RECORD: dict[str, Any] = {
    "record_id": "4d4d8a0d7e4d4d8a0d7e", "type": "setup", "seq": 57, "hash": "9f86d081884c7d65", "at": AT,
    "by": "tech4", "why": None, "state": "done", "patient": "pt-8842", "device": CUFF, "visit": "0123456789abcdef",
    "started_at": "2026-11-21T14:02:10.120Z", "ended_at": AT,
    "identity": {"manufacturer": "A&D", "model": "UA-651", "serial": "5200700123", "firmware": "1.4",
                 "udi_di": "(01)00093764603044", "udi_from": "label"},
    "regulatory": {"status": "device_201h", "specific_code": None, "clearance": "K141160",
                   "source": "510(k) summary", "checked": "2026-11-21"},
    "pairing": {"heard_at": AT, "driver": "stel", "transport": "mqtt"},
    "assignment": {"slot": 1, "at": AT},
    "parameters": ["blood_pressure", "heart_rate"],
    "training": dict.fromkeys(("operation", "technique", "schedule", "troubleshooting", "emergency"), True),
    "demonstration": {"measured": True, "understood": True, "transmitted": True},
    "consent": {"form": "verbal", "at": "2026-11-20", "reference": "cons-2231"},
    "order": {"reference": "ord-55/2026", "at": "2026-11-18T10:00:00-05:00"},
    "trainer": {"reference": "staff-17", "credentials": "RN"},
    "acknowledgement": {"by": "caregiver", "at": AT},
    "test_reading": {"record_id": "b" * 64, "seq": 55, "hash": "c" * 64, "modality": "blood_pressure",
                     "context": "setup_demo", "measured_at": None, "received_at": AT, "accepted_at": AT},
    "service": {"rules": "us-medicare-2026", "timezone": "America/New_York", "practitioners": 1, "program": "RPM",
                "start": AT, "begun": True},
    "hub": {"id": "hub-7", "site": "home", "clock_synchronised": False},
    "software": "vitals-gateway/0.1.0",
}  # fmt: skip


def test_the_same_record_gives_the_same_page() -> None:
    assert page(RECORD) == page(RECORD)
    assert page(RECORD).startswith(b"%PDF")


@pytest.mark.skipif(NEEDED is None, reason="pdftotext is not here; apt-get install poppler-utils")
@pytest.mark.parametrize("longest", [False, True])
def test_everything_stands_on_one_page(tmp_path: Path, longest: bool) -> None:
    record = RECORD
    if longest:
        long = {"source": "510(k) summary, " + "read at a place with a long address " * 8}
        record = RECORD | {
            "regulatory": RECORD["regulatory"] | long,
            "parameters": [f"parameter_{n}" for n in range(12)],
        }
    file = tmp_path / "page.pdf"
    file.write_bytes(page(record))
    text = subprocess.run(["pdftotext", "-layout", str(file), "-"], capture_output=True, text=True, check=True).stdout
    assert text.count("\f") == 1
    for words in (
        *("pt-8842", CUFF, "UA-651", "5200700123", "(01)00093764603044 (from the label)", "K141160", "cons-2231"),
        *("ord-55/2026", "staff-17, RN", "the caregiver", "user slot 1", "b" * 64, "c" * 64, "9f86d081884c7d65"),
        *("2026-11-21 09:02:10-05:00", "its clock was not synchronised", "hub-7 (home)", "vitals-gateway/0.1.0"),
        *("no time that can be trusted", "Caregiver: I was taught the above", "the clinic's label", "99453"),
    ):
        assert words in text


@pytest.mark.skipif(NEEDED is None, reason="pdftotext is not here; apt-get install poppler-utils")
def test_a_therapeutic_service_names_its_own_code(tmp_path: Path) -> None:
    file = tmp_path / "page.pdf"
    file.write_bytes(page(RECORD | {"service": RECORD["service"] | {"rules": "us-medicare-2026-rtm-cbt"}}))
    text = subprocess.run(["pdftotext", str(file), "-"], capture_output=True, text=True, check=True).stdout
    assert "CPT 98975" in text
