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
    "longest_mm": Quantity("the longest side", "mm", LOG2_OF_1_5, LOG2_OF_3, True),
    # part of a scan is often rightly segmented alone, and slices are thick and thin
    "shortest_mm": Quantity("the shortest side", "mm", LOG2_OF_2, None, True),
    "voxel_mm": Quantity("a voxel's edge", "mm", LOG2_OF_2, None, True),
    # scanners, contrast agents and age move soft tissue by some 50 HU
    "body_hu": Quantity("the median of the body", "HU", 75),
    # magnetic resonance has no unit; the place of its median between dark and bright is free of it
    "darkness": Quantity("the median, as a share from dark to bright,", "", 0.15),
    "longest_px": Quantity("the longest side", "pixels", LOG2_OF_2, None, True),
    "brightness": Quantity("the mean", "grey values", 25),
    # of the sum of the colours; endoscopy is 0.2 to 0.4, stained tissue -0.1 to 0
    "redness": Quantity("red less blue, as a share of all colours,", "", 0.05, 0.1),
    "greenness": Quantity("green less the others, as a share of all colours,", "", 0.05, 0.1),
}

OF_CLASS = {
    "volume_ml": Quantity("volume", "mL", LOG2_OF_1_5, None, True),
    "share": Quantity("share of the picture, at most,", "", 0.1),
    "pieces": Quantity("number of pieces", "", LOG2_OF_3, None, True),
    "place_1": Quantity("centre along the first axis, as a share of the image,", "", 0.15),
    "place_2": Quantity("centre along the second axis, as a share of the image,", "", 0.15),
    "place_3": Quantity("centre along the third axis, as a share of the image,", "", 0.15),
}
