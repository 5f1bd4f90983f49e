"""
Webhooks: from a vendor's POST to `keep`, and only then 200.

`listen` is the life of one address, behind which several sources may stand, each on its path. It ends by raising:
LinkError where it may work again, Refused where a person must act, and what `keep` raised but for StoreFull, which the
vendor hears as 503. Vendors send again what was not answered with 200, most of them for hours or days.

The port is open to everybody, so a stranger costs little: a limit for connections, for the time of a request, for its
head and its body; credentials are looked at before the body is read, where they stand in the head. Whatever one caller
sends ends at most that caller's connection.
"""

import asyncio
import contextlib
import errno
import math
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial

from drivers.contract import Keep
from drivers.payload import PAYLOAD_BYTES_MAX
from drivers.transports.webhook_basket import Basket
from drivers.transports.webhook_credentials import admits_body, admits_head
from drivers.transports.webhook_http import Answer, Exchange, Head, unpacked
from drivers.transports.webhook_options import Basic, WebhookOptions
from drivers.transports.webhook_tls import Credentials
from gateway.core.errors import GatewayError, LinkLost, NotThere, Refused, Remedy, StoreFull, remedy_of
from gateway.core.link import LinkState
from gateway.core.reading import Arrival, Frame
from gateway.core.time import Clock

TRANSPORT = "webhook"
# At once; more wait in the kernel. A TLS connection takes some 0.3 MiB, and a hub has 192 MiB for everything.
CONNECTIONS_MAX = 64
# From the first byte to the last, and for the TLS handshake: a vendor's cloud needs one second, a slow one five.
REQUEST_S = 30.0
# How long a connection may stay open for the next request; the longest idle one makes room where there is none.
IDLE_S = 60.0
RETRY_AFTER_S = 60
# Who came or was answered this short a time ago has not had the time to ask.
IDLE_LEAST_S = 2.0
_SWEEP_S = 1.0  # how exactly those times are kept
_BREATH_S = 1.0  # before the next try, where the machine is out of sockets

# Counts a refusal: the source's name, empty where none was reached, and a reason in one word.
Count = Callable[[str, str], None]

_LATER = (("Retry-After", str(RETRY_AFTER_S)),)
_KEPT = Answer(200, "Kept.")
_ALIVE = Answer(200, "This gateway listens here for POST.")
_NO_PATH = Answer(404, "Nothing listens on this path.", reason="path")
_NO_METHOD = Answer(405, "Only POST is taken here.", (("Allow", "POST, HEAD"),), "method")
_FULL = Answer(503, "The store is full; send it again later.", _LATER, "full")
_BROKEN = Answer(503, "The store cannot keep anything now; send it again later.", _LATER, "store")
_NO_SECRET = Answer(503, "This gateway cannot check credentials now; send it again later.", _LATER, "secret")


async def listen(
    sources: Sequence[WebhookOptions], keep: Keep, clock: Clock, links: Sequence[LinkState], count: Count
) -> None:
    """
    Keep what vendors post to one address, until cancelled; `links` are the sources', in their order.

    Raises LinkError, Refused, or what `keep` raises and no later try can mend.
    """
    try:
        with _bound(*sources[0].address) as door:
            await serve(door, sources, keep, clock, links, count)
    except GatewayError as error:
        for link in links:
            link.down(str(error), needs_person=remedy_of(error) is Remedy.HOLD)
        raise


async def serve(
    door: socket.socket,
    sources: Sequence[WebhookOptions],
    keep: Keep,
    clock: Clock,
    links: Sequence[LinkState],
    count: Count,
) -> None:
    """As `listen`, on a listening socket."""
    certificate = sources[0].certificate
    credentials = Credentials(certificate) if certificate else None
    basket = Basket(keep, clock)
    hooks = {source.path: Hook(source, basket, clock, link) for source, link in zip(sources, links, strict=True)}
    listener = _Listener(hooks, clock, credentials, count)
    for link in links:
        link.up(clock.monotonic_s())
    async with asyncio.TaskGroup() as tasks:
        steady = [tasks.create_task(work) for work in (listener.accept(door, tasks), listener.sweep(), basket.carry())]
        failure = await listener.failed
        for task in (*steady, *listener.visits):
            task.cancel()
    raise failure


