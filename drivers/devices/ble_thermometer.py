"""
Thermometers that speak the Bluetooth Health Thermometer Service.

Source:  Bluetooth SIG, Health Thermometer Service 1.0 (0x1809), characteristics 0x2A1C and 0x2A1E; captures; Beurer's
         paper on the FT95.
Units:   degrees Celsius or Fahrenheit as the frame says, whatever the display shows.
Order:   flags, temperature, [time], [where]
Quirks:  Where: FF is an object's temperature and no person's, 02 the forehead (Beurer FT95, which also sets reserved
         flag bit 7 for fever). Pyle's thermometers show Fahrenheit and send Celsius. 2A1E is a value on its way to the
         final one: never a reading.
"""

from dataclasses import replace

from drivers.contract import Driver, Grade, Link
from drivers.fields import UNSTAMPED, Fields, float32_seen
from gateway.core.observation import CELSIUS, FAHRENHEIT, TEMPERATURE, Kind
from gateway.core.reading import Frame, Metric, Sample, SampleKind

_FAHRENHEIT, _HAS_TIME, _HAS_TYPE = 1 << 0, 1 << 1, 1 << 2


def _body(site: str) -> Kind:
    return Kind(f"MDC_TEMP_{site}", "temperature", "8310-5")


_SITE = {
    1: _body("AXILLA"),
    2: TEMPERATURE,
    3: _body("EAR"),
    4: _body("FINGER"),
    5: _body("GIT"),
    6: _body("ORAL"),
    7: _body("RECT"),
    8: _body("TOE"),
    9: _body("TYMP"),
}
_OBJECT = Kind("MDC_TEMP", "environment")
_OBJECT_TYPE = 0xFF


def final(frame: Frame) -> tuple[Sample, ...]:
    """One indication of 0x2A1C."""
    fields = Fields(frame.payload)
    bits = fields.u8()
    raw = fields.u32le()
    stamp = fields.date_time() if bits & _HAS_TIME else UNSTAMPED
    where = fields.u8() if bits & _HAS_TYPE else 0
    kind = _OBJECT if where == _OBJECT_TYPE else _SITE.get(where, TEMPERATURE)
    return (
        Sample(
            observations=(float32_seen(kind, raw, FAHRENHEIT if bits & _FAHRENHEIT else CELSIUS),),
            device_time=stamp.time,
            status=stamp.status,
            metric=Metric.TECHNICAL if kind is _OBJECT else Metric.PHYSIOLOGIC,
        ),
    )


def on_the_way(frame: Frame) -> tuple[Sample, ...]:
    """One notification of 0x2A1E: the same layout, before the value has settled."""
    return tuple(replace(sample, kind=SampleKind.STATUS) for sample in final(frame))


DRIVER = Driver(
    name="ble-thermometer",
    version=1,
    link=Link.BLE,
    sources={"2A1C": final, "2A1E": on_the_way},
    models=("TaiDoc TD-1241", "Nipro NT-100B", "Beurer FT95", "Pyle PHTM60BT", "any thermometer with service 0x1809"),
    reads=("temperature",),
    grade=Grade.A,
    documented="Bluetooth SIG Health Thermometer Service 1.0 and GATT Specification Supplement; captures",
)
