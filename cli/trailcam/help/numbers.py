"""Numbers on the command line: finite ones, and whole ones that a machine word holds."""

import argparse
import math

_MAX_DIGITS = 18


def finite_number(text: str) -> float:
    """Read a number for argparse; "nan" passes every comparison, and "inf" is no measure."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return number


def whole_number(text: str) -> int:
    """Read a whole number of at most 18 digits for argparse."""
    digits = text.strip().removeprefix("-").removeprefix("+")
    if not digits.isdecimal() or len(digits) > _MAX_DIGITS:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at most {_MAX_DIGITS} digits")
    return int(text)


def fraction(text: str) -> float:
    """Read a number from 0 to 1 for argparse."""
    number = finite_number(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected 0 to 1")
    return number
