"""The [[serial]] tables: what is plugged into which port."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from config.section import Section
from config.webhook import device_id
from drivers.contract import Driver, Link
from drivers.framing import SerialLine
from drivers.transports.serial_options import SerialOptions
from gateway.core.errors import NotThere

_BAUDS = (1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200)
_MODES = ("8N1", "8E1", "8O1", "8N2", "7E1", "7O1")


def read_serial(top: Section, named: Callable[[str], Driver]) -> tuple[SerialOptions, ...]:
    """Every port; `named` finds a driver."""
    found = tuple(_port(table, named) for table in top.tables("serial"))
    for key in ("name", "port"):
        values = [getattr(source, key) for source in found]
        if len(set(values)) != len(values):
            top.wrong("serial", f"has two sources of one {key}; give each its own")
    return found


def _port(table: Section, named: Callable[[str], Driver]) -> SerialOptions:
    driver = table.get("driver", lambda value: _driver(named, value), required=True)
    source, line = _source(table, driver)
    options = SerialOptions(
        name=table.text("name", "serial", required=True),
        port=table.file("port", required=True) or Path("/"),
        driver=driver.name if driver else "",
        source=source,
        device=table.get("device", device_id, required=line is not None and not line.names),
        baud=table.get("baud", lambda value: _one_of(value, _BAUDS)),
        mode=table.choice("mode", _MODES),
        ask=table.flag("ask"),
    )
    if options.ask and line is not None and not line.asks:
        table.wrong("ask", "has no meaning here: this driver knows nothing it may ask; the device sends on its own")
    table.end()
    return options


def _driver(named: Callable[[str], Driver], value: Any) -> Driver:
    try:
        driver = named(value if isinstance(value, str) else "")
    except NotThere as error:
        raise ValueError("names no driver; `vitals-gateway drivers` lists them") from error
    if driver.link is not Link.SERIAL:
        raise ValueError(f"names a driver of {driver.link} devices; a serial port needs another")
    return driver


def _source(table: Section, driver: Driver | None) -> tuple[str, SerialLine | None]:
    """Which of its formats, and how that comes over a port."""
    if driver is None:
        table.has("source")
        return "", None
    only = next(iter(driver.sources)) if len(driver.sources) == 1 else None
    source = table.choice("source", tuple(driver.sources), only, required=only is None)
    return source or "", driver.lines.get(source)


def _one_of(value: Any, words: tuple[int, ...]) -> int:
    if value not in words or isinstance(value, bool):
        raise ValueError("must be a speed serial ports have: " + ", ".join(map(str, words)))
    return int(value)
