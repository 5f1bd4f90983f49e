"""
BerryMed's BM1000 oximeters.

Source:  BerryMed's "BCI Protocol V1.2" (zh2x/BCI_Protocol). No capture is public: the vectors are built from
         the layout.
Units:   percent; beats per minute.
Order:   five bytes, about a hundred times a second, only the first with its top bit set: strength and flags, wave, bar
         and flags with the pulse's bit 7, pulse, SpO2. A notification holds one or several.
Quirks:  255 and 127 stand for "none". A sample is made for each five bytes; which of a second's hundred becomes a
         reading is the link's rule. The service is not advertised: the device is known by its name.
"""

from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields, flags
from drivers.oximetry import pulse_rate, spo2
from gateway.core.errors import UnknownLayout
from gateway.core.reading import Frame, Sample, Signal

_TOP = 0x80
_FIRST = (None, None, None, None, "no_signal", "probe_off", None)
_THIRD = (None, None, None, None, "no_finger", "searching", None)
_PULSE_BIT_7 = 1 << 6
_NO_SATURATION, _NO_PULSE = 127, 255


def decode(frame: Frame) -> tuple[Sample, ...]:
    """One notification: every five bytes a sample."""
    fields = Fields(frame.payload)
    samples = [_packet(fields)]
    while fields.left():
        samples.append(_packet(fields))
    return tuple(samples)


def _packet(fields: Fields) -> Sample:
    first, wave, third, pulse, saturation = (fields.u8() for _ in range(5))
    if not first & _TOP or (wave | third | pulse | saturation) & _TOP:
        raise UnknownLayout("The bytes do not begin where a packet of the oximeter begins.")
    status = flags(first, _FIRST) + flags(third, _THIRD)
    return Sample(
        observations=(
            spo2(saturation, _NO_SATURATION),
            pulse_rate(pulse | (third & _PULSE_BIT_7) << 1, _NO_PULSE),
        ),
        status=status,
        quality=Signal.CAUTION if status else Signal.OK,
    )


DRIVER = Driver(
    name="ble-berrymed",
    version=1,
    link=Link.BLE,
    sources={"1E4D": decode},
    models=("BerryMed BM1000",),
    reads=("spo2", "heart_rate"),
    grade=Grade.B,
    documented="BerryMed BCI Protocol V1.2; no capture",
)
