"""Times of the sun at a place: pure functions.

Source: "Solar Calculation Details", NOAA Global Monitoring Laboratory, after J. Meeus, Astronomical Algorithms; within
a minute or two between the polar circles, which refraction in real air does not keep to either.

Where the sun does not cross an elevation on a day, the crossing is at its nearest approach: in polar day the sun "sets"
and "rises" at midnight, so that the night has no length, and in polar night both are at noon. Windows therefore shrink
and grow without a jump as the seasons pass.
"""

import math
from datetime import UTC, date, datetime, timedelta

SUNRISE_DEG = -0.833  # of the centre of the disk: refraction and half its width
DAWN_DEG = -6.0  # civil
_J2000_S = datetime(2000, 1, 1, 12, tzinfo=UTC).timestamp()
_CENTURY_S = 36_525 * 86_400.0
_MINUTES_PER_DEG = 4.0
_ROUNDS = 3


def solar_noon(day: date, longitude_deg: float) -> float:
    """Return the Unix time at which the sun is highest on a day; ``longitude_deg`` is positive in the east."""
    clock_noon_s = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
    mean_s = clock_noon_s - longitude_deg * _MINUTES_PER_DEG * 60
    return mean_s - _position(mean_s)[1] * 60


def crossing(day: date, latitude_deg: float, longitude_deg: float, elevation_deg: float, rising: bool) -> float:
    """Return the Unix time at which the sun crosses an elevation on a day, or comes nearest to it.

    Args:
        day: of the noon between rising and setting.
        latitude_deg: -90 to 90, positive in the north.
        longitude_deg: -180 to 180, positive in the east.
        elevation_deg: of the centre of the sun.
        rising: before noon, else after it.
    """
    noon_s = at_s = solar_noon(day, longitude_deg)
    latitude = math.radians(latitude_deg)
    for _ in range(_ROUNDS):  # the sun moves on while the day passes
        declination, _ = _position(at_s)
        above = math.sin(math.radians(elevation_deg)) - math.sin(latitude) * math.sin(declination)
        cosine = above / max(math.cos(latitude) * math.cos(declination), 1e-9)
        half_day_s = math.degrees(math.acos(max(-1.0, min(1.0, cosine)))) * _MINUTES_PER_DEG * 60
        at_s = noon_s - half_day_s if rising else noon_s + half_day_s
    return at_s


def local_day(unix_s: float, longitude_deg: float) -> date:
    """Return the date of the solar day at a place."""
    return (datetime.fromtimestamp(unix_s, UTC) + timedelta(minutes=longitude_deg * _MINUTES_PER_DEG)).date()


def _position(unix_s: float) -> tuple[float, float]:
    """Return the declination of the sun in radians and the equation of time in minutes."""
    century = (unix_s - _J2000_S) / _CENTURY_S
    mean_longitude = math.radians((280.46646 + century * (36_000.76983 + 0.0003032 * century)) % 360)
    anomaly = math.radians(357.52911 + century * (35_999.05029 - 0.0001537 * century))
    eccentricity = 0.016708634 - century * (0.000042037 + 0.0000001267 * century)
    centre = (
        math.sin(anomaly) * (1.914602 - century * (0.004817 + 0.000014 * century))
        + math.sin(2 * anomaly) * (0.019993 - 0.000101 * century)
        + math.sin(3 * anomaly) * 0.000289
    )
    node = math.radians(125.04 - 1934.136 * century)
    longitude = mean_longitude + math.radians(centre - 0.00569 - 0.00478 * math.sin(node))
    mean_obliquity = 23.439291 - century * (0.0130042 + century * (0.00000016 - 0.000000504 * century))
    obliquity = math.radians(mean_obliquity + 0.00256 * math.cos(node))
    half = math.tan(obliquity / 2) ** 2
    equation = (
        half * math.sin(2 * mean_longitude)
        - 2 * eccentricity * math.sin(anomaly)
        + 4 * eccentricity * half * math.sin(anomaly) * math.cos(2 * mean_longitude)
        - 0.5 * half * half * math.sin(4 * mean_longitude)
        - 1.25 * eccentricity * eccentricity * math.sin(2 * anomaly)
    )
    return math.asin(math.sin(obliquity) * math.sin(longitude)), _MINUTES_PER_DEG * math.degrees(equation)
