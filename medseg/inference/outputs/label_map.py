"""Label map: write a volume's label map on the source grid, all or nothing."""

import logging
import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from torch import Tensor

from medseg.base.files import whole
from medseg.geometry import Geometry
from medseg.inference.outputs.case_files import CaseFiles
from medseg.inference.outputs.notes import (
    FORCED,
    WARNED,
    add_found,
    is_forced,
    read_notes,
    shorten,
)
from medseg.inference.outputs.source import get_source_geometry

logger = logging.getLogger(__name__)

_DESCRIP_BYTES = 79  # of a NIfTI header, one of its 80 being zero


class WriteLabelMapd(MapTransform):
    """Writes `<output_dir>/<case>.nii.gz`: uint8 label values on the grid of the source image.

    Place it after `Invertd`. An existing file is replaced; `find_cases` guards against that.

    Args:
        keys: key of the label map, (1, I, J, K), already brought back to the source grid.
        output_dir: folder, made if absent.
        replaces: what follows the name of the case in the names of files that show an earlier label
            map, such as ".png"; they are removed first.
        image_key: the image as it went into the network; its meta data know the source grid.
        existing: "overwrite" replaces a label map that is there. With "refuse" and "skip" there was
            none when the run began, so one that is there now is of another run, and stays.
        first: writes other outputs of the case. It is called before the label map is written, so
            that a case with a label map has them.

    Raises:
        FileExistsError: another run has written the label map meanwhile.
        ValueError: the label map is not on the source grid, or has values that are not the integers
            0 to 255.
    """

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str | os.PathLike,
        *,
        replaces: Sequence[str] = (),
        image_key: str = "image",
        existing: str = "overwrite",
        first: Callable[[Mapping[Hashable, Any]], dict[Hashable, Any]] | None = None,
    ) -> None:
        super().__init__(keys)
        self.files = CaseFiles(output_dir, ".nii.gz", replaces=replaces, existing=existing)
        self.image_key = image_key
        self.first = first

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        image = data[self.image_key]
        source, notes = get_source_geometry(image), read_notes(image)
        for key in self.key_iterator(data):
            path, replace = self.files.make_way(str(data["case"])), self.files.replace
            data = data if self.first is None else self.first(data)
            write_label_map(data[key], path, source=source, notes=notes, replace=replace)
            logger.debug("label map: %s", path)
            data = add_found(data, mask=path.name)
        return dict(data)


def write_label_map(
    label: MetaTensor,
    path: Path,
    *,
    source: Geometry,
    notes: Sequence[str] = (),
    replace: bool = True,
) -> None:
    """Write a (1, I, J, K) label map as NIfTI, uint8, in millimetres, on the `source` grid.

    sform and qform are both the affine of `source`, with code 1, scanner. The notes, cut to
    79 letters, are in `descrip`; `intent_name` is "forced" or "warned" where there are any.

    Raises:
        ValueError: its shape or affine is not that of `source`, or a value is not an integer of 0
            to 255.
    """
    array = read_class_indices(label, name=path.name)
    check_on_source_grid(label, source, name=path.name)
    image = nib.Nifti1Image(array, source.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(source.affine, code="scanner")
    image.set_qform(source.affine, code="scanner")
    image.header["descrip"] = shorten(notes, _DESCRIP_BYTES)
    if notes:
        image.header["intent_name"] = FORCED if is_forced(notes) else WARNED
    with whole(path, replace=replace) as partial:
        nib.save(image, partial)


def check_on_source_grid(label: MetaTensor, source: Geometry, *, name: str) -> None:
    """Refuse a label map, (1, I, J, K), that does not lie on the grid of its source.

    Raises:
        ValueError: its shape or affine is not that of `source`; the message names the file, `name`.
    """
    i, j, k = label.shape[1:]
    grid = Geometry((i, j, k), np.asarray(label.affine, dtype=float))
    if not grid.same_grid(source):
        raise ValueError(
            f"label map {name} is not on the source grid ({grid.describe_difference(source)}): "
            "invert the spatial transforms of the preprocessing"
        )


def read_class_indices(label: Tensor, *, name: str) -> np.ndarray:
    """The values of a label map, (1, *spatial), as uint8, (*spatial).

    Args:
        label: of any number type.
        name: of its file, for the error.

    Raises:
        ValueError: a value is not an integer of 0 to 255.
    """
    values = label[0].cpu().numpy()
    with np.errstate(invalid="ignore"):
        array = values.astype(np.uint8)
    if not np.array_equal(array, values):
        raise ValueError(
            f"label map {name} holds values from {values.min():g} to {values.max():g} that "
            "uint8 cannot hold: write class indices of 0 to 255, not probabilities"
        )
    return array
