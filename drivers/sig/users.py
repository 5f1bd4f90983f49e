"""
User Control Point (0x2A9F): a scale gives a person's data only to who consents for them.

Source: Bluetooth SIG, User Data Service 1.1, GATT Specification Supplement. Deleting a user deletes the measurements,
so no such command can be made here.
"""

from typing import NamedTuple

from drivers.fields import Fields
from gateway.core.errors import UnknownLayout

_REGISTER, _CONSENT, _ANSWER = 0x01, 0x02, 0x20
_WORDS = ("reserved", "success", "op_code_not_supported", "parameter_invalid", "failed", "not_authorised")

# Fixed by the makers and public: Omron's SIG models; Nipro's and A&D's body composition scale.
OMRON_CODE, NBCM_CODE = 0x020E, 0x07E2


class Answer(NamedTuple):
    """What the scale says to a command; `slot` is the new user's where one was registered."""

    request: int
    word: str
    slot: int | None = None


def register(code: int) -> bytes:
    """The command that makes a new user with this consent code (0 to 9999)."""
    return bytes((_REGISTER,)) + code.to_bytes(2, "little")


def consent(slot: int, code: int) -> bytes:
    """The command that opens a user's data."""
    return bytes((_CONSENT, slot)) + code.to_bytes(2, "little")


def read_answer(payload: bytes) -> Answer:
    """An indication of 0x2A9F; raises Truncated or UnknownLayout."""
    fields = Fields(payload)
    if fields.u8() != _ANSWER:
        raise UnknownLayout("The user control point answers with 20.")
    request, code = fields.u8(), fields.u8()
    word = _WORDS[code] if code < len(_WORDS) else "reserved"
    slot = fields.u8() if request == _REGISTER and word == "success" else None
    return Answer(request, word, slot)
