"""The packet as people get it: files, pages, tables; from the command line on a real store."""

import asyncio
import csv
import io
import json
import stat
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.rules import profiles
from gateway.evidence.pages import pdf
from gateway.evidence.tables import zipped
from gateway.evidence.verify import verified
from gateway.paper import MONO, PLAIN, Column, Paper, width_of, wrapped
from tests.gateway.evidence.hub import CONFIG, FIRST, PATIENT, UPLOAD, furnish, hub, live
from tests.law.source import ROOT

Json = dict[str, Any]


def filed(folder: Path, days: int, **more: Any) -> Json:
    """A packet after so many days."""

    async def run() -> Json:
        async with hub(folder) as made:
            await furnish(made)
            await live(made, days, skip=frozenset({4, 5}))
            await made.ask("enter", patient=PATIENT, values=["weight=70kg"])
            return await made.packet(**more)

    return asyncio.run(run())


def test_the_tables_hold_every_reading_and_every_date(tmp_path: Path) -> None:
    document = filed(tmp_path, 8)
    archive = zipfile.ZipFile(io.BytesIO(zipped(document)))
    log = list(csv.DictReader(io.StringIO(archive.read("transmissions.csv").decode())))
    days = list(csv.DictReader(io.StringIO(archive.read("days.csv").decode())))
    assert [row["hash"] for row in log] == [item["record"]["hash"] for item in document["transmissions"]]
    assert log[0]["values"].startswith("MDC_PRESS_BLD_NONINV_SYS=128 mm[Hg]")
    assert log[-1]["reason"] == "Q01 not automatic"
    assert len(days) == 30
    assert [row["counted"] for row in days].count("yes") == document["days"]["days"]["claimable"]
    assert zipped(document) == zipped(document)


def test_a_cell_is_no_formula_and_a_number_stays_as_it_is(tmp_path: Path) -> None:
    document = filed(tmp_path, 1)
    record = document["transmissions"][0]["record"]
    record["device"]["id"], record["time"]["offset_s"] = "=cmd|x", "-7.0"
    text = zipfile.ZipFile(io.BytesIO(zipped(document))).read("transmissions.csv").decode()
    (row, *_) = csv.DictReader(io.StringIO(text))
    assert (row["device"], row["offset_s"]) == ("'=cmd|x", "-7.0")


@pytest.mark.parametrize("days", [1, 12, 32])
def test_the_pages_say_what_the_packet_says(tmp_path: Path, days: int) -> None:
    document = filed(tmp_path, days, period=1)
    pages = pdf(document)
    assert pages.startswith(b"%PDF-1.7")
    assert pages == pdf(document)
    words = said(pages)
    counted = [line["counted"] for line in document["days"]["dates"]].count(True)
    assert words.count(b"(counted)") == counted + (counted > 0)
    judged, seal = document["assessment"], document["seal"]
    for word in (PATIENT, judged["candidate"], judged["status"], seal["digest"], "Transmission log", "Access log"):
        assert word.encode() in words


def said(pages: bytes) -> bytes:
    """The uncompressed content of every page."""
    import zlib

    streams = [part.split(b"\nendstream")[0] for part in pages.split(b"stream\n")[1::2]]
    return b"".join(zlib.decompress(stream) for stream in streams)


# The paper


@given(st.text(max_size=300), st.floats(20, 400), st.sampled_from([PLAIN, MONO]))
def test_wrapping_loses_no_letter_and_keeps_the_margin(words: str, width: float, font: str) -> None:
    lines = wrapped(words, font, 9, width)
    assert "".join("".join(lines).split()) == "".join(words.split())
    assert all(width_of(line, font, 9) <= width or len(line) == 1 for line in lines)


@given(st.lists(st.tuples(st.text(max_size=40), st.text(max_size=200)), max_size=60))
def test_any_text_makes_pages(rows: list[tuple[str, str]]) -> None:
    paper = Paper("x")
    paper.heading("Heading")
    paper.table([Column("a", 100), Column("b", 200, MONO)], rows)
    paper.pairs(rows)
    assert paper.written().rstrip().endswith(b"%%EOF")


