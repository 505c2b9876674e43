"""Caption: what a preview says of its case above the picture, and of its classes below."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from medseg.base.class_values import Classes
from medseg.base.text import count_noun, escape_unprintable
from medseg.inference.outputs.notes import format_note
from medseg.inference.preview.page import (
    GREY,
    LARGE,
    ORANGE,
    WHITE,
    Block,
    fill,
    lay_out,
    put_beside,
    stack,
    write_paragraph,
)
from medseg.labels import COLOURS, Colours, choose_colour
from medseg.transforms.regions import list_members

RESEARCH_USE = "Research use only: not a medical device."

_PATCH = 13


@dataclass(frozen=True)
class About:
    """What a preview states of its case.

    Args:
        case: its name, as the names of its files have it; nothing else of a patient is shown.
        made_by: the bundle and its version; empty where they are not known.
        day: of the segmentation; None for today.
        notes: what must be known of the case, a paragraph each.
    """

    case: str = ""
    made_by: str = ""
    day: date | None = None
    notes: Sequence[str] = ()


def write_heading(about: About, lines: Iterable[str], width: int) -> Block:
    """The name of the case, then bundle, version and day, then lines on the image."""
    day = (about.day or date.today()).isoformat()
    made = " · ".join(filter(None, (escape_unprintable(about.made_by), day)))
    return stack(
        [
            write_paragraph(escape_unprintable(about.case), width, size=LARGE),
            *(write_paragraph(line, width, colour=GREY) for line in (made, *lines)),
        ],
        gap=2,
    )


def write_legend(
    entries: Iterable[tuple[int, str]],
    about: About,
    width: int,
    *,
    colours: Colours = COLOURS,
) -> Block:
    """Each class with its colour, then the notes, and for what the preview may be used."""
    notes = (write_paragraph(format_note(note), width, colour=ORANGE) for note in about.notes)
    named = [_write_entry(choose_colour(value, colours), text, width) for value, text in entries]
    return stack(
        [
            lay_out(named, width, gap=24),
            stack(notes, gap=4),
            write_paragraph(RESEARCH_USE, width, colour=GREY),
        ],
        gap=8,
    )


def count_voxels(label: np.ndarray, classes: Sequence[str] | Classes) -> dict[str, int]:
    """Voxels or pixels of each class, as `describe_volumes` counts them."""
    return dict(zip(classes, _count(label, classes), strict=True))


def describe_volumes(
    label: np.ndarray, voxel_ml: float, classes: Sequence[str] | Classes
) -> list[tuple[int, str]]:
    """Class index and text, for instance (1, "liver 1532.4 mL").

    Args:
        label: class indices; 0 is background.
        voxel_ml: the volume of a voxel.
        classes: names of the classes 1, 2, ...; with the label values that each gathers, a region
            is counted with those within it.
    """
    return _describe(label, classes, lambda count: format_volume(count * voxel_ml))


def describe_areas(
    label: np.ndarray, classes: Sequence[str] | Classes, *, objects: np.ndarray | None = None
) -> list[tuple[int, str]]:
    """Class index and text, for instance (1, "nucleus 5120 pixels, 7.8 %, 34 objects").

    Args:
        label: class indices; 0 is background.
        classes: see `describe_volumes`.
        objects: of the same shape, numbers of objects, 0 elsewhere; None to count none.
    """
    found = _describe(label, classes, lambda n: f"{n} pixels, {100 * n / label.size:.1f} %")
    if objects is None:
        return found
    alone = [[index] for index in range(1, len(classes) + 1)]
    members = list_members(classes) if isinstance(classes, Mapping) else alone
    there = [objects[np.isin(label, indices) & (objects > 0)] for indices in members]
    counts = [int(np.count_nonzero(np.bincount(numbers))) for numbers in there]
    return [
        (index, f"{text}, {count_noun(count, 'object')}" if count else text)
        for (index, text), count in zip(found, counts, strict=True)
    ]


def format_volume(volume_ml: float) -> str:
    """A volume with at least three digits, and one behind the point.

    Example:
        >>> format_volume(1532.44), format_volume(3.14159), format_volume(0.0485)
        ('1532.4 mL', '3.14 mL', '0.0485 mL')
    """
    digits = 1 if volume_ml >= 10 else 2 if volume_ml >= 1 else 3 if volume_ml >= 0.1 else 4
    return f"{volume_ml:.{digits}f} mL"


def _describe(
    label: np.ndarray, classes: Sequence[str] | Classes, measure: Callable[[int], str]
) -> list[tuple[int, str]]:
    counts = _count(label, classes)
    names = map(escape_unprintable, classes)
    texts = (
        f"{name} {measure(n)}" if n else f"{name}: none"
        for name, n in zip(names, counts, strict=True)
    )
    return list(enumerate(texts, start=1))


def _count(label: np.ndarray, classes: Sequence[str] | Classes) -> list[int]:
    """Voxels of each class; a region counts those of the regions within it, too."""
    alone = [int(np.count_nonzero(label == value)) for value in range(1, len(classes) + 1)]
    if not isinstance(classes, Mapping):
        return alone
    return [sum(alone[index - 1] for index in indices) for indices in list_members(classes)]


def _write_entry(colour: tuple[int, int, int], text: str, width: int) -> Block:
    patch = fill(_PATCH, _PATCH, colour)
    words = write_paragraph(text, width - _PATCH - 6, colour=WHITE)
    return put_beside([patch, words], gap=6, centred=True)
