"""Every word of a broker, the network or TLS becomes one of our errors, in one plain sentence."""

import socket
import ssl

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from drivers.transports.mqtt_errors import broken, from_network, from_reason
from gateway.core.errors import BadCredentials, GatewayError, LinkError, LinkLost, LinkTimeout, Refused


def _codes() -> list[int]:
    """Every reason paho knows for CONNACK and DISCONNECT."""
    names = ReasonCode(PacketTypes.CONNACK).names
    wanted = {PacketTypes.CONNACK, PacketTypes.DISCONNECT}
    return [code for code, uses in names.items() if any(wanted & set(kinds) for kinds in uses.values())]


@pytest.mark.parametrize("code", _codes())
def test_every_reason_paho_knows_has_a_sentence(code: int) -> None:
    error = from_reason(code)
    assert isinstance(error, LinkError | Refused)
    assert str(error).endswith(".")
    assert str(error).count(".") == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0x00, LinkLost),
        (0x84, Refused),
        (0x85, Refused),
        (0x86, BadCredentials),
        (0x87, BadCredentials),
        (0x88, LinkLost),
        (0x8B, LinkLost),
        (0x8D, LinkTimeout),
        (0x8E, Refused),
        (0x97, LinkLost),
        (0xFF, LinkLost),
    ],
)
def test_what_a_reason_asks_for(code: int, kind: type[GatewayError]) -> None:
    assert type(from_reason(code)) is kind


def _verification(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


def _tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), LinkLost, "name cannot be found"),
        (TimeoutError(), LinkTimeout, "does not answer"),
        (ConnectionRefusedError(111, "refused"), LinkLost, "Nothing listens"),
        (OSError(101, "Network is unreachable"), LinkLost, "cannot be reached"),
        (_verification(9), LinkLost, "not valid yet"),
        (_verification(10), Refused, "expired"),
        (_verification(18), Refused, "trusted authority"),
        (_verification(62), Refused, "another name"),
        (_tls("TLSV1_ALERT_UNKNOWN_CA"), BadCredentials, "check cert and key"),
        (_tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"), BadCredentials, "check cert and key"),
        (_tls("SSLV3_ALERT_CERTIFICATE_EXPIRED"), BadCredentials, "check cert and key"),
        (_tls("TLSV1_ALERT_PROTOCOL_VERSION"), Refused, "1.2 or later"),
        (_tls("WRONG_VERSION_NUMBER"), LinkLost, "expects TLS"),
    ],
)
def test_what_the_network_raises(raised: OSError, kind: type[GatewayError], words: str) -> None:
    error = from_network(raised)
    assert type(error) is kind
    assert words in str(error)


def test_a_broken_connection_is_lost_unless_tls_says_more() -> None:
    assert type(broken(None)) is LinkLost
    assert type(broken(ConnectionResetError(104, "reset"))) is LinkLost
    assert type(broken(_tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"))) is BadCredentials