def test_a_letter_the_fonts_lack_is_named_and_not_dropped() -> None:
    paper = Paper("x")
    paper.text("Łódź (50 %)")
    assert rb"\\u0141\363d\\u017a" in said(paper.written()) or rb"\\u0141" in said(paper.written())


def test_a_row_higher_than_a_page_still_ends() -> None:
    paper = Paper("x")
    paper.table([Column("a", 30)], [["word " * 600]])
    assert paper.written()


# The command


def command(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", "--config", str(config), *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_export_verify_and_assess_on_the_command_line(tmp_path: Path) -> None:
    filed(tmp_path, 3)
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(folder=tmp_path, size=64) + UPLOAD)
    packet, page, table = tmp_path / "p.json", tmp_path / "p.pdf", tmp_path / "p.zip"
    for form, file in (("json", packet), ("pdf", page), ("csv", table)):
        done = command(config, "evidence", "export", PATIENT, "--period", "1", "--format", form, "--out", str(file))
        assert (done.returncode, done.stderr) == (0, "")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert page.read_bytes().startswith(b"%PDF")
    assert zipfile.is_zipfile(table)
    assert command(config, "evidence", "verify", str(packet)).returncode == 0
    told = json.loads(command(config, "evidence", "verify", str(packet), "--json").stdout)
    assert (told["ok"], told["altered"]) == (True, None)
    assert command(config, "evidence", "verify", str(packet), "--key", "00").returncode == 65
    judged = json.loads(command(config, "assess", str(packet), "--json").stdout)
    assert judged == json.loads(packet.read_text())["assessment"]
    shown = command(config, "evidence", "export", PATIENT, "--period", "1")
    assert json.loads(shown.stdout)["patient"] == PATIENT
    days = command(config, "days", PATIENT, "--period", "1")
    assert "3 measured, 3 claimable, 3 received" in days.stdout
    assert json.loads(command(config, "days", PATIENT, "--period", "1", "--json").stdout)["patient"] == PATIENT


@pytest.mark.parametrize(
    ("words", "code", "said_"),
    [
        (("days", "pt-0"), 65, "enrolled here"),
        (("days", PATIENT, "--period", "0"), 65, "counted from 1"),
        (("days", PATIENT, "--period", "99999"), 65, "counted from 1"),
        (("evidence", "export", PATIENT, "--program", "RTM"), 65, "not enrolled"),
        (("evidence", "export", PATIENT, "--period", "1", "--out", "/nowhere/x.json"), 69, "--out"),
        (("evidence", "verify", "/nowhere.json"), 69, "cannot be read"),
        (("evidence", "verify", "README.md"), 65, "not JSON"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_sentence(
    tmp_path: Path, words: tuple[str, ...], code: int, said_: str
) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(folder=tmp_path, size=64))
    filed(tmp_path, 1)
    done = command(config, *words)
    assert done.returncode == code
    assert said_ in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_stretch_of_many_foreign_records_is_told_by_its_two_ends(tmp_path: Path) -> None:
    async def run() -> Json:
        async with hub(tmp_path) as made:
            await furnish(made)
            for n in range(2):
                await made.measure(FIRST + timedelta(days=n + 1))
                for minute in range(130 if n == 0 else 3):
                    await made.weigh(FIRST + timedelta(days=n + 1, minutes=minute + 1))
            await made.measure(FIRST + timedelta(days=3))
            return await made.packet()

    links = asyncio.run(run())["links"]
    assert [link["to_seq"] - link["seq"] + 1 for link in links if link["seq"] > 8] == [1, 1, 130, 1, 1, 1]


def test_what_retention_took_is_said_and_not_taken_for_silence(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path) as made:
            await furnish(made)
            await live(made, 20)
            assert (await made.ask("days", patient=PATIENT))["notes"] == []
            made.at(FIRST + timedelta(days=100))
            assert await made.store.purge()
            days = await made.ask("days", patient=PATIENT, period=1)
            assert days["days"]["measured"] < 18
            assert "no longer on this hub" in days["notes"][0]
            packet = await made.packet(period=1)
            assert packet["notes"][0] == days["notes"][0]
            assert verified(json.dumps(packet).encode(), profiles()).altered is None
            assert (await made.ask("days", patient=PATIENT))["notes"] == []

    asyncio.run(run())
