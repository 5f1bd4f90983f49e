"""
What a broker, the network or TLS says, as the gateway's own errors. The only place that knows their codes.

Refused asks for a person and is tried again slowly; LinkError mends itself.
"""

import socket
import ssl

from gateway.core.errors import BadCredentials, GatewayError, LinkLost, LinkTimeout, Refused

# MQTT 5, 2.4. MQTT 3.1.1 has six codes, which paho gives as these. What is not listed is the connection's end for a
# reason that may pass: RETRY.
_REASONS: dict[int, tuple[type[GatewayError], str]] = {
    0x00: (LinkLost, "The broker closed the connection."),
    0x82: (LinkLost, "The broker and the hub do not understand each other; check that the port is an MQTT broker's."),
    0x84: (Refused, "The broker does not speak this version of MQTT; set version to the other of 5 and 3."),
    0x85: (Refused, "The broker does not accept this client id; check client_id."),
    0x86: (BadCredentials, "The broker does not accept the user name or password; check username and password."),
    0x87: (BadCredentials, "The broker does not allow this client in; check its rights at the broker."),
    0x88: (LinkLost, "The broker says that it is not available; the hub tries again."),
    0x89: (LinkLost, "The broker says that it is busy; the hub tries again."),
    0x8A: (BadCredentials, "The broker has banned this client; ask who runs the broker."),
    0x8B: (LinkLost, "The broker is shutting down; the hub tries again."),
    0x8C: (BadCredentials, "The broker asks for another way to prove who the hub is; use a password or a certificate."),
    0x8D: (LinkTimeout, "The broker stopped answering; the hub connects again."),
    0x8E: (Refused, "Another client took over this session; give each hub a client_id of its own."),
    0x8F: (Refused, "The broker does not accept a topic filter; check topics."),
    0x95: (Refused, "The broker says that a packet of the hub is too large; check its limits."),
    0x97: (LinkLost, "The broker says that a quota is used up; the hub tries again."),
    0x98: (LinkLost, "Somebody closed the connection at the broker; the hub tries again."),
    0x9C: (Refused, "The broker asks the hub to use another server; change url."),
    0x9D: (Refused, "The broker has moved to another server; change url."),
    0x9E: (Refused, "The broker does not support shared subscriptions; take $share out of topics."),
    0x9F: (LinkLost, "The broker says that the hub connects too often; the hub tries again."),
    0xA2: (Refused, "The broker does not support wildcards; name each topic in full."),
}
_OTHERWISE = (LinkLost, "The broker ended the connection; the hub tries again.")

# OpenSSL x509_vfy.h
_NOT_YET_VALID, _EXPIRED, _HOSTNAME = 9, 10, 62
_FOREIGN_SENTENCE = "The broker's certificate is not signed by a trusted authority; check ca."
_CERTIFICATE: dict[int, tuple[type[GatewayError], str]] = {
    # a hub without a battery clock boots in the past; time synchronisation mends it, so this waits for no person
    _NOT_YET_VALID: (LinkLost, "The broker's certificate is not valid yet; the hub's clock may not be set."),
    _EXPIRED: (Refused, "The broker's certificate has expired; renew it at the broker."),
    _HOSTNAME: (Refused, "The broker's certificate is for another name; check url."),
}


def from_reason(code: int) -> GatewayError:
    """The error for a reason code of CONNACK or DISCONNECT."""
    kind, sentence = _REASONS.get(code, _OTHERWISE)
    return kind(sentence)


def from_network(error: BaseException) -> GatewayError:
    """The error for what connecting, TLS or the socket raised."""
    if isinstance(error, ssl.SSLError):
        return _from_tls(error)
    if isinstance(error, socket.gaierror):
        return LinkLost("The broker's name cannot be found; check the network and url.")
    if isinstance(error, UnicodeError):
        return Refused("The name in url is none that a broker can have; check it.")
    if isinstance(error, TimeoutError):
        return LinkTimeout("The broker does not answer; check the network and url.")
    if isinstance(error, ConnectionRefusedError):
        return LinkLost("Nothing listens at the broker's address; the hub tries again.")
    return LinkLost("The broker cannot be reached; check the network and url.")


def broken(error: BaseException | None) -> GatewayError:
    """The error for a connection that stood and ended without a word of MQTT. TLS 1.3 refuses a certificate so late."""
    if isinstance(error, ssl.SSLError):
        return _from_tls(error)
    return LinkLost("The connection to the broker broke; the hub connects again.")


def _from_tls(error: ssl.SSLError) -> GatewayError:
    if isinstance(error, ssl.SSLCertVerificationError):
        kind, sentence = _CERTIFICATE.get(error.verify_code, (Refused, _FOREIGN_SENTENCE))
        return kind(sentence)
    reason = error.reason or ""
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason or "ACCESS_DENIED" in reason):
        return BadCredentials("The broker does not accept the hub's certificate; check cert and key.")
    if "PROTOCOL_VERSION" in reason or "UNSUPPORTED_PROTOCOL" in reason:
        return Refused("The broker offers no TLS of version 1.2 or later; it must be brought up to date.")
    return LinkLost("TLS with the broker failed; check that the port expects TLS.")
