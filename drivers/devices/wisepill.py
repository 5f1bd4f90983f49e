"""
Wisepill medication dispenser: one event, as `key=value` text.

Source   dimagi/commcare-hq custom/apps/wisepill; rapidsms apps/wisepill.
Units    `B` battery in mV, `S` signal.
Time     `T`, DDMMYYHHMMSS by the dispenser's own clock, without a zone.
Quirks   The event key is AT in one firmware and @ in an older one: 02 live, 03 delayed, sent later from memory. CN is a
         telephone number and U a user: neither leaves the frame. PC, M and CE are not explained anywhere. An opening is
         access to the medicine, never a dose.
"""

import re
from collections.abc import Mapping

from drivers.contract import PAYLOAD, Driver, Form, Grade, Link
from drivers.payload import Node
from drivers.quantities import technical
from gateway.core.errors import BadValue, UnknownLayout
from gateway.core.reading import DeviceIdentity, Frame, Metric, Origin, Sample
from gateway.core.time import DeviceTime

_BYTES_MAX = 4096
_TIME = re.compile(r"[0-9]{12}")
_ORIGIN: Mapping[str, Origin] = {"02": Origin.LIVE, "03": Origin.STORED}
_FACTS = {"B": "battery_mv", "S": "signal"}


def _decode(frame: Frame) -> tuple[Sample, ...]:
    fields = _fields(frame.payload)
    event = (fields.maybe("AT") or fields["@"]).text()
    if event not in _ORIGIN:
        raise UnknownLayout("The message's event is neither 02 nor 03.")
    sample = Sample(
        device=DeviceIdentity(id=f"wisepill:{fields['SN'].identifier()}", manufacturer="Wisepill"),
        device_time=_time(fields["T"]),
        origin=_ORIGIN[event],
        metric=Metric.THERAPEUTIC,
        status=("container_opened",),
        technical=technical(fields, _FACTS),
    )
    return (sample,)


def _fields(payload: bytes) -> Node:
    if len(payload) > _BYTES_MAX or not payload.isascii():
        raise UnknownLayout("The message is no text a dispenser sends.")
    pairs = [part.partition("=") for part in payload.decode("ascii").strip().split(",")]
    fields = {key: value for key, _, value in pairs}
    if len(fields) < len(pairs) or not all(key and mark for key, mark, _ in pairs):
        raise UnknownLayout("The message is no list of key=value, each key once.")
    return Node(fields)


def _time(field: Node) -> DeviceTime:
    text = field.text()
    if not _TIME.fullmatch(text):
        raise BadValue("The message's T is not written DDMMYYHHMMSS.")
    day, month, year, *clock = (int(text[at : at + 2]) for at in range(0, 12, 2))
    return DeviceTime.civil(2000 + year, month, day, *clock)


DRIVER = Driver(
    name="wisepill",
    version=1,
    link=Link.MQTT,
    form=Form.TEXT,
    sources={PAYLOAD: _decode},
    models=("Wisepill RT2000", "evriMED"),
    reads=("medication",),
    grade=Grade.C,
    documented="dimagi/commcare-hq and rapidsms integrations",
)
