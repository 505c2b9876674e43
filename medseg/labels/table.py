"""Table: the label table of a task: the name, coded concept and colour of each class."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.labels.concepts import Code, find_concept

Colours = Sequence[tuple[int, int, int]]
"""RGB colours of the classes 1, 2, ..., each of 0 to 255; beyond the last one they begin again."""

COLOURS: Colours = (
    *((230, 85, 70), (255, 205, 60), (70, 160, 230), (90, 190, 110), (190, 110, 210)),
    *((240, 150, 60), (70, 200, 200), (245, 150, 190), (150, 115, 80), (170, 215, 60)),
    *((110, 110, 230), (150, 40, 90), (20, 120, 110), (200, 180, 240), (120, 140, 30)),
    *((250, 190, 160), (40, 80, 160), (160, 230, 170), (220, 30, 150), (150, 150, 150)),
)
"""Colours of the classes, in order; the first five can be told apart by the colour-blind."""

BRIGHT_COLOURS: Colours = (
    *((0, 225, 235), (255, 225, 40), (255, 90, 235), (90, 255, 90), (80, 130, 255)),
    *COLOURS[5:],
)
"""The same on pictures in colour: they are set off from tissue, which is red, brown and violet."""


@dataclass(frozen=True)
class Label:
    """One value of a mask.

    Args:
        index: the value, 0 to 255; 0 is background.
        name: short name, as metadata and reports show it.
        rgb: display colour, three integers of 0 to 255.
        category: coded segmented property category (CID 7150); None where no code is known.
        type: coded segmented property type; None likewise.
        members: the values of the mask that belong to the class; None for `index` alone. A class
            that encloses others has theirs too.
        whole: the name of the class with those that it encloses, such as "liver" where `name` is
            "liver outside tumour"; None where it encloses none.
        laterality: coded side of the structure, or of the site of the finding; None where the name
            tells none or `type` is of one side.
        site: coded structure in which a finding lies; None where the name tells none.

    Raises:
        ValueError: index or colour out of range, empty name, or one code without the other.
    """

    index: int
    name: str
    rgb: tuple[int, int, int]
    category: Code | None = None
    type: Code | None = None
    members: tuple[int, ...] | None = None
    whole: str | None = None
    laterality: Code | None = None
    site: Code | None = None

    @property
    def whole_name(self) -> str:
        """What the voxels of `members` are called, as measurements and probabilities are."""
        return self.whole or self.name

    def __post_init__(self) -> None:
        if not 0 <= self.index <= 255:
            raise ValueError(f"label index {self.index} is out of range: choose 0 to 255")
        if not self.name.strip():
            raise ValueError(f"label {self.index} has an empty name: give it one")
        if len(self.rgb) != 3 or any(not 0 <= value <= 255 for value in self.rgb):
            raise ValueError(f"label {self.name!r} has colour {self.rgb}: give three of 0 to 255")
        if (self.category is None) != (self.type is None):
            raise ValueError(f"label {self.name!r} has one code: give its category and type")


@dataclass(frozen=True)
class LabelTable:
    """The labels of a task, in the order of their indices: 0, 1, 2, ... without gaps.

    Raises:
        ValueError: an index or a name occurs twice, background is missing, or indices have gaps.

    Example:
        >>> table = make_table({"liver": [1], "tumour": [2]})
        >>> table["liver"].index, table[2].name, len(table)
        (1, 'tumour', 3)
    """

    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        indices = [label.index for label in self.labels]
        names = [label.name for label in self.labels]
        if len(set(indices)) < len(indices):
            raise ValueError(f"label indices {indices} repeat: give each label its own")
        if len(set(names)) < len(names):
            raise ValueError(f"label names {names} repeat: give each label its own")
        if indices != list(range(len(indices))) or not indices:
            raise ValueError(f"label indices are {indices}: count from 0 (background) without gaps")

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[Label]:
        return iter(self.labels)

    def __getitem__(self, key: int | str) -> Label:
        """Look a label up by its index or its name; KeyError names what there is."""
        for label in self.labels:
            if key in (label.index, label.name):
                return label
        raise KeyError(f"no label {key!r}: the table has {', '.join(self.channel_def.values())}")

    @property
    def foreground(self) -> tuple[Label, ...]:
        """All labels but the background."""
        return self.labels[1:]

    @property
    def channel_def(self) -> dict[str, str]:
        """`channel_def` of a bundle's metadata: {"0": "background", ...}."""
        return {str(label.index): label.name for label in self.labels}

    @property
    def colours(self) -> NDArray[np.uint8]:
        """RGB lookup table of shape (labels, 3): `colours[mask]` is the coloured mask."""
        return np.array([label.rgb for label in self.labels], np.uint8)


OUTSIDE = " outside "
"""Between the name of a class and the names of those that it encloses."""

BACKGROUND = Label(0, "background", (0, 0, 0))


def make_table(
    classes: Sequence[str] | Mapping[str, Sequence[int]], *, colours: Colours = COLOURS
) -> LabelTable:
    """The label table of a task: a label for each class, in order, after the background.

    A class that encloses others, such as a liver with its tumours, has in a mask the voxels that
    none of these has. The name of its label says so, `members` has the values of the whole, and
    `whole` its name.

    Args:
        classes: names of the classes 1, 2, ...; or each with the label values of the dataset that
            it gathers, those that enclose others first.
        colours: of the classes.

    Raises:
        ValueError: two classes of one name, or one that is named background.

    Example:
        >>> table = make_table({"liver": [1, 2], "tumour": [2]})
        >>> table.channel_def
        {'0': 'background', '1': 'liver outside tumour', '2': 'tumour'}
        >>> table[1].members, table[1].whole, table[1].type.meaning
        ((1, 2), 'liver', 'Liver')
    """
    values = [set(v) for v in classes.values()] if isinstance(classes, Mapping) else []
    labels = []
    for index, name in enumerate(classes, start=1):
        inner = [i for i, other in enumerate(values, 1) if other < values[index - 1]]
        nearest = [i for i in inner if not any(values[i - 1] < values[j - 1] for j in inner)]
        outside = ", ".join(list(classes)[i - 1] for i in nearest)
        concept = find_concept(name)
        labels.append(
            Label(
                index,
                f"{name}{OUTSIDE}{outside}" if outside else name,
                choose_colour(index, colours),
                members=(index, *inner) if inner else None,
                whole=name if inner else None,
                **(vars(concept) if concept else {}),
            )
        )
    return LabelTable((BACKGROUND, *labels))


def choose_colour(value: int, colours: Colours = COLOURS) -> tuple[int, int, int]:
    """The colour of a class, 1, 2, ...; beyond the last colour they begin again."""
    return colours[(value - 1) % len(colours)]
