"""CLI output: what a verb has to say, a line each, on the standard output."""

from rich.console import Console

from medseg.printable import printable_lines


def say(text: str) -> None:
    """Print text as it is, with neither markup nor :names: of pictures, colour or wrapping.

    Control characters are escaped.

    Example:
        >>> say("written bundles/liver")
        written bundles/liver
    """
    Console().print(
        printable_lines(text), soft_wrap=True, highlight=False, markup=False, emoji=False
    )
