"""
The dated rule profiles and the regulatory catalogue that come with the program.

`config/rules/<name>.toml` is one profile, `config/devices.toml` the catalogue. Both are data with sources; a mistake in
them is a mistake in the installation and stops the command.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from gateway.core.catalogue import Evidence, Listed
from gateway.core.errors import ConfigInvalid
from gateway.core.reading import Metric
from gateway.core.rules import Band, Minimum, Program, Rules

# Dated: when the next profile is in force, this name changes with its release.
DEFAULT = "us-medicare-2026"


@cache
def profiles() -> Mapping[str, Rules]:
    """Every profile by name; raises ConfigInvalid with a sentence for each that cannot be read."""
    return read_profiles(resources.files("config").joinpath("rules"))


def read_profiles(folder: Traversable) -> Mapping[str, Rules]:
    """The profiles of a folder, in order of name; raises ConfigInvalid."""
    found: dict[str, Rules] = {}
    mistakes: list[str] = []
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".toml"):
            continue
        try:
            rules = read_profile(file.read_text("utf-8"))
        except ValueError as error:
            mistakes.append(f"The rule profile {file.name} cannot be used: {error}; install the program again.")
        else:
            found[rules.name] = rules
    if mistakes:
        raise ConfigInvalid(mistakes)
    return dict(sorted(found.items()))


def read_profile(text: str) -> Rules:
    """A profile from its TOML; raises ValueError with what is wrong."""
    try:
        table = tomllib.loads(text)
        return _rules(table)
    except KeyError as error:
        raise ValueError(f"{error.args[0]} is missing") from error
    except TypeError as error:
        raise ValueError("a value is of the wrong type") from error


def _rules(table: dict[str, Any]) -> Rules:
    return Rules(
        name=table["name"],
        title=table["title"],
        program=Program(table["program"]),
        metric=Metric(table["metric"]),
        self_report_counts=table["self_report_counts"],
        period_days=table["period_days"],
        future_tolerance_s=table["future_tolerance_s"],
        bands=tuple(Band(b["code"], b["days_min"], b["days_max"], b["since"]) for b in table["band"]),
        setup_code=table["setup"]["code"],
        setup_minimum=tuple(Minimum(m["since"], m["days"]) for m in table["setup"]["minimum"]),
        check_days=tuple(table["check_days"]),
    )


def rules_in_force() -> Rules:
    """The profile a reading is judged by where its patient's enrolment names none."""
    return profiles()[DEFAULT]


@cache
def catalogue() -> tuple[Listed, ...]:
    """The regulatory catalogue; raises ConfigInvalid where it cannot be read."""
    return read_catalogue(resources.files("config").joinpath("devices.toml").read_text("utf-8"))


def read_catalogue(text: str) -> tuple[Listed, ...]:
    """A catalogue from its TOML; raises ConfigInvalid."""
    try:
        entries = tomllib.loads(text)["device"]
        return tuple(Listed(entry["maker"], model, _evidence(entry)) for entry in entries for model in entry["models"])
    except (ValueError, KeyError) as error:
        raise ConfigInvalid(["The device catalogue devices.toml cannot be used; install the program again."]) from error


def _evidence(entry: dict[str, Any]) -> Evidence:
    return Evidence(
        status=entry["status"],
        specific_code=entry.get("specific_code"),
        clearance=entry.get("clearance"),
        source=entry["source"],
        checked=str(entry["checked"]),
    )
