"""
Xiaomi's scales, which advertise every weighing and need no connection.

Source:  captures and tests of Bluetooth-Devices/xiaomi-ble, theengs/decoder and sputnikdev/bluetooth-gatt-parser; the
         maker publishes nothing. The newer S400 and S800 encrypt their advertisements and are not read.
Units:   kg in steps of 0.005; lb and jin (catty, 0.5 kg) in steps of 0.01; ohm.
Order:   181D  control, weight, time                           (Mi Smart Scale)
         181B  control (two bytes), time, impedance, weight    (Mi Body Composition Scale 1 and 2)
Quirks:  The last weighing is advertised over and over, before and after the person steps off; it is one event, known
         by its time and value, so stepping off is no part of a sample, and the impedance, which comes late, is a sample
         of its own. Until the value is stable it is a status. Weight 0 is a reset. A clock never set shows 1970. The
         characteristic 2A9C of these scales carries the 181B bytes, not the Bluetooth SIG's.
"""

from drivers.contract import Driver, Grade, Link
from drivers.fields import Fields, Stamp, counted
from gateway.core.observation import BODY_IMPEDANCE, CATTY, KG, OHM, POUND, WEIGHT, Measured
from gateway.core.reading import Frame, Sample, SampleKind, Signal

_ONE_POUNDS, _ONE_JIN, _ONE_STABLE = 1 << 0, 1 << 4, 1 << 5
_TWO_POUNDS, _TWO_IMPEDANCE, _TWO_STABLE, _TWO_JIN = 1 << 0, 1 << 9, 1 << 13, 1 << 14
_IMPEDANCE_MAX = 3000  # from here on, and at 0, the electrodes found no feet


def smart_scale(frame: Frame) -> tuple[Sample, ...]:
    """The service data 181D of one advertisement."""
    fields = Fields(frame.payload)
    control = fields.u8()
    weight = _weight(fields.u16le(), is_pounds=bool(control & _ONE_POUNDS), is_jin=bool(control & _ONE_JIN))
    stamp = fields.date_time()
    fields.end()
    return (_weighing(weight, stamp, is_stable=bool(control & _ONE_STABLE)),)


def body_scale(frame: Frame) -> tuple[Sample, ...]:
    """The service data 181B of one advertisement: the weighing and, once known, the impedance."""
    fields = Fields(frame.payload)
    control = fields.u16le()
    stamp = fields.date_time()
    impedance = fields.u16le()
    weight = _weight(fields.u16le(), is_pounds=bool(control & _TWO_POUNDS), is_jin=bool(control & _TWO_JIN))
    fields.end()
    is_stable = bool(control & _TWO_STABLE)
    weighing = _weighing(weight, stamp, is_stable=is_stable)
    if not (is_stable and control & _TWO_IMPEDANCE and 0 < impedance < _IMPEDANCE_MAX):
        return (weighing,)
    seen = counted(BODY_IMPEDANCE, impedance, OHM)
    return weighing, Sample(observations=(seen,), device_time=stamp.time, status=stamp.status)


def _weight(raw: int, *, is_pounds: bool, is_jin: bool) -> Measured:
    if is_pounds:
        return counted(WEIGHT, raw, POUND, "0.01")
    return counted(WEIGHT, raw, CATTY, "0.01") if is_jin else counted(WEIGHT, raw, KG, "0.005")


def _weighing(weight: Measured, stamp: Stamp, *, is_stable: bool) -> Sample:
    if is_stable and weight.value:
        return Sample(observations=(weight,), device_time=stamp.time, status=stamp.status)
    return Sample(
        observations=(weight,),
        device_time=stamp.time,
        kind=SampleKind.STATUS,
        status=("not_stable", *stamp.status),
        quality=Signal.CAUTION if weight.value else Signal.INVALID,
    )


DRIVER = Driver(
    name="ble-xiaomi-scale",
    version=1,
    link=Link.BLE,
    sources={"181D": smart_scale, "181B": body_scale},
    models=("Xiaomi Mi Smart Scale", "Xiaomi Mi Body Composition Scale", "Xiaomi Mi Body Composition Scale 2"),
    reads=("weight", "body_composition"),
    grade=Grade.B,
    documented="Bluetooth-Devices/xiaomi-ble, theengs/decoder, sputnikdev/bluetooth-gatt-parser, with captures",
)
