"""
Scales that speak the Bluetooth Weight Scale Service.

Source:  Bluetooth SIG, Weight Scale Service 1.0.1 (0x181D), characteristic 0x2A9D; captures of Beurer BF720, BF788.
         No captured frame of A&D's UC-352BLE was found; its list of services is the SIG's.
Units:   kg in steps of 0.005 or lb in steps of 0.01, as the scale says; body-mass index in steps of 0.1; height in
         steps of 0.001 m or 0.1 inch.
Order:   flags, weight, [time], [user], [body-mass index, height]
Quirks:  0xFFFF: the weighing failed. The resolution in the feature characteristic never changes the steps, whatever
         Beurer's document says. Renpho sends steps ten times as large: driver ble-renpho.
"""

from drivers.contract import Driver, Grade, Link
from drivers.fields import UNSTAMPED, Fields
from drivers.sig.mass import IMPERIAL, SI, UNKNOWN_USER, slot, weight, worked_out
from gateway.core.observation import BODY_MASS_INDEX, HEIGHT, KG_PER_M2
from gateway.core.reading import Frame, Sample

_IMPERIAL, _HAS_TIME, _HAS_USER, _HAS_INDEX = (1 << bit for bit in range(4))


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One indication of 0x2A9D."""
    fields = Fields(frame.payload)
    bits = fields.u8()
    system = IMPERIAL if bits & _IMPERIAL else SI
    seen = [weight(fields.u16le(), system)]
    stamp = fields.date_time() if bits & _HAS_TIME else UNSTAMPED
    user = fields.u8() if bits & _HAS_USER else UNKNOWN_USER
    if bits & _HAS_INDEX:
        seen.append(worked_out(BODY_MASS_INDEX, fields.u16le(), KG_PER_M2, "0.1"))
        seen.append(worked_out(HEIGHT, fields.u16le(), system.height, system.height_step))
    return (Sample(observations=tuple(seen), device_time=stamp.time, slot=slot(user), status=stamp.status),)


DRIVER = Driver(
    name="ble-weight-scale",
    version=1,
    link=Link.BLE,
    sources={"2A9D": decode},
    models=("A&D UC-352BLE", "Beurer BF720", "Beurer BF105", "Beurer BF788", "any scale with service 0x181D"),
    reads=("weight",),
    grade=Grade.A,
    documented="Bluetooth SIG Weight Scale Service 1.0.1 and GATT Specification Supplement; captures",
)
