"""The machine's image and the project's code on a disk, once for all tests."""

import os
from pathlib import Path

import pytest

from tests.vm.machine import make_code_disk


@pytest.fixture(scope="session")
def image() -> Path:
    folder = Path(os.environ.get("VM_IMAGE", ""))
    if not (folder / "made-from").is_file():
        pytest.fail("These tests need a virtual machine's image; run them with `make test-vm`, which builds it.")
    return folder


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vm") / "code.img"
    make_code_disk(path)
    return path
