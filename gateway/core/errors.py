"""
Every error the gateway raises on purpose, and what each asks for.

    GatewayError
    |-- DecodeError     SKIP   these bytes: keep them aside, go on
    |   |-- Truncated          the frame ends inside a field
    |   |-- Leftover           bytes follow the last field of a frame of fixed length
    |   |-- BadChecksum        the frame's own check does not hold
    |   |-- UnknownLayout      not a frame this driver knows
    |   `-- BadValue           a field holds what its maker never sends: a wrong unit, type, time or number
    |-- LinkError       RETRY  this link: back off, start it again
    |   |-- LinkLost
    |   |-- LinkTimeout
    |   `-- NotPaired
    |-- Refused         HOLD   a person must act; everything is kept meanwhile
    |   |-- BadCredentials
    |   `-- WrongDevice
    |-- StoreFull       RETRY  no room: the source keeps its data, unacknowledged
    |-- StoreBroken     STOP   no durable home: leave, exit 74
    |-- ConfigInvalid   STOP   exit 78, before anything starts
    |-- NotThere        STOP   something needed is not there: exit 69
    `-- BadInput        STOP   what a person gave cannot be used: exit 65

Messages are one plain sentence: what happened and what to do next. Causes are chained with `from`, never pasted in.
"""

from enum import IntEnum


class Remedy(IntEnum):
    """What follows from an error; a higher number is graver."""

    SKIP = 0
    RETRY = 1
    HOLD = 2
    STOP = 3


class Exit(IntEnum):
    """The exit codes of sysexits.h that the command uses."""

    OK = 0
    USAGE = 2
    DATA = 65
    UNAVAILABLE = 69
    SOFTWARE = 70
    STORE = 74
    CONFIG = 78


class GatewayError(Exception):
    """The root: what the gateway raises on purpose."""

    remedy = Remedy.STOP
    exit_code = Exit.SOFTWARE


class DecodeError(GatewayError):
    """These bytes are not a frame this driver can read."""

    remedy = Remedy.SKIP
    exit_code = Exit.DATA


class Truncated(DecodeError):
    """The frame ends inside a field."""


class Leftover(DecodeError):
    """Bytes follow the last field of a frame whose length its maker fixed."""


class BadChecksum(DecodeError):
    """The frame's own check does not hold."""


class UnknownLayout(DecodeError):
    """Not a frame this driver knows."""


class BadValue(DecodeError):
    """A field holds what its maker never sends: a wrong unit, type, time or number."""


class LinkError(GatewayError):
    """A link to a device, broker or backend failed; it may work again later."""

    remedy = Remedy.RETRY
    exit_code = Exit.UNAVAILABLE


class LinkLost(LinkError):
    """The link was there and is gone."""


class LinkTimeout(LinkError):
    """The other side did not answer in time."""


class NotPaired(LinkError):
    """The device asks for a bond this hub does not hold."""


class Refused(GatewayError):
    """The other side says no until a person acts. Data is kept meanwhile."""

    remedy = Remedy.HOLD
    exit_code = Exit.UNAVAILABLE


class BadCredentials(Refused):
    """The token, password or certificate is not accepted."""


class WrongDevice(Refused):
    """Not the device that was registered."""


class StoreFull(GatewayError):
    """No room: nothing was kept, so nothing may be acknowledged."""

    remedy = Remedy.RETRY
    exit_code = Exit.STORE


class StoreBroken(GatewayError):
    """The store cannot keep anything."""

    remedy = Remedy.STOP
    exit_code = Exit.STORE


class ConfigInvalid(GatewayError):
    """The configuration has mistakes; `mistakes` holds a sentence for each."""

    exit_code = Exit.CONFIG

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class NotThere(GatewayError):
    """Something needed is not there: the daemon, a file, a system package."""

    exit_code = Exit.UNAVAILABLE


class BadInput(GatewayError):
    """What a person gave cannot be used."""

    exit_code = Exit.DATA


def remedy_of(error: BaseException) -> Remedy:
    """The remedy of an error; of a group, its gravest member's. An error not of ours is a bug: STOP."""
    cause = gravest(error)
    return cause.remedy if isinstance(cause, GatewayError) else Remedy.STOP


def gravest(error: BaseException) -> BaseException:
    """The error itself; of a group, which is how tasks side by side end, its gravest member."""
    while isinstance(error, BaseExceptionGroup):
        error = max(error.exceptions, key=remedy_of)
    return error
