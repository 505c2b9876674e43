"""CLI numbers: options that are numbers, of which plain decimal digits alone are read.

Python takes 0x10, 1_0 and the digits of other scripts for numbers, too. On a command line they are
more likely names, or slips of the keyboard.
"""

import re
from functools import partial

import typer

_WHOLE = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


def is_plain(text: str) -> bool:
    """Whether a text is a number in plain decimal digits.

    Example:
        >>> [is_plain(text) for text in ("10", "-1.5e3", "0x10", "1_0", "nan")]
        [True, True, False, False, False]
    """
    return _DECIMAL.fullmatch(text.strip()) is not None


def parse_whole_number(text: str | int) -> int:
    """A whole number of a command line, or a default.

    Raises:
        typer.BadParameter: it is not in plain decimal digits, or has thousands of them.
    """
    if _WHOLE.fullmatch(str(text).strip()) is None:
        raise typer.BadParameter(f"{text!r} is not a whole number in decimal digits, such as 10")
    try:
        return int(text)
    except ValueError as error:  # of thousands of digits
        raise typer.BadParameter(f"a number of {len(str(text))} digits is too long") from error


def parse_number(text: str | float) -> float:
    """A number of a command line, or a default; raises typer.BadParameter where it is none."""
    if not is_plain(str(text)):
        raise typer.BadParameter(f"{text!r} is not a number in decimal digits, such as 0.5")
    return float(text)


WholeOption = partial(typer.Option, parser=parse_whole_number, metavar="INTEGER")
NumberOption = partial(typer.Option, parser=parse_number, metavar="NUMBER")
