"""What codes mean to the person who reads the page. Display only: nothing here is stored, counted or sent."""

# The gates of the billing rules (7.2), in a biller's words.
REASONS = {
    "Q01": "Not captured by a device: typed in, or its source is unknown",
    "Q02": "Holds no measured value that counts",
    "Q03": "The device was not assigned to this patient at that time",
    "Q04": "The device is not documented as a medical device, section 201(h)",
    "Q05": "It is not certain that this patient measured",
    "Q06": "Outside the patient's enrolment",
    "Q07": "Test, demonstration or setup",
    "Q08": "Not remote: measured at the clinic",
    "Q09": "The time of measurement is not certain",
    "Q10": "Dated in the future",
    "Q11": "The device reported a poor or invalid signal",
    "Q12": "The same measurement again",
    "Q13": "Another billing code covers this measurement",
}

# In so few words that they fit a day of the calendar.
SHORT = {
    "Q01": "typed in",
    "Q02": "no value",
    "Q03": "not assigned",
    "Q04": "not 201(h)",
    "Q05": "person unclear",
    "Q06": "not enrolled",
    "Q07": "test or setup",
    "Q08": "not remote",
    "Q09": "time unclear",
    "Q10": "future date",
    "Q11": "poor signal",
    "Q12": "repeat",
    "Q13": "other code",
}

CAPTURES = {
    "device": "by the device",
    "manual_patient": "typed in by the patient",
    "manual_staff": "typed in by staff",
    "photo_ocr": "read from a photo",
    "synthetic": "made by software, for a test",
    "unknown": "not known",
}

VALUES = {
    "MDC_PRESS_BLD_NONINV_SYS": "Systolic",
    "MDC_PRESS_BLD_NONINV_DIA": "Diastolic",
    "MDC_PRESS_BLD_NONINV_MEAN": "Mean pressure",
    "MDC_PULS_RATE_NON_INV": "Pulse",
    "MDC_PULS_OXIM_PULS_RATE": "Pulse",
    "MDC_ECG_HEART_RATE": "Heart rate",
    "MDC_PULS_OXIM_SAT_O2": "SpO₂",
    "MDC_PULS_OXIM_PERF_REL": "Perfusion index",
    "MDC_MASS_BODY_ACTUAL": "Weight",
    "MDC_LEN_BODY_ACTUAL": "Height",
    "MDC_RATIO_MASS_BODY_LEN_SQ": "Body mass index",
    "MDC_BODY_FAT": "Body fat",
    "MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD": "Glucose",
    "MDC_TEMP_BODY": "Temperature",
    "MDC_RESP_RATE": "Respiration",
    "MDC_FLOW_AWAY_EXP_FORCED_PEAK": "Peak flow",
    "MDC_VOL_AWAY_EXP_FORCED_1S": "FEV1",
    "MDC_VOL_AWAY_EXP_FORCED_CAPACITY": "FVC",
    "MDC_RATIO_INR_COAG": "INR",
    "VG_STEP_COUNT": "Steps",
}

# UCUM as people write it; the number beside it is never converted.
UNITS = {"mm[Hg]": "mmHg", "[lb_av]": "lb", "Cel": "°C", "[degF]": "°F", "[in_i]": "in", "{steps}": "", "1": ""}


def reason(text: str) -> str:
    """A reason in full: the words for its code, and the code; the hub's own text where the code is not known."""
    code = text.partition(" ")[0]
    return f"{REASONS[code]} ({code})" if code in REASONS else text


def short(text: str) -> str:
    """A reason in two words."""
    return SHORT.get(text.partition(" ")[0], "see below")


def capture(word: str) -> str:
    """Who or what captured a value."""
    return CAPTURES.get(word, word)


def value(code: str, number: str, unit: str) -> str:
    """One value for display: name, number as it came, unit."""
    return f"{VALUES.get(code, code)} {number} {UNITS.get(unit, unit)}".rstrip()
