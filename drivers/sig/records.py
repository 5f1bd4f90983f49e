"""
Record Access Control Point (0x2A52): asking a meter or oximeter for what it stored.

Source: Bluetooth SIG, Glucose Service 1.0.1, Pulse Oximeter Service 1.0.1, GATT Specification Supplement. A command
that deletes records cannot be made here, on purpose.
"""

from typing import NamedTuple

from drivers.fields import Fields
from gateway.core.errors import UnknownLayout

_REPORT, _ABORT, _COUNT, _COUNT_ANSWER, _ANSWER = 0x01, 0x03, 0x04, 0x05, 0x06
_NULL, _ALL, _FROM, _LAST = 0x00, 0x01, 0x03, 0x06
_BY_NUMBER = 0x01

REPORT_ALL = bytes((_REPORT, _ALL))
REPORT_LAST = bytes((_REPORT, _LAST))
COUNT_ALL = bytes((_COUNT, _ALL))
ABORT = bytes((_ABORT, _NULL))

_WORDS = (
    "reserved",
    "success",
    "op_code_not_supported",
    "operator_invalid",
    "operator_not_supported",
    "operand_invalid",
    "no_records_found",
    "abort_failed",
    "not_completed",
    "operand_not_supported",
)


class Answer(NamedTuple):
    """
    What the device says to a command.

    request   the command's first byte; None for a count
    word      how it went; `success` and `no_records_found` both end a transfer well
    held      how many records it holds, for a count
    """

    request: int | None
    word: str
    held: int | None = None

    @property
    def is_good(self) -> bool:
        """Whether everything asked for has come."""
        return self.word in ("success", "no_records_found")


def report_from(number: int) -> bytes:
    """The command for every record whose sequence number is at least this one."""
    return bytes((_REPORT, _FROM, _BY_NUMBER)) + number.to_bytes(2, "little")


def count_from(number: int) -> bytes:
    """The command for the number of those records."""
    return bytes((_COUNT, _FROM, _BY_NUMBER)) + number.to_bytes(2, "little")


def read_answer(payload: bytes) -> Answer:
    """An indication of 0x2A52; raises Truncated or UnknownLayout."""
    fields = Fields(payload)
    name, _operator = fields.u8(), fields.u8()
    if name == _COUNT_ANSWER:
        # two bytes in the glucose and oximeter services, four allowed elsewhere
        return Answer(None, "success", fields.u32le() if fields.left() >= 4 else fields.u16le())
    if name != _ANSWER:
        raise UnknownLayout(f"The record access point answers with 05 or 06, not {name:02X}.")
    request, code = fields.u8(), fields.u8()
    return Answer(request, _WORDS[code] if code < len(_WORDS) else "reserved")
