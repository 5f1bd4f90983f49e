"""The rule profiles and the catalogue that come with the program."""

import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from config.rules import DEFAULT, catalogue, profiles, read_catalogue, read_profile, read_profiles, rules_in_force
from gateway.core.catalogue import UNKNOWN, look_up
from gateway.core.errors import ConfigInvalid
from gateway.core.reading import Metric
from gateway.core.rules import Program, program_of

TEXT = resources.files("config").joinpath("rules", f"{DEFAULT}.toml").read_text("utf-8")


def test_a_profile_stands_in_the_file_of_its_name() -> None:
    names = {file.name.removesuffix(".toml") for file in resources.files("config").joinpath("rules").iterdir()}
    assert {f"{name}" for name in profiles()} == names - {"__pycache__"}


def test_the_profile_in_force_is_this_years() -> None:
    rules = rules_in_force()
    assert (rules.name, rules.threshold, rules.setup_code) == ("us-medicare-2026", 16, "99453")
    assert [rules.code(days) for days in (0, 1, 2, 15, 16, 30)] == ["none", "none", "99445", "99445", "99454", "99454"]


def test_no_profile_holds_a_rate() -> None:
    for file in resources.files("config").joinpath("rules").iterdir():
        assert not re.search(r"\$|\brvu\b|amount", file.read_text("utf-8"), re.IGNORECASE)


def test_no_profile_of_rpm_counts_self_reports() -> None:
    assert {rules.program for rules in profiles().values() if rules.self_report_counts} == {Program.RTM}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("self_report_counts = false", "self_report_counts = true", "cannot be true for RPM"),
        ("days_max = 15", "days_max = 16", "must not overlap"),
        ("days_max = 15", "days_max = 1", "must ascend"),
        ("days_min = 2\n", "days_min = 0\n", "within the days of a period"),
        ("period_days = 30", "period_days = 15", "within the days of a period"),
        ('program = "RPM"', 'program = "XYZ"', "XYZ"),
        ('title = "', 'titel = "', "title is missing"),
        ("[[band]]", "[[bands]]", "band is missing"),
        ("check_days = [10, 20]", "check_days = 10", "of the wrong type"),
        ("period_days = 30", 'period_days = "30"', "of the wrong type"),
        ("[setup]", "[setup", "line"),
    ],
)
def test_a_profile_with_a_mistake_is_refused(old: str, new: str, words: str) -> None:
    assert old in TEXT
    with pytest.raises(ValueError, match=words):
        read_profile(TEXT.replace(old, new))


def test_every_profile_that_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    for name, text in (("one", TEXT), ("two", "name ="), ("three", 'name = "three"')):
        tmp_path.joinpath(f"{name}.toml").write_text(text)
    tmp_path.joinpath("README").write_text("not a profile")
    with pytest.raises(ConfigInvalid) as caught:
        read_profiles(tmp_path)
    assert [sentence.split()[3] for sentence in caught.value.mistakes] == ["three.toml", "two.toml"]


@pytest.mark.parametrize("text", ["[[device]", '[[device]]\nmaker = "A&D"', ""])
def test_a_broken_catalogue_is_refused(text: str) -> None:
    with pytest.raises(ConfigInvalid, match="install the program again"):
        read_catalogue(text)


def test_a_profile_needs_bands_and_a_minimum() -> None:
    head = TEXT.split("[[band]]")[0]
    minimum = '[setup]\ncode = "99453"\n'
    with pytest.raises(ValueError, match="within the days"):
        read_profile(f"band = []\n{head}{minimum}[[setup.minimum]]\nsince = 2019-01-01\ndays = 16\n")
    with pytest.raises(ValueError, match=r"setup\.minimum"):
        read_profile(f"{TEXT.split('[[setup.minimum]]')[0]}minimum = []\n")


def test_before_its_first_date_the_oldest_minimum_stands() -> None:
    rules = profiles()["us-medicare-2026-rtm-cbt"]
    oldest = rules.setup_minimum[0].since
    assert rules.setup_days(oldest.replace(year=oldest.year - 1)) == 16


@pytest.mark.parametrize(
    ("metric", "program"),
    [(Metric.PHYSIOLOGIC, Program.RPM), (Metric.THERAPEUTIC, Program.RTM), (Metric.TECHNICAL, None)],
)
def test_the_class_of_data_gives_the_program(metric: Metric, program: Program | None) -> None:
    assert program_of(metric) is program


def test_every_entry_of_the_catalogue_has_a_source_a_number_and_a_date() -> None:
    seen: set[Any] = set()
    for listed in catalogue():
        assert listed.evidence.status == "device_201h"
        assert re.fullmatch(r"K\d{6}", listed.evidence.clearance or "")
        assert str(listed.evidence.clearance) in str(listed.evidence.source)
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", listed.evidence.checked or "")
        seen.add((listed.maker, listed.model))
    assert len(seen) == len(catalogue())


@pytest.mark.parametrize(
    ("model", "maker", "clearance"),
    [
        ("UA-651", "A&D Medical", "K141160"),
        (" ua-651 ", "a&d medical", "K141160"),
        ("A&D UA-651", None, "K141160"),
        ("UA-651", None, None),  # a short name means nothing without its maker
        ("UA-651BLE", "A&D Medical", None),  # a variant is another model until a source says otherwise
        ("UC-352BLE", "A&D Medical", None),
        ("3230", "Somebody else", None),
        (None, None, None),
        ("", "Nonin", None),
    ],
)
def test_a_model_is_looked_up_by_exact_name_and_maker(
    model: str | None, maker: str | None, clearance: str | None
) -> None:
    found = look_up(catalogue(), model, maker)
    assert found.clearance == clearance
    assert (found is UNKNOWN) is (clearance is None)
