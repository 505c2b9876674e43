"""Parametric map: write a number for each voxel as a DICOM Parametric Map."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Literal

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.codedict import codes

from medseg.base.arguments import check_choice
from medseg.base.files import whole
from medseg.export.given import check_kinds, take_numbers, take_source
from medseg.export.label_values import check_probabilities
from medseg.export.mask_place import check_place, find_high
from medseg.export.new_object import describe_object, hush_highdicom
from medseg.export.segmentation import place_in_patient
from medseg.export.segments import UNKNOWN_CATEGORY, Algorithm
from medseg.export.source.images import SourceImages
from medseg.export.texts import make_long_string
from medseg.export.uids import make_uid
from medseg.geometry import Geometry
from medseg.ingest.dicom.series import Series

logger = logging.getLogger(__name__)

Quantity = Literal["probability", "uncertainty"]
FIRST_MAP = 903
"""Series number of the first map of a study, after those of SEG, RTSTRUCT and SR."""

_MEANINGS = {
    "probability": ("PROBABILITY", "Probability that a voxel belongs to the structure", 1.0),
    "uncertainty": ("UNCERTAINTY", "Uncertainty of the label of a voxel", 1.0),
}


def write_parametric_map(
    values: NDArray[np.floating],
    path: str | os.PathLike,
    *,
    source: Series | SourceImages,
    geometry: Geometry,
    algorithm: Algorithm,
    quantity: Quantity = "probability",
    name: str = "",
    series_number: int = FIRST_MAP,
) -> tuple[str, ...]:
    """Write a probability or an uncertainty of each voxel; the 32-bit numbers come back exactly.

    Args:
        values: (I, J, K), finite numbers of 0 to 1.
        path: of the object, replaced if it is there.
        source: the series that the values were computed from.
        geometry: the grid of the values, in RAS+. It need not be the grid of the series.
        algorithm: what computed the values.
        quantity: "probability" or "uncertainty".
        name: of the structure, for the description of the series.
        series_number: of the series that the object is in.

    Returns:
        What was missing or not allowed in the headers of the source, see `describe_source`.

    Raises:
        TypeError: an argument of another kind, such as a path for the source.
        ValueError: an unknown quantity; the values have another shape than the geometry, or some
            are not finite numbers of 0 to 1, or the grid is sheared, or puts most of the map
            outside the images.
        IngestError: the source was refused, or cannot be read any more.

    Source: DICOM PS3.3 section A.75.

    Example:
        >>> write_parametric_map(probability, "map.dcm", source=series, geometry=series.geometry,
        ...                      algorithm=Algorithm("liver", "1.0"))  # doctest: +SKIP
    """
    check_choice("quantity", quantity, tuple(_MEANINGS))
    check_kinds(geometry=geometry, algorithm=algorithm)
    values = take_numbers(values, "values")
    if values.shape != geometry.shape:
        raise ValueError(
            f"the values have the shape {values.shape} and their grid {geometry.shape}: give the "
            "geometry of the values"
        )
    check_probabilities(values, quantity)
    images = take_source(source)
    check_place(find_high(values), geometry, images)
    stored = np.ascontiguousarray(values.transpose(2, 1, 0), dtype=np.float32)
    label, explanation, highest = _MEANINGS[quantity]
    identity = make_uid(
        *("map", quantity, name, images.first.SeriesInstanceUID, images.first.SOPInstanceUID),
        *(algorithm.name, algorithm.version, geometry.affine.tobytes(), stored.tobytes()),
    )
    of_what = f"{algorithm.name}, {quantity}{f' of {name}' if name else ''}"
    described = make_long_string(of_what)
    common = describe_object(
        "map", identity, algorithm, series_number=series_number, description=described
    )
    with hush_highdicom():
        made = hd.pm.ParametricMap(
            source_images=images.headers,
            pixel_array=place_in_patient(stored, geometry, images),
            **common,
            contains_recognizable_visual_features=False,
            real_world_value_mappings=[
                hd.pm.RealWorldValueMapping(
                    lut_label=label,
                    lut_explanation=explanation,
                    unit=codes.UCUM.NoUnits,
                    value_range=(0.0, highest),
                    slope=1.0,
                    intercept=0.0,
                )
            ],
            voi_lut_transformations=[hd.VOILUTTransformation(highest / 2, highest)],
            content_label=label,
            content_description=described,
        )
    _put_in_order(made)
    made.ContentCreatorName = ""  # no person
    made.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [_describe_anatomy()]
    with whole(Path(path)) as partial:
        made.save_as(partial)
    logger.debug("DICOM parametric map: %s", path)
    return images.notes


def _put_in_order(made: Dataset) -> None:
    """Turn the frames round where they go against the normal of their planes, as highdicom has it.

    dcmqi takes it for granted that they go along the normal, and else reads the map mirrored.
    """
    shared, frames = made.SharedFunctionalGroupsSequence[0], made.PerFrameFunctionalGroupsSequence
    turn = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    first, last = (
        np.array(frames[n].PlanePositionSequence[0].ImagePositionPatient, float) for n in (0, -1)
    )
    if (last - first) @ np.cross(turn[:3], turn[3:]) >= 0:
        return
    planes = np.frombuffer(made.FloatPixelData, np.float32).reshape(len(frames), -1)
    made.FloatPixelData = planes[::-1].tobytes()
    made.PerFrameFunctionalGroupsSequence = list(frames)[::-1]
    for number, frame in enumerate(made.PerFrameFunctionalGroupsSequence, start=1):
        frame.FrameContentSequence[0].DimensionIndexValues = number


def _describe_anatomy() -> Dataset:
    """What the frames show (PS3.3 section C.7.6.16.2.8): tissue, since the body part is not known.

    dcmqi 1.5.7 crashes where it is absent.
    """
    region, anatomy = Dataset(), Dataset()
    region.CodeValue, region.CodingSchemeDesignator = (
        UNKNOWN_CATEGORY.value,
        UNKNOWN_CATEGORY.scheme,
    )
    region.CodeMeaning = UNKNOWN_CATEGORY.meaning
    anatomy.AnatomicRegionSequence, anatomy.FrameLaterality = [region], "U"
    return anatomy
