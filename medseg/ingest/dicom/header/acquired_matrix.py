"""Acquired matrix: how many points of one slice were measured, beside the pixels of its image.

An image of several times as many rows and as many columns is interpolated, or a sheet of slices.
Interpolation doubles a matrix often and quadruples it at times; it does so on any scanner.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pydicom

from medseg.ingest.dicom.files.elements import ElementError, get_text, get_vector
from medseg.ingest.dicom.header.private import read_matrix_text

KEYWORDS = ("AcquisitionMatrix", "Manufacturer")

_TEXT = re.compile(r"(\d+)[a-z]*\*(\d+)([a-z]*)", re.ASCII | re.IGNORECASE)
_INTERPOLATED = "s"  # of "128*128s"
_MAKERS = ("siemens", "uih", "united imag")


@dataclass(frozen=True)
class AcquiredMatrix:
    """Rows and columns as measured; 0 where they are not stated.

    Attributes:
        rows: or columns, where only two numbers are stated.
        columns: likewise.
        is_by_text: whether Siemens' own text states it, which says where it was interpolated.
        is_interpolated: whether it says so.
    """

    rows: int = 0
    columns: int = 0
    is_by_text: bool = False
    is_interpolated: bool = False

    def count_times_in(self, rows: int, columns: int) -> int:
        """How many times the matrix lies in an image, along rows and along columns alike.

        Returns:
            2 or more; 0 where it does not, or where the image is interpolated.

        Example:
            >>> matrix = AcquiredMatrix(64, 64)
            >>> matrix.count_times_in(384, 384), matrix.count_times_in(96, 96)
            (6, 0)
        """
        if self.is_interpolated or min(self.rows, self.columns) < 1:
            return 0
        for a, b in ((self.rows, self.columns), (self.columns, self.rows)):
            if rows % a == columns % b == 0 and rows // a == columns // b > 1:
                return rows // a
        return 0


def read_matrix(dataset: pydicom.Dataset) -> AcquiredMatrix:
    """Read what Siemens states of the matrix, else AcquisitionMatrix (PS3.3 C.8.3.1).

    Makers that write no sheets of slices are passed over.

    Example:
        >>> dataset = pydicom.Dataset()
        >>> dataset.AcquisitionMatrix = [64, 0, 0, 48]
        >>> read_matrix(dataset).columns
        48
    """
    maker = get_text(dataset, "Manufacturer").lower()
    if maker and not any(name in maker for name in _MAKERS):
        return AcquiredMatrix()
    if found := _TEXT.fullmatch(read_matrix_text(dataset)):
        rows, columns, suffix = found.groups()
        is_interpolated = _INTERPOLATED in suffix.lower()
        return AcquiredMatrix(int(rows), int(columns), True, is_interpolated)
    try:
        stated = [int(value) for value in get_vector(dataset, "AcquisitionMatrix")]
    except (ElementError, ValueError, OverflowError):  # it refuses nothing by itself
        return AcquiredMatrix()
    if len(stated) != 4:
        return AcquiredMatrix()
    return AcquiredMatrix(stated[0] or stated[2], stated[1] or stated[3])
