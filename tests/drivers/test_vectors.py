from collections import Counter

import pytest

from drivers import registry
from drivers.contract import Driver
from gateway.core import errors
from gateway.core.errors import DecodeError
from tests.drivers import vectors
from tests.drivers.vectors import Vector

DRIVERS = registry.find()
VECTORS = [vector for name in DRIVERS for vector in vectors.load(name)]

each_driver = pytest.mark.parametrize("driver", DRIVERS.values(), ids=lambda driver: driver.name)
each_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector.driver}:{vector.id}")


@each_driver
def test_every_driver_has_frames_that_somebody_else_explains(driver: Driver) -> None:
    assert any(vector.is_foreign for vector in vectors.load(driver.name))


@each_driver
def test_no_two_vectors_share_a_name(driver: Driver) -> None:
    twice = [name for name, count in Counter(v.id for v in vectors.load(driver.name)).items() if count > 1]
    assert not twice


RELEASED = [(name, source) for name, source in vectors.names() if name in DRIVERS and source is not None]


@pytest.mark.parametrize(("name", "source"), RELEASED)
def test_a_released_name_stays_and_has_frames(name: str, source: str) -> None:
    driver = DRIVERS[name]
    if len(driver.sources) > 1:
        assert source in driver.sources
        assert any(vector.format == source for vector in vectors.load(name))


@each_vector
def test_a_frame_means_what_its_source_says(vector: Vector) -> None:
    driver = DRIVERS[vector.driver]
    if vector.raises is not None:
        with pytest.raises(getattr(errors, vector.raises)) as caught:
            driver.decode(vector.as_frame(driver))
        assert type(caught.value).__name__ == vector.raises
        return
    samples = driver.decode(vector.as_frame(driver))
    assert len(samples) == len(vector.samples)
    for sample, said in zip(samples, vector.samples, strict=True):
        assert vectors.seen(sample, said) == vectors.wanted(said)


@each_vector
def test_a_frame_always_means_the_same(vector: Vector) -> None:
    driver = DRIVERS[vector.driver]
    frame = vector.as_frame(driver)

    def outcome() -> object:
        try:
            return driver.decode(frame)
        except DecodeError as error:
            return type(error), str(error)

    assert outcome() == outcome()
