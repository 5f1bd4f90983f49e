"""Law: a device is one code file and one vectors file, and nothing else."""

import tomllib

from drivers import registry
from tests.law.source import ROOT, listed

DEVICES = ROOT / "drivers" / "devices"
VECTORS = ROOT / "tests" / "vectors"


def devices() -> set[str]:
    """The stems of the device files."""
    return {path.stem for path in DEVICES.glob("*.py") if not path.stem.startswith("_")}


def vectors() -> dict[str, list[dict[str, object]]]:
    """Stem -> its vectors; a file without any is another list (the fixed names), not a driver's."""
    found = {path.stem: tomllib.loads(path.read_text("utf-8")).get("vector", []) for path in VECTORS.glob("*.toml")}
    return {stem: rows for stem, rows in found.items() if rows}


def test_every_driver_has_vectors_and_every_vectors_file_its_driver() -> None:
    assert devices(), "No device file was found."
    breaches = [f"tests/vectors/{name}.toml is not there, or is empty" for name in sorted(devices() - set(vectors()))]
    breaches += [f"drivers/devices/{name}.py is not there" for name in sorted(set(vectors()) - devices())]
    assert not breaches, listed(breaches, "Each device file has its vectors file, under the same name.")


def test_a_drivers_file_carries_its_name() -> None:
    assert devices() <= {name.replace("-", "_") for name in registry.find()}


def test_every_vector_says_who_says_so() -> None:
    breaches = [
        f"{stem}.toml vector {index}"
        for stem, rows in vectors().items()
        for index, vector in enumerate(rows, start=1)
        if not str(vector.get("source", "")).strip()
    ]
    assert not breaches, listed(breaches, "A vector without a source proves only that the driver agrees with itself.")