class Hook:
    """
    One source behind its path: what may come in, and what becomes of it.

    `complaint` is a sentence for a person while the secret cannot be read.
    """

    def __init__(self, options: WebhookOptions, basket: Basket, clock: Clock, link: LinkState) -> None:
        self.options = options
        self.link = link
        self.complaint: str | None = None
        self._basket = basket
        self._clock = clock

    def turned_away(self, head: Head) -> Answer | None:
        """The answer where the head suffices to refuse; HEAD is how vendors probe, and tells nobody anything."""
        if head.method == "HEAD":
            return _ALIVE
        if head.method != "POST":
            return _NO_METHOD
        return self._judged(lambda: admits_head(self.options.credential, head))

    async def take(self, head: Head, body: bytes) -> Answer:
        """Keep the body; 200 says that it survives a power cut. Raises StoreBroken."""
        if refusal := self._judged(lambda: admits_body(self.options.credential, head, body)):
            return refusal
        payload = unpacked(head, body, PAYLOAD_BYTES_MAX)
        if isinstance(payload, Answer):
            return payload
        try:
            await self._basket.keep(self._arrival(payload))
        except StoreFull:
            return _FULL
        self.link.heard(1, self._clock.now().utc_ms, self._clock.monotonic_s())
        return _KEPT

    def _arrival(self, payload: bytes) -> Arrival:
        """Not prompt: a vendor's cloud may have held it, and what it sends again looks like what it sends first."""
        options = self.options
        return Arrival(
            frame=Frame(payload),
            driver=options.driver,
            heard=self._clock.now(),
            transport=TRANSPORT,
            source=options.name,
            device=options.device,
        )

    def _judged(self, admits: Callable[[], bool]) -> Answer | None:
        """The refusal, where the caller is not admitted or the secret to judge by cannot be read."""
        try:
            is_admitted, self.complaint = admits(), None
        except NotThere as error:
            self.complaint = str(error)
            return _NO_SECRET
        if is_admitted:
            return None
        scheme = "Basic" if isinstance(self.options.credential, Basic) else "Bearer"
        challenge = (("WWW-Authenticate", f'{scheme} realm="webhook"'),)
        return Answer(401, "The credentials are not the ones agreed with this gateway.", challenge, "credentials")


@dataclass(slots=True)
class _Visit:
    """One connection: since when and until when it may go on as it does, and whether nothing is lost if it ends."""

    since_s: float
    due_s: float
    is_idle: bool = False

    def turn(self, now_s: float, limit_s: float, *, is_idle: bool = False) -> None:
        """Begin something else, within this time."""
        self.since_s, self.due_s, self.is_idle = now_s, now_s + limit_s, is_idle


