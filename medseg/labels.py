"""Labels: what the numbers in a mask mean: name, coded concept and colour.

Nothing in medseg reads a label table yet. It is here for the DICOM output, SEG, RTSTRUCT and SR,
which must say in coded concepts what each value of a mask is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Code:
    """A coded concept.

    Args:
        value: code value, for instance "10200004".
        scheme: coding scheme designator, "SCT" (SNOMED CT) or "DCM".
        meaning: code meaning, for people.

    Source: DICOM PS3.3 section 8 and PS3.16 section 8.
    """

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class Label:
    """One value of a mask.

    Args:
        index: the value, 0 to 255; 0 is background.
        name: short name, as metadata and reports show it.
        rgb: display colour, three integers of 0 to 255.
        category: coded segmented property category (CID 7150); None for background alone.
        type: coded segmented property type; None for background alone.

    Raises:
        ValueError: index or colour out of range, empty name, or a foreground label without codes.
    """

    index: int
    name: str
    rgb: tuple[int, int, int]
    category: Code | None = None
    type: Code | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.index <= 255:
            raise ValueError(f"label index {self.index} is out of range: choose 0 to 255")
        if not self.name.strip():
            raise ValueError(f"label {self.index} has an empty name: give it one")
        if len(self.rgb) != 3 or any(not 0 <= value <= 255 for value in self.rgb):
            raise ValueError(f"label {self.name!r} has colour {self.rgb}: give three of 0 to 255")
        if self.index and (self.category is None or self.type is None):
            raise ValueError(f"label {self.name!r} has no codes: give its category and type")


@dataclass(frozen=True)
class LabelTable:
    """The labels of a task, in the order of their indices: 0, 1, 2, ... without gaps.

    Raises:
        ValueError: an index or a name occurs twice, background is missing, or indices have gaps.

    Example:
        >>> LIVER["liver"].index, LIVER[2].name, len(LIVER)
        (1, 'liver tumour', 3)
    """

    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        indices = [label.index for label in self.labels]
        names = [label.name.lower() for label in self.labels]
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


BACKGROUND = Label(0, "background", (0, 0, 0))

ANATOMY = Code("91723000", "SCT", "Anatomical Structure")
MORPHOLOGY = Code("49755003", "SCT", "Morphologically Abnormal Structure")

LIVER = LabelTable(
    (
        BACKGROUND,
        Label(1, "liver", (221, 130, 101), ANATOMY, Code("10200004", "SCT", "Liver")),
        Label(2, "liver tumour", (144, 238, 144), MORPHOLOGY, Code("108369006", "SCT", "Neoplasm")),
    )
)
"""Liver and tumour apart, as LiTS and MSD Task03_Liver label them."""

LIVER_WHOLE = LabelTable((BACKGROUND, LIVER["liver"]))
"""The liver with its tumours, as one label."""

TABLES = {"liver": LIVER, "liver_whole": LIVER_WHOLE}
"""The tables by name."""
