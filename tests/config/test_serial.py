"""The [[serial]] tables: every mistake with its sentence, and what is taken without being said."""

from pathlib import Path

import pytest

from config.load import parse
from gateway.core.errors import ConfigInvalid
from gateway.core.reading import DeviceIdentity

GOOD = '[hub]\nid = "h"\nsite = "clinic"\ntimezone = "UTC"\n[buffer]\npath = "/b.db"\nkey = "none"\n'
PORT = '[[serial]]\nname = "desk"\nport = "/dev/serial/by-id/usb-x"\ndriver = "serial-tanita"\ndevice = "tanita:1"\n'


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigInvalid) as found:
        parse(GOOD + text)
    return found.value.mistakes


def test_a_port_is_read() -> None:
    (port,) = parse(GOOD + PORT).serial
    assert (port.name, port.port) == ("desk", Path("/dev/serial/by-id/usb-x"))
    assert (port.driver, port.source, port.device) == ("serial-tanita", "bd815u", DeviceIdentity(id="tanita:1"))
    assert (port.baud, port.mode, port.ask) == (None, None, False)


def test_speed_and_mode_may_be_others() -> None:
    (port,) = parse(GOOD + PORT + 'baud = 4800\nmode = "7E1"\n').serial
    assert (port.baud, port.mode) == (4800, "7E1")


def test_a_meter_that_names_itself_needs_no_device() -> None:
    text = PORT.replace("serial-tanita", "serial-onetouch-ultra2").replace('device = "tanita:1"', "ask = true")
    (port,) = parse(GOOD + text).serial
    assert (port.device, port.ask) == (None, True)


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ('driver = "serial-tanita"', 'driver = "stel"', "a serial port needs another"),
        ('driver = "serial-tanita"', 'driver = "nothing"', "names no driver"),
        ('device = "tanita:1"\n', "", "serial[0].device is missing"),
        ('device = "tanita:1"', 'device = "scale"', "NAMESPACE:ID"),
        ('port = "/dev/serial/by-id/usb-x"', 'port = "COM3"', "must be an absolute path"),
        ('name = "desk"\n', "", "serial[0].name is missing"),
        ('name = "desk"', 'name = "desk"\nsource = "df2"', "must be"),
        ('name = "desk"', 'name = "desk"\nbaud = 1234', "a speed serial ports have"),
        ('name = "desk"', 'name = "desk"\nbaud = true', "a speed serial ports have"),
        ('name = "desk"', 'name = "desk"\nmode = "9N1"', "must be"),
        ('name = "desk"', 'name = "desk"\nask = true', "nothing it may ask"),
        ('name = "desk"', 'name = "desk"\nspeed = 9600', "is not a known key"),
    ],
)
def test_a_mistake_is_named(before: str, after: str, sentence: str) -> None:
    found = mistakes(PORT.replace(before, after))
    assert len(found) == 1
    assert sentence in found[0]
    assert found[0].startswith("line ")


def test_a_driver_of_several_formats_needs_its_source() -> None:
    (found,) = mistakes(PORT.replace("serial-tanita", "serial-nonin"))
    assert "serial[0].source is missing" in found


def test_two_sources_do_not_share_a_port_or_a_name() -> None:
    assert len(mistakes(PORT + PORT)) == 2
