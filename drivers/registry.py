"""
Finds every device file. No list is edited; no driver may be quietly missing.

Third-party drivers come by the entry point group `vitals_gateway.drivers`, each naming a Driver. Two drivers with one
name, or a file that does not import, stop the start: first-wins would let a stranger's file read a patient's cuff.
"""

import pkgutil
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import NoReturn

import drivers.devices
from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from gateway.core.errors import NotThere, UnknownLayout
from gateway.core.reading import Frame

ENTRY_POINTS = "vitals_gateway.drivers"


def _no_topic(_frame: Frame) -> NoReturn:
    raise UnknownLayout("No configured topic matches this message; add one with its driver, or stop its sender.")


# What a transport names where no configured driver is responsible, such as a message a broker still held under a
# filter since taken out: it reads nothing, so intake keeps the frame aside with this reason. Not in the catalogue.
UNROUTED = Driver(
    name="unrouted",
    version=1,
    link=Link.MQTT,
    sources={PAYLOAD: _no_topic},
    models=(),
    reads=(),
    grade=Grade.D,
    documented="reads nothing",
    form=Form.TEXT,
)


@cache
def find() -> dict[str, Driver]:
    """Every driver by name, in order of name."""
    table: dict[str, Driver] = {}
    for driver in [*_own(), *_third_party()]:
        if driver.name in table:
            raise NotThere(f"Two drivers are named {driver.name}; remove one of them.")
        table[driver.name] = driver
    return dict(sorted(table.items()))


@cache
def named(name: str) -> Driver:
    """One driver, without importing the others where its file carries its name; raises NotThere."""
    if name == UNROUTED.name:
        return UNROUTED
    try:
        module = import_module(f"drivers.devices.{name.replace('-', '_')}")
    except ModuleNotFoundError:
        module = None
    if module is not None and module.DRIVER.name == name:
        found: Driver = module.DRIVER
        return found
    if name not in find():
        raise NotThere(f"There is no driver named {name}; `vitals-gateway drivers` lists them.")
    return find()[name]


def lookup(mapped: Iterable[Driver]) -> Callable[[str], Driver]:
    """`named`, for the drivers of these mapping files as well; raises NotThere."""
    table = {driver.name: driver for driver in mapped}
    return lambda name: table[name] if name in table else named(name)


def _own() -> Iterator[Driver]:
    for found in pkgutil.iter_modules(drivers.devices.__path__):
        yield import_module(f"drivers.devices.{found.name}").DRIVER


def _third_party() -> Iterator[Driver]:
    from importlib.metadata import entry_points  # 30 ms on a desktop, and only the whole catalogue needs it

    for entry in entry_points(group=ENTRY_POINTS):
        yield entry.load()
