"""ISO 8601 text for dates, times and durations that Python's own types cannot hold.

A year after 9999 has a plus sign, a year before 0 a minus sign (ISO 8601, expanded representation).
"""

from __future__ import annotations

_DAY = 86_400
_PER_ERA = 146_097  # days in 400 years
_EPOCH = 719_468  # days from 0000-03-01 to 1970-01-01


def date_text(days: int) -> str:
    """Return the date ``day`` days after 1970-01-01, in the proleptic Gregorian calendar."""
    era, day_of_era = divmod(days + _EPOCH, _PER_ERA)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153  # months since March
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (month <= 2)
    if year > 9999:
        return f"+{year}-{month:02}-{day:02}"
    return f"{'-' if year < 0 else ''}{abs(year):04}-{month:02}-{day:02}"


def time_text(ticks: int, per_second: int) -> str:
    """Return the time of day so many ticks after midnight."""
    seconds, part = divmod(ticks, per_second)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return text + _fraction(part, per_second)


def timestamp_text(ticks: int, per_second: int) -> str:
    """Return the time so many ticks after 1970-01-01T00:00:00, without a zone."""
    days, rest = divmod(ticks, _DAY * per_second)
    return f"{date_text(days)}T{time_text(rest, per_second)}"


def duration_text(ticks: int, per_second: int) -> str:
    """Return the duration as ``P1DT2H3M4.5S``; a negative one has a minus sign before it."""
    seconds, part = divmod(abs(ticks), per_second)
    days, seconds = divmod(seconds, _DAY)
    pieces = [(seconds // 3600, "H"), (seconds // 60 % 60, "M")]
    clock = "".join(f"{number}{unit}" for number, unit in pieces if number)
    if seconds % 60 or part:
        clock += f"{seconds % 60}{_fraction(part, per_second)}S"
    text = (f"{days}D" if days else "") + (f"T{clock}" if clock else "")
    return ("-" if ticks < 0 else "") + "P" + (text or "T0S")


def interval_text(months: int, days: int, nanoseconds: int) -> str:
    """Return an interval of months, days and a time, as ``P1M2DT3S``."""
    clock = duration_text(abs(nanoseconds), 10**9).removeprefix("P") if nanoseconds else ""
    if clock and not clock.startswith("T"):  # more than a day: seconds keep it distinct from calendar days
        seconds, part = divmod(abs(nanoseconds), 10**9)
        clock = f"T{seconds}{_fraction(part, 10**9)}S"
    if clock and nanoseconds < 0:
        clock = "T-" + clock.removeprefix("T")
    text = (f"{months}M" if months else "") + (f"{days}D" if days else "") + clock
    return "P" + (text or "T0S")


def _fraction(part: int, per_second: int) -> str:
    """Return the part of a second, with as many digits as it needs: none, three, six or nine."""
    if not part:
        return ""
    digits = f"{part * (10**9 // per_second):09}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f".{digits}"
