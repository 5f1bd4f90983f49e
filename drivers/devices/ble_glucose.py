"""
Glucose meters that speak the Bluetooth Glucose Service.

Source:  Bluetooth SIG, Glucose Service 1.0.1 (0x1808), characteristics 0x2A18 and 0x2A34; captures of Roche, Ascensia
         and other meters; Beurer's paper on the GL50evo.
Units:   kg/L or mol/L, as the meter says and never converted: 1 kg/L is 100,000 mg/dL, 1 mol/L is 1000 mmol/L.
Order:   2A18  flags, number, base time, [offset in minutes], [concentration, specimen and site], [status]
         2A34  flags, number, [more flags], [carbohydrate], [meal], [tester and health], [exercise], [medication],
               [HbA1c]
Quirks:  The time the user saw is base time plus offset; Roche and Ascensia keep the base time in UTC. Control solution
         is never a person's value. A meter for ketones sends a companion record of -0.1 kg/L: nothing was measured. The
         context (2A34) belongs to the measurement of the same number and may be late or never come; alone it is no
         reading.
"""

from dataclasses import replace
from datetime import timedelta

from drivers.contract import Driver, Grade, Link
from drivers.fields import BROKEN_CLOCK, Fields, Stamp, flags, sfloat_seen
from drivers.sig import glucose_context
from gateway.core.observation import GLUCOSE, KG_PER_L, MOL_PER_L, Absent, Kind, Observation, Why
from gateway.core.reading import Context, Frame, Origin, Sample, SampleKind, Signal
from gateway.core.time import DeviceTime

_HAS_OFFSET, _HAS_VALUE, _IN_MOLES, _HAS_STATUS = (1 << bit for bit in range(4))
_OFFSET_UNKNOWN = (0x7FFF, -0x8000)  # overrun and underrun


def _kind(specimen: str, loinc: str | None = "2339-0", molar: str | None = "15074-8") -> Kind:
    return Kind(f"MDC_CONC_GLU_{specimen}", "glucose", loinc, molar)


_PLASMA = ("2345-7", "14749-6")  # LOINC: glucose in serum or plasma, by mass and by amount
_CONTROL = _kind("CONTROL", None, None)
_SPECIMEN = {
    1: GLUCOSE,
    2: _kind("CAPILLARY_PLASMA", *_PLASMA),
    3: _kind("VENOUS_WHOLEBLOOD"),
    4: _kind("VENOUS_PLASMA", *_PLASMA),
    5: _kind("ARTERIAL_WHOLEBLOOD"),
    6: _kind("ARTERIAL_PLASMA", *_PLASMA),
    7: _kind("UNDETERMINED_WHOLEBLOOD"),
    8: _kind("UNDETERMINED_PLASMA", *_PLASMA),
    9: _kind("ISF", None, None),
    10: _CONTROL,
}
_UNSTATED = _kind("GEN")
_SITE = {1: ("site_finger",), 2: ("site_alternate",), 3: ("site_earlobe",)}
_CONTROL_SITE = 4

_STATUS = (
    "battery_low",
    "sensor_malfunction",
    "sample_too_small",
    "strip_insertion_error",
    "strip_type_incorrect",
    "result_above_range",
    "result_below_range",
    "temperature_too_high",
    "temperature_too_low",
    "strip_pulled_too_soon",
    "general_fault",
    "time_fault",
)
_ABOVE, _BELOW = 1 << 5, 1 << 6
_CAUTION = 0b0111_1001_1110  # what may have spoilt the measurement: not the battery, the range or the clock


def measurement(frame: Frame) -> tuple[Sample, ...]:
    """One notification of 0x2A18: a record of the meter's memory."""
    fields = Fields(frame.payload)
    bits = fields.u8()
    number = fields.u16le()
    stamp = _shown(fields.date_time(), fields.s16le() if bits & _HAS_OFFSET else 0)
    raw, specimen = (fields.u16le(), fields.u8()) if bits & _HAS_VALUE else (None, 0)
    status = fields.u16le() if bits & _HAS_STATUS else 0
    kind, site = _SPECIMEN.get(specimen & 0x0F, _UNSTATED), specimen >> 4
    sample = Sample(
        observations=(_seen(kind, raw, bits, status),),
        device_time=stamp.time,
        context=Context.CONTROL if kind is _CONTROL or site == _CONTROL_SITE else Context.NORMAL,
        origin=Origin.STORED,
        message_id=str(number),
        status=flags(status, _STATUS) + stamp.status + _SITE.get(site, ()),
        quality=Signal.CAUTION if status & _CAUTION else Signal.OK,
    )
    return (_companion(sample) if any(o.value < 0 for o in sample.measured) else sample,)


def _seen(kind: Kind, raw: int | None, bits: int, status: int) -> Observation:
    if raw is not None:
        return sfloat_seen(kind, raw, MOL_PER_L if bits & _IN_MOLES else KG_PER_L)
    return Absent(GLUCOSE, _why_none(status))


def _why_none(status: int) -> Why:
    if status & _ABOVE:
        return Why.ABOVE_RANGE
    return Why.BELOW_RANGE if status & _BELOW else Why.NOT_AVAILABLE


def _companion(sample: Sample) -> Sample:
    """The record beside a ketone value: its negative concentration is kept as sent and is no reading."""
    return replace(sample, kind=SampleKind.STATUS, quality=Signal.INVALID, status=(*sample.status, "not_measured"))


def _shown(base: Stamp, offset_minutes: int) -> Stamp:
    """The time the user saw."""
    if offset_minutes in _OFFSET_UNKNOWN:
        return Stamp(None, ("time_offset_unknown",))
    if base.time is None or not offset_minutes:
        return base
    try:
        return Stamp(DeviceTime(base.time.local + timedelta(minutes=offset_minutes)))
    except OverflowError:
        return BROKEN_CLOCK


DRIVER = Driver(
    name="ble-glucose",
    version=1,
    link=Link.BLE,
    sources={"2A18": measurement, "2A34": glucose_context.decode},
    models=(
        "Roche Accu-Chek Guide",
        "Ascensia Contour Next One",
        "Beurer GL50evo",
        "any meter with service 0x1808",
    ),
    reads=("glucose",),
    grade=Grade.A,
    documented="Bluetooth SIG Glucose Service 1.0.1 and GATT Specification Supplement; captures",
)