class _Listener:
    """Every connection to one address."""

    def __init__(self, hooks: dict[str, Hook], clock: Clock, credentials: Credentials | None, count: Count) -> None:
        self.failed: asyncio.Future[GatewayError] = asyncio.get_running_loop().create_future()
        self.visits: dict[asyncio.Task[None], _Visit] = {}
        self._hooks = hooks
        self._clock = clock
        self._credentials = credentials
        self._count = count
        self._left = asyncio.Event()
        self._fault: str | None = None

    async def accept(self, door: socket.socket, tasks: asyncio.TaskGroup) -> None:
        """Let callers in, as many at once as there is room for."""
        loop = asyncio.get_running_loop()
        while True:
            await self._room()
            try:
                guest, _ = await loop.sock_accept(door)
            except OSError:  # out of sockets, or the caller left again: the next one may do better
                await self._clock.sleep(_BREATH_S)
                continue
            now_s = self._clock.monotonic_s()
            visit = _Visit(now_s, now_s + REQUEST_S)
            task = tasks.create_task(self._receive(guest, visit))
            self.visits[task] = visit
            task.add_done_callback(partial(self._leave, guest))

    async def sweep(self) -> None:
        """End what takes too long, and show that the listener lives."""
        while True:
            await self._clock.sleep(_SWEEP_S)
            now_s = self._clock.monotonic_s()
            self._show(now_s)
            self._left.set()
            for task, visit in list(self.visits.items()):
                if visit.due_s <= now_s:
                    if not visit.is_idle:
                        self._count("", "slow")
                    task.cancel()

    def _show(self, now_s: float) -> None:
        complaint = self._credentials.complaint if self._credentials else None
        for hook in self._hooks.values():
            link = hook.link
            link.why = self._fault or complaint or hook.complaint
            link.alive_s, link.needs_person = now_s, link.why is not None

    async def _room(self) -> None:
        """Wait for a place; the connection that has been idle longest gives way."""
        while len(self.visits) >= CONNECTIONS_MAX:
            idle_s = {task: visit.since_s for task, visit in self.visits.items() if visit.is_idle}
            longest = min(idle_s, key=idle_s.__getitem__, default=None)
            if longest and idle_s[longest] + IDLE_LEAST_S <= self._clock.monotonic_s():
                longest.cancel()
            self._left.clear()
            await self._left.wait()

    def _leave(self, guest: socket.socket, task: asyncio.Task[None]) -> None:
        del self.visits[task]
        guest.close()
        self._left.set()

    async def _receive(self, guest: socket.socket, visit: _Visit) -> None:
        try:
            reader, writer = await self._greeted(guest)
            try:
                await self._talk(Exchange(reader, writer, self._date), visit)
                writer.close()
                await writer.wait_closed()
            finally:
                writer.transport.abort()
        except OSError:
            self._count("", "connection")  # left, was cut off, or never spoke TLS
        except Exception as error:  # noqa: BLE001 -- shown in status; it ends this connection, which got no 200
            self._count("", "fault")
            self._fault = f"A request failed inside the gateway ({type(error).__name__}); report it with the version."

    async def _greeted(self, guest: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection's streams, after the TLS handshake where there is one."""
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        context = self._credentials.context() if self._credentials else None
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, guest, ssl=context)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def _talk(self, exchange: Exchange, visit: _Visit) -> None:
        """Answer requests until one side has enough."""
        while True:
            visit.turn(self._clock.monotonic_s(), IDLE_S, is_idle=True)
            begins = await exchange.begins()
            visit.turn(self._clock.monotonic_s(), REQUEST_S)
            answer = await self._answered(exchange, visit) if begins else None
            # from here on only who is refused, or says goodbye, can be kept from anything
            visit.turn(self._clock.monotonic_s(), REQUEST_S, is_idle=answer is None or bool(answer.reason))
            if answer is None or not await exchange.answer(answer):
                return

    async def _answered(self, exchange: Exchange, visit: _Visit) -> Answer | None:
        """The answer to the next request; None where its sender left."""
        head = await exchange.head()
        source = ""
        answer: Answer | None
        if not isinstance(head, Head):
            answer = head
        elif (hook := self._hooks.get(head.path)) is None:
            answer = _NO_PATH
        else:
            source = hook.options.name
            answer = hook.turned_away(head) or await self._taken(exchange, hook, head, visit)
        if answer and answer.reason:
            self._count(source, answer.reason)
        return answer

    async def _taken(self, exchange: Exchange, hook: Hook, head: Head, visit: _Visit) -> Answer | None:
        body = await exchange.body(head, PAYLOAD_BYTES_MAX)
        if not isinstance(body, bytes):
            return body
        visit.turn(self._clock.monotonic_s(), math.inf)  # from here it is our time, not the caller's
        try:
            return await hook.take(head, body)
        except GatewayError as error:
            if not self.failed.done():
                self.failed.set_result(error)
            return _BROKEN

    def _date(self) -> str:
        return formatdate(self._clock.now().utc_ms / 1000, usegmt=True)


@contextlib.contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """A listening socket; raises LinkLost, or Refused where only a person can help."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        door = socket.create_server((host, port), family=family, backlog=CONNECTIONS_MAX)
    except PermissionError as error:
        raise Refused(f"The service may not listen on port {port}; choose one above 1023.") from error
    except OSError as error:
        what = "is taken by another program" if error.errno == errno.EADDRINUSE else "is not there"
        raise LinkLost(f"The address {host}:{port} {what}; it is tried again.") from error
    with door:
        door.setblocking(False)
        yield door
