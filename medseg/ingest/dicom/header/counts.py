"""Counts: how many images, frames and parts a header says there are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pydicom

from medseg.ingest.dicom.files.elements import get_text, get_whole
from medseg.ingest.dicom.header.private import read_count_of_slices

KEYWORDS = (
    *("ConcatenationUID", "InConcatenationNumber", "InConcatenationTotalNumber"),
    *("ConcatenationFrameOffsetNumber", "ImagesInAcquisition", "NumberOfSlices"),
    "NumberOfSeriesRelatedInstances",
)

COUNTED = {
    "images_in_acquisition": "ImagesInAcquisition",
    "slices_of_pet": "NumberOfSlices",
    "instances_of_series": "NumberOfSeriesRelatedInstances",
    "slices_by_maker": "the number of slices in a private element",
}
"""Fields of `Counts` that count images, and what each is called in messages."""


@dataclass(frozen=True)
class Counts:
    """What one header counts; 0 or None where it does not.

    Attributes:
        concatenation: the UID that the parts of one have in common.
        part: which of them the file is, counted from 1.
        parts: how many there are.
        offset: how many frames the parts before it hold.
        images_in_acquisition: ImagesInAcquisition.
        slices_of_pet: NumberOfSlices of PET.
        instances_of_series: NumberOfSeriesRelatedInstances, which archives write.
        slices_by_maker: what GE or Philips count, see `medseg.ingest.dicom.header.private`.
    """

    concatenation: str = ""
    part: int = 0
    parts: int = 0
    offset: int | None = None
    images_in_acquisition: int = 0
    slices_of_pet: int = 0
    instances_of_series: int = 0
    slices_by_maker: int = 0

    @property
    def is_part(self) -> bool:
        """Whether the file is one part of a concatenation."""
        stated = self.concatenation or self.part or self.parts > 1
        return bool(stated or self.offset is not None)


def read_counts(dataset: pydicom.Dataset) -> Counts:
    """Read what a header counts.

    Example:
        >>> dataset = pydicom.Dataset()
        >>> dataset.InConcatenationNumber = 2
        >>> read_counts(dataset).part
        2
    """
    count = partial(get_whole, dataset)
    offset = count("ConcatenationFrameOffsetNumber", -1)
    return Counts(
        concatenation=get_text(dataset, "ConcatenationUID"),
        part=count("InConcatenationNumber"),
        parts=count("InConcatenationTotalNumber"),
        offset=offset if offset >= 0 else None,
        images_in_acquisition=count(COUNTED["images_in_acquisition"]),
        slices_of_pet=count(COUNTED["slices_of_pet"]),
        instances_of_series=count(COUNTED["instances_of_series"]),
        slices_by_maker=read_count_of_slices(dataset),
    )
