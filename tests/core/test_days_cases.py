"""The worked cases with their full inputs; origin in cases/README.md."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.core.bundles import assessed

CASES = json.loads(Path(__file__).with_name("cases").joinpath("billing-cases.json").read_text("utf-8"))


def test_the_cases_are_all_here() -> None:
    assert len(CASES) == 44


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['case']} {case['name']}")
def test_a_worked_case_comes_out_as_worked(case: dict[str, Any]) -> None:
    assert assessed(case["bundle"]).as_json() == case["expected"]
