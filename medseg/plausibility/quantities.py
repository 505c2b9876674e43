"""Quantities: what is measured of an image and of a class, and how far from training it may be."""

from dataclasses import dataclass

LOG2_OF_1_5, LOG2_OF_2, LOG2_OF_3 = 0.585, 1.0, 1.585


@dataclass(frozen=True)
class Quantity:
    """A quantity and the margins beyond the values of the training cases.

    Attributes:
        words: what it is, as a message names it.
        unit: likewise; empty for a share.
        warn: how far beyond the lowest or highest training value is a warning, at least.
        refuse: likewise a refusal; None where no value contradicts.
        is_ratio: margins are in powers of 2, for sizes, of which half and twice are as far away.
    """

    words: str
    unit: str
    warn: float
    refuse: float | None = None
    is_ratio: bool = False


WARN_WIDTHS, REFUSE_WIDTHS = 0.25, 1.0
"""The margins in widths of the range of training, where that is more: a set of great variety says
little about where it ends."""

OF_IMAGE = {
    # a volume three times as long shows another part of the body: a head where the crop of a
    # hippocampus is meant, or metres taken for millimetres
    "longest_mm": Quantity("the longest side of the image", "mm", LOG2_OF_1_5, LOG2_OF_3, True),
    # part of a scan is often rightly segmented alone, and slices are thick and thin
    "shortest_mm": Quantity("the shortest side of the image", "mm", LOG2_OF_2, None, True),
    "voxel_mm": Quantity("the edge of a voxel (mean of the three)", "mm", LOG2_OF_2, None, True),
    # scanners, contrast agents and age move soft tissue by some 50 HU
    "body_hu": Quantity("the median value of the body", "HU", 75),
    # magnetic resonance has no unit; the place of its median between dark and bright is free of it
    "darkness": Quantity("the median brightness (0 is its darkest, 1 its brightest)", "", 0.15),
    # of whole numbers, as CT has them; MR that was normalised has fractions
    "negative": Quantity("the share of whole numbers below 0 (as CT has them)", "", 0.05, 0.1),
    "longest_px": Quantity("the longest side of the picture", "pixels", LOG2_OF_2, None, True),
    "brightness": Quantity("the mean brightness", "grey values", 25),
    # of the sum of the colours; endoscopy is 0.2 to 0.4, stained tissue -0.1 to 0
    "redness": Quantity("red minus blue (each as a share of all colour)", "", 0.05, 0.1),
    "greenness": Quantity(
        "green minus the rest (each as a share of all colour)",
        "",
        0.05,
        0.1,
    ),
}

OF_CLASS = {
    "volume_ml": Quantity("the volume", "mL", LOG2_OF_1_5, None, True),
    "share": Quantity("the share of the image", "", 0.1),
    "pieces": Quantity("the number of pieces", "", LOG2_OF_3, None, True),
    "place_1": Quantity("the place of its centre along the first axis (from 0 to 1)", "", 0.15),
    "place_2": Quantity("the place of its centre along the second axis (from 0 to 1)", "", 0.15),
    "place_3": Quantity("the place of its centre along the third axis (from 0 to 1)", "", 0.15),
}
