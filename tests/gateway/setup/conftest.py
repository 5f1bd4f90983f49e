"""A hub at a visit: one for a module's tests, each with devices and patients of its own, or one of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.setup.clinic import Clinic, Visitor, opened


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    """Broker, backend and daemon, running."""
    with opened(tmp_path_factory.mktemp("clinic")) as made:
        yield made


@pytest.fixture
def visitor(standing: Clinic) -> Visitor:
    """A patient and a cuff nobody else uses, at the standing hub."""
    standing.visitors += 1
    return Visitor(standing, standing.visitors)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Visitor]:
    """A hub of the test's own, whose processes it may kill."""
    with opened(tmp_path) as made:
        yield Visitor(made, 1)
