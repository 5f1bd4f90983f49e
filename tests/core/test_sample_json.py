from decimal import Decimal

from gateway.core.errors import Truncated
from gateway.core.observation import GLUCOSE, MG_PER_DL, MMOL_PER_L, PULSE_RATE, SYSTOLIC, Absent, Measured, Unit, Why
from gateway.core.reading import Context, DeviceIdentity, Origin, Sample, SampleKind, Signal
from gateway.core.sample_json import refusal_json, sample_json, samples_json
from gateway.core.time import DeviceTime

KEYS = {
    "kind", "context", "origin", "device_time", "device", "message_id", "slot", "observations", "absent", "status",
    "quality",
}  # fmt: skip


def test_a_full_sample_says_everything() -> None:
    sample = Sample(
        observations=(Measured(SYSTOLIC, Decimal("128.0"), Unit("mm[Hg]")), Absent(PULSE_RATE, Why.NOT_AVAILABLE)),
        device_time=DeviceTime.civil(2024, 6, 15, 8, 30, 0),
        kind=SampleKind.ALERT_WITH_VALUE,
        context=Context.CONTROL,
        origin=Origin.STORED,
        device=DeviceIdentity(id="telli:35", model="BP"),
        hub="H1",
        message_id="41",
        slot=2,
        status=("irregular_pulse",),
        quality=Signal.CAUTION,
    )
    assert sample_json(sample) == {
        "kind": "alert_with_value",
        "context": "control",
        "origin": "stored",
        "device_time": "2024-06-15T08:30:00",
        "device": {"id": "telli:35", "model": "BP", "hub": "H1"},
        "message_id": "41",
        "slot": 2,
        "observations": [{"code": "MDC_PRESS_BLD_NONINV_SYS", "loinc": "8480-6", "value": "128.0", "unit": "mm[Hg]"}],
        "absent": [{"code": "MDC_PULS_RATE_NON_INV", "why": "not_available"}],
        "status": ["irregular_pulse"],
        "quality": "caution",
    }


def test_an_empty_sample_has_every_key() -> None:
    said = sample_json(Sample())
    assert said.keys() == KEYS
    assert said["device"] == {}
    assert said["device_time"] is None
    assert sample_json(Sample(hub="H1"))["device"] == {"hub": "H1"}


def test_the_unit_decides_the_loinc() -> None:
    def loinc(unit: Unit) -> str | None:
        sample = Sample(observations=(Measured(GLUCOSE, Decimal(6), unit),))
        code: str | None = sample_json(sample)["observations"][0]["loinc"]
        return code

    assert (loinc(MG_PER_DL), loinc(MMOL_PER_L), loinc(Unit("?"))) == ("2339-0", "15074-8", None)


def test_no_sample_and_a_refusal() -> None:
    assert samples_json(()) == {"samples": []}
    assert refusal_json(Truncated("The message has no id.")) == {
        "error": {"kind": "Truncated", "message": "The message has no id."}
    }
