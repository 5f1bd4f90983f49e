"""
A OneTouch Ultra2 on its cable: answers DM@, DMF and DMP as the lines of tests/vectors/serial_onetouch_ultra2.toml do.

It knows the commands its driver's sources name, DMZ among them: `erased` says whether anybody sent that.
"""

import asyncio
import re

from tests.peers.serial.desk import Cable

SERIAL = "GCF60CDCY"
_COMMAND = re.compile(rb"\x11\r(DM.)\r")


def checked(text: str) -> bytes:
    """A line with its check."""
    return f"{text} {sum(text.encode()) & 0xFFFF:04X}\r\n".encode()


def record(number: int) -> bytes:
    """A result, each with a time of its own."""
    day, minute = divmod(number, 60)
    return checked(f'P "SAT","11/{1 + day:02}/26","07:{minute:02}:00   ","  {100 + number % 400:03} ","B","00", 00')


class Meter:
    """Answers as long as it is plugged in."""

    def __init__(self, cable: Cable, records: int) -> None:
        self._cable = cable
        self._records = records
        self.asked: list[bytes] = []
        self.erased = False
        self.dumping = asyncio.Event()

    async def serve(self) -> None:
        """Until the test ends it."""
        while True:
            words = await self._cable.heard(b"\r")
            for command in _COMMAND.findall(words):
                self.asked.append(command)
                self.erased |= command == b"DMZ"
                await self._answer(command)

    async def _answer(self, command: bytes) -> None:
        if command == b"DM@":
            await self._cable.send(checked(f'@ "{SERIAL}"'))
        elif command == b"DMF":
            await self._cable.send(checked('F "SAT","11/21/26","08:55:00   "'))
        elif command == b"DMP":
            await self._cable.send(checked(f'P {self._records:03},"{SERIAL}","MG/DL "'))
            for number in range(self._records):
                await self._cable.send(record(number))
                self.dumping.set()
                await asyncio.sleep(0)
