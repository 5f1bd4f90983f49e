"""
A broker on a raw socket, for what mosquitto cannot be made to do: wrong answers, silence, packet ids of choice.

It holds one session: what a client has not acknowledged is sent again, marked DUP, on the next connection. The contract
test in tests/peers runs against this and against mosquitto. Bytes: MQTT 5 and 3.1.1, chapters 2 and 3.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = 1, 2, 3, 4, 8, 9, 10, 11
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14


@dataclass(slots=True)
class FakeBroker:
    """
    One session on loopback.

    `heard` is every packet of every connection in order, as (connection, type, body); connections count from 1.
    `connack` and `suback` are the reason codes given; an empty `suback` grants what was asked. Without `answers_pings`
    it is a broker whose process hangs while its kernel keeps the connection.
    """

    connack: int = 0
    suback: tuple[int, ...] = ()
    answers_pings: bool = True
    heard: list[tuple[int, int, bytes]] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    version: int = 0
    unacknowledged: dict[int, bytes] = field(default_factory=dict)
    writer: asyncio.StreamWriter | None = None
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, topic: str | bytes, payload: bytes, mid: int = 1, *, qos: int = 1, flags: int = 0) -> None:
        """Send a PUBLISH; with QoS 1 it is sent again until acknowledged."""
        name = topic.encode() if isinstance(topic, str) else topic
        body = len(name).to_bytes(2, "big") + name + (mid.to_bytes(2, "big") if qos else b"")
        body += (b"\0" if self.version == 5 else b"") + payload
        if qos:
            self.unacknowledged[mid] = body
        self.send(PUBLISH, body, flags | qos << 1)

    def send(self, kind: int, body: bytes, flags: int = 0) -> None:
        """Send any packet."""
        self.send_raw(bytes([kind << 4 | flags]) + _length(len(body)) + body)

    def send_raw(self, raw: bytes) -> None:
        """Send any bytes."""
        assert self.writer
        self.writer.write(raw)

    def drop(self) -> None:
        """Cut the connection."""
        assert self.writer
        self.writer.transport.abort()

    def packets(self, kind: int) -> list[tuple[int, bytes]]:
        """Every packet of one type so far, as (connection, body)."""
        return [(connection, body) for connection, found, body in self.heard if found == kind]

    async def saw(self, kind: int, count: int = 1) -> list[tuple[int, bytes]]:
        """The packets of one type, once there are `count`."""
        while len(self.packets(kind)) < count:
            self._more.clear()
            await self._more.wait()
        return self.packets(kind)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until it ends."""
        self.connections += 1
        connection, self.writer = self.connections, writer
        try:
            while True:
                kind, body = await _packet(reader)
                self._answer(kind, body)
                self.heard.append((connection, kind, body))
                self._more.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, kind: int, body: bytes) -> None:
        none = b"\0" if self.version == 5 else b""
        if kind == CONNECT:
            self._accept(body)
        elif kind == SUBSCRIBE:
            self.send(SUBACK, body[:2] + none + bytes(self.suback or [1] * self._filters(body, options=1)))
            self._send_again()
        elif kind == UNSUBSCRIBE:
            codes = bytes(self._filters(body, options=0)) if self.version == 5 else b""
            self.send(UNSUBACK, body[:2] + none + codes)
        elif kind == PUBACK:
            self.unacknowledged.pop(int.from_bytes(body[:2], "big"), None)
        elif kind == PINGREQ and self.answers_pings:
            self.send(PINGRESP, b"")

    def _accept(self, body: bytes) -> None:
        self.version = 5 if body[6] == 5 else 3
        resumed = bool(self.unacknowledged) and not self.connack
        self.send(CONNACK, bytes([resumed, self.connack]) + (b"\0" if self.version == 5 else b""))
        if self.connack:
            assert self.writer
            self.writer.close()

    def _send_again(self) -> None:
        for body in self.unacknowledged.values():
            self.send(PUBLISH, body, 0b1010)

    def _filters(self, body: bytes, *, options: int) -> int:
        at, count = 3 if self.version == 5 else 2, 0
        while at < len(body):
            at += 2 + int.from_bytes(body[at : at + 2], "big") + options
            count += 1
        return count


@asynccontextmanager
async def serving(broker: FakeBroker) -> AsyncIterator[FakeBroker]:
    """Listen on a free port of loopback."""
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    try:
        yield broker
    finally:
        server.close()
        if broker.writer:
            broker.writer.close()
        await server.wait_closed()


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    (first,) = await reader.readexactly(1)
    size = shift = 0
    while True:
        (byte,) = await reader.readexactly(1)
        size |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            return first >> 4, await reader.readexactly(size)


def _length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, byte = size >> 7, size & 127
        out.append(byte | (128 if size else 0))
        if not size:
            return bytes(out)
