"""CLI paths: options and arguments that are paths, of which an empty one is refused.

An empty word, as that of a shell variable that is not set, would else be the current folder.
"""

from functools import partial
from pathlib import Path

import typer

from medseg.base.walk import check_length
from medseg.cli.usage import refuse_misspelt_option


def check_path_text(text: str) -> str:
    """A path as it was typed.

    Raises:
        typer.BadParameter: it is empty, or longer than the system takes.

    Example:
        >>> check_path_text("./null")
        './null'
    """
    if not text:
        raise typer.BadParameter("the path is empty: name a file or folder (. is the current one)")
    try:
        check_length(text)
    except OSError as error:
        raise typer.BadParameter(str(error)) from error
    return text


def parse_path(text: str | Path) -> Path:
    """A path, from its text or from a default. Raises as `check_path_text` does."""
    return Path(check_path_text(str(text)))


def check_bundle_names(names: list[str] | None) -> list[str] | None:
    """Names of bundles, each of them a folder. Raises as `check_path_text` does."""
    for name in names or ():
        check_path_text(name)
    return names


def refuse_override(context: typer.Context, word: str, argument: str) -> None:
    """Typer takes an override that stands before an argument for the argument itself."""
    if word.startswith("--"):
        refuse_misspelt_option(context, word)
        raise typer.BadParameter(
            f"expected {argument}, got {word}: write overrides after {argument}, and a name that "
            f"starts with dashes as ./{word}"
        )


PathOption = partial(typer.Option, parser=parse_path, metavar="PATH")
PathArgument = partial(typer.Argument, parser=parse_path, metavar="PATH")
PathTextArgument = partial(typer.Argument, parser=check_path_text)
