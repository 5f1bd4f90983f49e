"""Who may connect to whom: passwords, certificates and their renewal, against a real mosquitto."""

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme

from drivers.transports.mqtt_options import MqttOptions
from gateway.core.errors import BadCredentials, LinkError, Refused
from gateway.core.link import LinkState
from gateway.core.secret import SecretRef
from tests.peers.hub import Shelf, failure_of, in_time, listening, options
from tests.peers.mosquitto import Mosquitto

BOTH = pytest.mark.parametrize("version", [5, 3])


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that knows one user, `hub`, with the password `open sesame`."""
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "hub", "open sesame"], check=True)
    broker = Mosquitto(tmp_path / "broker", ["allow_anonymous false", f"password_file {passwords}"])
    broker.start()
    yield broker
    broker.kill()


def _secret(folder: Path, text: str) -> SecretRef:
    path = folder / "mqtt.password"
    path.write_text(text + "\n")
    return SecretRef("file", str(path))


@BOTH
def test_a_password_opens_and_a_wrong_one_asks_for_a_person(guarded: Mosquitto, tmp_path: Path, version: int) -> None:
    async def scenario() -> None:
        secret = _secret(tmp_path, "wrong")
        source = options(guarded.port, version=version, username="hub", password=secret)
        link = LinkState("cell", "mqtt")
        assert isinstance(await failure_of(source, link), BadCredentials)
        assert link.needs_person
        assert "wrong" not in (link.why or "")
        _secret(tmp_path, "open sesame")  # changed in place: the next try reads it again
        link = LinkState("cell", "mqtt")
        async with listening(source, Shelf().keep, link):
            assert (link.is_up, link.needs_person, link.why) == (True, False, None)

    in_time(scenario)


@BOTH
def test_a_broker_that_wants_a_password_turns_a_stranger_away(guarded: Mosquitto, version: int) -> None:
    async def scenario() -> None:
        assert isinstance(await failure_of(options(guarded.port, version=version)), BadCredentials)

    in_time(scenario)


def test_a_password_file_that_is_not_there_holds_the_source_and_not_the_hub(guarded: Mosquitto, tmp_path: Path) -> None:
    async def scenario() -> None:
        secret = SecretRef("file", str(tmp_path / "nowhere"))
        error = await failure_of(options(guarded.port, username="hub", password=secret))
        assert isinstance(error, BadCredentials)

    in_time(scenario)


@pytest.mark.parametrize("host", ["hub..example.org", "x" * 64 + ".example.org"])
def test_a_name_that_no_host_can_have_holds_the_source_and_not_the_hub(host: str) -> None:
    async def scenario() -> None:
        error = await failure_of(options(1883, host=host))
        assert type(error) is Refused
        assert host not in str(error)

    in_time(scenario)


@dataclass(frozen=True)
class _Pki:
    """A broker behind TLS, its authority, and a hub's certificate with its key."""

    folder: Path
    ca: trustme.CA
    broker: Mosquitto

    def file(self, name: str) -> Path:
        return self.folder / name

    def issue(self, ca: trustme.CA) -> None:
        """Write cert.pem and key.pem for the hub."""
        leaf = ca.issue_cert("hub-7")
        leaf.cert_chain_pems[0].write_to_path(self.file("cert.pem"))
        leaf.private_key_pem.write_to_path(self.file("key.pem"))

    def options(self, **changed: object) -> MqttOptions:
        given = {"tls": True, "ca": self.file("ca.pem"), "cert": self.file("cert.pem"), "key": self.file("key.pem")}
        return options(self.broker.port, **{**given, **changed})


@pytest.fixture
def pki(tmp_path: Path) -> Iterator[_Pki]:
    """A broker that wants TLS 1.2 or later and a client certificate."""
    ca = trustme.CA()
    served = ca.issue_cert("127.0.0.1")
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    served.cert_chain_pems[0].write_to_path(tmp_path / "broker.pem")
    served.private_key_pem.write_to_path(tmp_path / "broker.key")
    lines = [
        f"cafile {tmp_path}/ca.pem",
        f"certfile {tmp_path}/broker.pem",
        f"keyfile {tmp_path}/broker.key",
        "require_certificate true",
    ]
    broker = Mosquitto(tmp_path / "broker", ["allow_anonymous true"], listener=lines)
    broker.start()
    made = _Pki(tmp_path, ca, broker)
    made.issue(ca)
    yield made
    broker.kill()


