"""
A device's clock over GATT: Current Time (0x2A2B) and Date Time (0x2A08), read and written.

Source: Bluetooth SIG, Current Time Service 1.1, GATT Specification Supplement. None of these carries a zone: it is the
civil time of wherever the device stands.
"""

from datetime import datetime, timedelta

from drivers.fields import Fields, Stamp
from gateway.core.time import DeviceTime


def read_current(payload: bytes) -> Stamp:
    """What 0x2A2B says, with its fraction; the day of the week and the reason of the last change are left out."""
    fields = Fields(payload)
    stamp = fields.date_time()
    fields.u8()  # day of the week
    fraction = fields.u8()
    fields.u8()  # why the clock was last changed
    if stamp.time is None:
        return stamp
    return Stamp(DeviceTime(stamp.time.local + timedelta(seconds=fraction / 256)))


def read_date(payload: bytes) -> Stamp:
    """What 0x2A08 says."""
    return Fields(payload).date_time()


def write_current(civil: datetime) -> bytes:
    """Ten bytes for 0x2A2B: the time, the day of the week from Monday 1, no fraction, no reason for the change."""
    return write_date(civil) + bytes((civil.isoweekday(), 0, 0))


def write_date(civil: datetime) -> bytes:
    """Seven bytes for 0x2A08."""
    parts = (civil.month, civil.day, civil.hour, civil.minute, civil.second)
    return civil.year.to_bytes(2, "little") + bytes(parts)
