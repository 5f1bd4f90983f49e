"""
What a serial port is configured with.

Imports nothing heavy: the configuration is read by commands that never open a port.
"""

from dataclasses import dataclass
from pathlib import Path

from gateway.core.reading import DeviceIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialOptions:
    """
    One port and what is plugged into it.

    port    a path that stays with the cable, /dev/serial/by-id/...; others follow the order of plugging in
    source  which of the driver's formats the device sends
    device  whose frames these are where they do not say it themselves
    baud    in place of the driver's, for a device that was set to another speed
    mode    in place of the driver's: data bits, parity, stop bits
    ask     the device answers only when asked: send what the driver lists, and nothing else
    """

    name: str
    port: Path
    driver: str
    source: str
    device: DeviceIdentity | None = None
    baud: int | None = None
    mode: str | None = None
    ask: bool = False
