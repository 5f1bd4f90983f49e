"""
Opening a serial port: the only module that imports pyserial.

Exclusive (flock): a second program that asks for the lock is refused, and so are we. What stood in the port's buffer at
opening is thrown away by pyserial: nobody knows when it was sent.
"""

import contextlib
import errno
import os
import termios
from collections.abc import Iterator

import serial

from drivers.framing import SerialLine
from drivers.transports.serial_options import SerialOptions
from gateway.core.errors import LinkLost, Refused

_IN_USE = frozenset({errno.EAGAIN, errno.EACCES, errno.EBUSY})


@contextlib.contextmanager
def opened(options: SerialOptions, line: SerialLine) -> Iterator[int]:
    """The port's file descriptor, non-blocking; raises LinkLost, or Refused where only a person can help."""
    mode = options.mode or line.mode
    try:
        port = serial.Serial(
            str(options.port.resolve()),
            baudrate=options.baud or line.baud,
            bytesize=int(mode[0]),
            parity=mode[1],
            stopbits=int(mode[2]),
            timeout=0,
            exclusive=True,
        )
    except (OSError, ValueError, termios.error) as error:
        raise _refusal(options, error) from error
    with port:
        yield port.fileno()
        with contextlib.suppress(OSError, serial.SerialException):
            port.reset_output_buffer()  # or closing waits for a device that takes nothing any more


def _refusal(options: SerialOptions, error: Exception) -> LinkLost | Refused:
    code = _code(error)
    if isinstance(error, ValueError):
        return Refused("The port does not know this speed or mode; check baud and mode of this source.")
    if code == errno.EACCES and not os.access(options.port, os.R_OK | os.W_OK):
        return Refused("The service may not open this port; give it the group of the port, on Debian dialout.")
    if code in _IN_USE:
        return Refused("Another program holds this port; end it, or take the port out of its settings.")
    if code in (errno.ENOTTY, errno.EINVAL):
        return Refused("What stands at this source's port is no serial port; correct port.")
    return LinkLost("The port could not be opened; it is tried again.")


def _code(error: BaseException | None) -> int | None:
    """The number of a system error, where pyserial or termios hide it."""
    if error is None:
        return None
    found = getattr(error, "errno", None) or (error.args[0] if isinstance(error, termios.error) else None)
    return found if isinstance(found, int) else _code(error.__context__)
