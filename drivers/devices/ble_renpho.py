"""
Renpho scales that use the Weight Scale Service's characteristic with steps ten times as large.

Source:  one capture in KristianP26/ble-scale-sync (Renpho ES-WBE28), whose display value is known.
Units:   kg in steps of 0.05. No frame in pounds is public, so one is refused rather than guessed.
Order:   flags, weight, [time], [user], [body-mass index, height], as 0x2A9D of the Weight Scale Service
Quirks:  By the Bluetooth SIG's rule the same bytes would be a tenth of the weight. Reserved flag bit 6 is set; the user
         byte is AA, which is no slot; body-mass index and height are 0, for the scale does not know the height.
         The body composition is not read: no frame of it is public with its meaning.
"""

from drivers.contract import Driver, Grade, Link
from drivers.fields import UNSTAMPED, Fields
from drivers.sig.mass import SI, UNKNOWN_USER, slot, weight, worked_out
from gateway.core.errors import BadValue
from gateway.core.observation import BODY_MASS_INDEX, HEIGHT, KG_PER_M2
from gateway.core.reading import Frame, Sample

_IMPERIAL, _HAS_TIME, _HAS_USER, _HAS_INDEX = (1 << bit for bit in range(4))
_STEPS = SI._replace(mass_step="0.05")
_NO_SLOT = 0xAA


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One indication of 0x2A9D in Renpho's steps."""
    fields = Fields(frame.payload)
    bits = fields.u8()
    if bits & _IMPERIAL:
        raise BadValue("This scale is set to pounds, whose steps are not known; set it to kilograms.")
    seen = [weight(fields.u16le(), _STEPS)]
    stamp = fields.date_time() if bits & _HAS_TIME else UNSTAMPED
    user = fields.u8() if bits & _HAS_USER else UNKNOWN_USER
    if bits & _HAS_INDEX:
        seen.append(worked_out(BODY_MASS_INDEX, fields.u16le(), KG_PER_M2, "0.1"))
        seen.append(worked_out(HEIGHT, fields.u16le(), SI.height, SI.height_step))
    user = UNKNOWN_USER if user == _NO_SLOT else user
    return (Sample(observations=tuple(seen), device_time=stamp.time, slot=slot(user), status=stamp.status),)


DRIVER = Driver(
    name="ble-renpho",
    version=1,
    link=Link.BLE,
    sources={"2A9D": decode},
    models=("Renpho ES-WBE28",),
    reads=("weight",),
    grade=Grade.C,
    documented="KristianP26/ble-scale-sync, with a capture",
)
