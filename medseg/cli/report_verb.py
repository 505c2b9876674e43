"""Report verb: compare two studies of a patient, from what `medseg segment` left of each.

What the verb needs is imported when it runs, so that `medseg --help` answers at once.
"""

from datetime import date
from math import isfinite
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from medseg.base.console_streams import require_output
from medseg.cli.errors import one_line_errors
from medseg.cli.numbers import parse_number
from medseg.cli.output import Json, say, say_error_as_json, say_json
from medseg.cli.paths import PathOption

_PLACE = "a folder of medseg segment with one case, or a label map in it."


def parse_size(text: str | float) -> float:
    """A number of a command line that is 0 or more.

    Raises:
        typer.BadParameter: it is anything else.
    """
    number = parse_number(text)
    if not (isfinite(number) and number >= 0):
        raise typer.BadParameter(f"{text!r} is below 0 or not finite: pass 0 or more")
    return number


def parse_day(text: str | date) -> date:
    """A day of a command line; raises typer.BadParameter where it is none."""
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day such as 2026-01-31") from None


def report(
    before: Annotated[Path, PathOption("--before", help=f"The earlier study: {_PLACE}")],
    after: Annotated[Path, PathOption("--after", help="The later study, likewise.")],
    out: Annotated[Path, PathOption("--out", "-o", help="Folder for the comparison.")],
    structures: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Structure whose pieces are lesions; repeat it for several. Default: those that "
            "stand for lesions, such as tumour.",
        ),
    ] = None,
    before_image: Annotated[
        Path | None, PathOption(help="Image of the earlier study. Default: that of its record.")
    ] = None,
    after_image: Annotated[
        Path | None, PathOption(help="Image of the later study. Default: that of its record.")
    ] = None,
    before_date: Annotated[
        date | None,
        typer.Option(
            parser=parse_day,
            metavar="DAY",
            help="Day of the earlier study, such as 2026-01-31. Default: that of its DICOM header.",
        ),
    ] = None,
    after_date: Annotated[
        date | None,
        typer.Option(parser=parse_day, metavar="DAY", help="Day of the later study, likewise."),
    ] = None,
    no_registration: Annotated[
        bool, typer.Option("--no-registration", help="Compare as they lie two masks on one grid.")
    ] = False,
    match_distance: Annotated[
        float,
        typer.Option(
            parser=parse_size,
            metavar="MM",
            help="Lesions that do not overlap are one if their centres are at most so far apart.",
        ),
    ] = 15.0,
    min_volume: Annotated[
        float, typer.Option(parser=parse_size, metavar="ML", help="Leave smaller lesions out.")
    ] = 0.0,
    same_patient: Annotated[
        bool,
        typer.Option(
            "--same-patient",
            help="Give a RECIST category though headers or images look like those of two patients.",
        ),
    ] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace a comparison in --out.")] = False,
    json: Json = False,
) -> None:
    """Compare two studies of a patient: lesions, sizes, and a RECIST category with its rule.

    The earlier image is moved rigidly onto the later one, and lesions are matched: persisted, new,
    vanished, merged or split. For research: no assessment of a patient.

    Example: [cyan]medseg report --before masks_jan --after masks_mar -o change[/]
    """
    require_output()
    with one_line_errors(also=say_error_as_json(json)):
        _check_there("before", before)
        _check_there("after", after)
        from medseg.report.followup import compare_studies, read_case, write_followup
        from medseg.report.followup.write import check_room, describe_followup

        registered = not no_registration
        check_room(out, overwrite=overwrite)
        cases = [
            read_case(path, side=side, image=image, day=day, needs_image=registered)
            for path, side, image, day in (
                (before, "before", before_image, before_date),
                (after, "after", after_image, after_date),
            )
        ]
        found = compare_studies(
            *cases,
            structures=structures or (),
            registered=registered,
            farthest_mm=match_distance,
            smallest_ml=min_volume,
            same_patient=same_patient,
        )
        places = write_followup(found, out)
        if json:
            files = sorted(place.name for place in places.values())
            say_json({"folder": str(out.absolute()), "files": files, **describe_followup(found)})
            return
        from medseg.report.followup.table import format_lines, make_table

        console = Console(emoji=False)
        shown = make_table(found)
        unlimited = console.options.update(width=10_000)
        console.width = max(console.width, console.measure(shown, options=unlimited).maximum)
        console.print(shown)
        for line in (*format_lines(found), *(f"written {place}" for place in places.values())):
            say(line)


def _check_there(side: str, path: Path) -> None:
    """Refuse a path that is not there before anything heavy is imported."""
    if not path.exists():
        raise FileNotFoundError(
            f"no such file or folder: {path.absolute()} (--{side} takes a folder of medseg segment "
            "with one case, or a label map in it)"
        )