@BOTH
def test_messages_come_over_tls_with_a_client_certificate(pki: _Pki, version: int) -> None:
    async def scenario() -> None:
        shelf = Shelf()
        certificates = ["--cafile", str(pki.file("ca.pem")), "--cert", str(pki.file("cert.pem"))]
        certificates += ["--key", str(pki.file("key.pem"))]
        sent = [b"small", bytes(200_000), b"last"]  # larger than a TLS record, then smaller
        async with listening(pki.options(version=version), shelf.keep) as task:
            await pki.broker.publish("stel/1", *sent, more=certificates)
            await shelf.has(3)
            began_s = asyncio.get_running_loop().time()
            task.cancel()
            await asyncio.wait([task])
            assert asyncio.get_running_loop().time() - began_s < 1.0
        assert [a.frame.payload for a in shelf.arrivals] == sent

    in_time(scenario)


def test_a_broker_of_an_unknown_authority_is_not_spoken_to(pki: _Pki) -> None:
    async def scenario() -> None:
        trustme.CA().cert_pem.write_to_path(pki.file("other.pem"))
        link = LinkState("cell", "mqtt")
        assert isinstance(await failure_of(pki.options(ca=pki.file("other.pem")), link), Refused)
        assert link.needs_person
        assert link.why == "The broker's certificate is not signed by a trusted authority; check ca."

    in_time(scenario)


def test_a_broker_of_another_name_is_not_spoken_to(pki: _Pki) -> None:
    async def scenario() -> None:
        error = await failure_of(pki.options(host="localhost"))
        assert str(error) == "The broker's certificate is for another name; check url."

    in_time(scenario)


@pytest.mark.parametrize("cert", [None, "a stranger's"])
def test_a_hub_without_an_accepted_certificate_is_told_so(pki: _Pki, cert: str | None) -> None:
    async def scenario() -> None:
        if cert:
            pki.issue(trustme.CA())
        source = pki.options() if cert else pki.options(cert=None, key=None)
        assert isinstance(await failure_of(source), BadCredentials)

    in_time(scenario)


def test_a_renewed_certificate_counts_from_the_next_connection(pki: _Pki) -> None:
    async def scenario() -> None:
        source = pki.options()
        pki.issue(trustme.CA())
        assert isinstance(await failure_of(source), BadCredentials)
        pki.issue(pki.ca)
        link = LinkState("cell", "mqtt")
        async with listening(source, Shelf().keep, link):
            assert link.is_up

    in_time(scenario)


@pytest.mark.parametrize("broken", ["missing", "not PEM", "encrypted key"])
def test_certificate_files_that_cannot_be_used_hold_the_source(pki: _Pki, broken: str) -> None:
    key = pki.file("key.pem")
    if broken == "missing":
        key.unlink()
    elif broken == "not PEM":
        key.write_text("nothing of the kind")
    else:
        command = ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:secret", "-out"]
        subprocess.run([*command, str(pki.file("locked.pem"))], check=True)
        pki.file("locked.pem").replace(key)

    async def scenario() -> None:
        error = await failure_of(pki.options())
        assert isinstance(error, BadCredentials)
        assert "ca, cert and key" in str(error)

    in_time(scenario)


def test_plain_mqtt_on_a_tls_port_and_tls_on_a_plain_port_end_with_a_sentence(pki: _Pki, mosquitto: Mosquitto) -> None:
    async def scenario() -> None:
        for source in (options(pki.broker.port), replace(pki.options(), port=mosquitto.port)):
            error = await failure_of(source)
            assert isinstance(error, LinkError)
            assert str(error).endswith(".")

    in_time(scenario)


def test_a_broker_with_only_old_tls_is_named_as_such() -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x15\x03\x01\x00\x02\x02\x46")  # RFC 5246, 7.2: a fatal alert, protocol_version
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            error = await failure_of(options(server.sockets[0].getsockname()[1], tls=True))
        assert isinstance(error, Refused)
        assert "1.2 or later" in str(error)

    in_time(scenario)
