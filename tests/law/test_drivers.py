"""Law: a device is one code file and one vectors file, and nothing else."""

import tomllib

from drivers import registry
from tests.law.source import ROOT, listed

DEVICES = ROOT / "drivers" / "devices"
VECTORS = ROOT / "tests" / "vectors"


def _stems(paths: list[str]) -> set[str]:
    return {name for name in paths if not name.startswith("_")}


def test_every_driver_has_vectors_and_every_vectors_file_its_driver() -> None:
    code = _stems([path.stem for path in DEVICES.glob("*.py")])
    vectors = _stems([path.stem for path in VECTORS.glob("*.toml")])
    assert code, "No device file was found."
    breaches = [f"tests/vectors/{name}.toml is not there" for name in sorted(code - vectors)]
    breaches += [f"drivers/devices/{name}.py is not there" for name in sorted(vectors - code)]
    assert not breaches, listed(breaches, "Each device file has its vectors file, under the same name.")


def test_a_drivers_file_carries_its_name() -> None:
    code = _stems([path.stem for path in DEVICES.glob("*.py")])
    own = {name.replace("-", "_") for name in registry.find()}
    assert code <= own


def test_every_vector_says_who_says_so() -> None:
    breaches = [
        f"{path.name} vector {index}"
        for path in sorted(VECTORS.glob("*.toml"))
        for index, vector in enumerate(tomllib.loads(path.read_text(encoding="utf-8")).get("vector", [{}]), start=1)
        if not str(vector.get("source", "")).strip()
    ]
    assert not breaches, listed(breaches, "A vector without a source proves only that the driver agrees with itself.")
