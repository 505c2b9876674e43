"""Label map: write a volume's label map on the source grid and its preview, all or nothing."""

import logging
import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, Orientation
from PIL import Image
from scipy import ndimage
from torch import Tensor

from medseg.base.class_values import Classes
from medseg.base.files import whole
from medseg.geometry import Geometry
from medseg.inference.outputs.notes import FORCED, WARNED, is_forced, notes_of, shorten
from medseg.inference.outputs.preview import draw_preview
from medseg.inference.outputs.source import source_geometry

logger = logging.getLogger(__name__)

_DESCRIP_BYTES = 79  # of a NIfTI header, one of its 80 being zero


class WriteLabelMapd(MapTransform):
    """Writes `<output_dir>/<case>.nii.gz`: uint8 label values on the grid of the source image.

    Place it after `Invertd`. An existing file is replaced; `find_cases` guards against that.

    Args:
        keys: key of the label map, (1, I, J, K), already brought back to the source grid.
        output_dir: folder, made if absent.
        image_key: the image as it went into the network; its meta data know the source grid.

    Raises:
        ValueError: the label map is not on the source grid, or has values that are not the integers
            0 to 255.
    """

    def __init__(
        self, keys: KeysCollection, output_dir: str | os.PathLike, *, image_key: str = "image"
    ) -> None:
        super().__init__(keys)
        self.output_dir = Path(output_dir)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        for key in self.key_iterator(data):
            path = self.output_dir / f"{data['case']}.nii.gz"
            image = data[self.image_key]
            source = source_geometry(image)
            write_label_map(data[key], path, source=source, notes=notes_of(image))
            logger.info("label map: %s", path)
        return dict(data)


class WritePreviewd(MapTransform):
    """Writes `<output_dir>/<case>.png`: planes of the image with the classes of the label map.

    Place it behind `RestoreLabeld` or `Invertd`, before the label map is written: outlines and
    volumes are those of the label map's own voxels, and the image as the network saw it is
    interpolated onto them, plane by plane. See `draw_preview`.

    Args:
        keys: key of the label map, (1, I, J, K), already brought back to the source grid.
        output_dir: folder, made if absent.
        classes: the foreground classes in order: their names, or each with the label values that
            it gathers, so that a region is counted with those within it.
        percentiles: of the image's values that are drawn black and white; None for values 0 and 1,
            as of a CT behind its window.
        image_key: the image as it went into the network, (C, I, J, K), on any grid.

    Raises:
        ValueError: percentiles that are not two increasing numbers from 0 to 100; in the call, a
            label map that is not on the source grid or holds no class indices.
    """

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str | os.PathLike,
        *,
        classes: Sequence[str] | Classes,
        percentiles: Sequence[float] | None = None,
        image_key: str = "image",
    ) -> None:
        super().__init__(keys)
        if percentiles is not None:
            _check_percentiles(percentiles)
        self.output_dir = Path(output_dir)
        self.classes = classes
        self.percentiles = percentiles
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        image = data[self.image_key]
        for key in self.key_iterator(data):
            path = self.output_dir / f"{data['case']}.png"
            source = source_geometry(image)
            check_on_source_grid(data[key], source, name=path.name)
            picture = self._draw(image, class_indices(data[key], name=path.name), source)
            with whole(path) as partial:
                picture.save(partial)
            logger.info("preview: %s", path)
        return dict(data)

    def _draw(self, image: MetaTensor, label: np.ndarray, source: Geometry) -> Image.Image:
        placed = MetaTensor(torch.from_numpy(label)[None], affine=torch.tensor(source.affine))
        upright = Orientation(axcodes="RAS", labels=None)(placed)
        grid = Geometry(upright.shape[1:], upright.affine.numpy())
        to_image = np.linalg.inv(np.asarray(image.affine, dtype=float)) @ grid.affine
        shades = image[0].cpu().numpy()
        limits = self._limits(shades)
        return draw_preview(
            lambda axis, index: _scale(_plane(shades, to_image, grid.shape, axis, index), limits),
            upright[0].numpy(),
            spacing_mm=grid.spacing_mm,
            classes=self.classes,
            voxel_ml=source.voxel_volume_ml,
            notes=notes_of(image),
        )

    def _limits(self, image: np.ndarray) -> tuple[float, float]:
        """The values that are drawn black and white."""
        if self.percentiles is None:
            return 0.0, 1.0
        black, white = np.percentile(image, self.percentiles)
        return float(black), float(white)


def _plane(
    image: np.ndarray,
    to_image: np.ndarray,
    shape: tuple[int, int, int],
    axis: int,
    index: int,
) -> np.ndarray:
    """A plane of another grid through an image, interpolated linearly.

    Args:
        image: (I, J, K).
        to_image: (4, 4), from voxels of the other grid to those of the image.
        shape: of the other grid.
        axis: that the plane lies across.
        index: of the plane along it.
    """
    ranges = [np.arange(n) if a != axis else np.array([index]) for a, n in enumerate(shape)]
    voxels = np.stack(np.meshgrid(*ranges, indexing="ij")).squeeze(axis + 1)
    places = np.tensordot(to_image[:3, :3], voxels, axes=1) + to_image[:3, 3, None, None]
    return ndimage.map_coordinates(image, places, order=1, mode="nearest")


def _scale(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Scale values so that black is 0 and white is 1; a constant image becomes black."""
    black, white = limits
    return (values - black) / ((white - black) or 1.0)


def _check_percentiles(percentiles: Sequence[float]) -> None:
    if len(percentiles) != 2 or not 0 <= percentiles[0] < percentiles[1] <= 100:
        raise ValueError(
            f"preview percentiles are two increasing numbers from 0 to 100, got "
            f"{list(percentiles)}: pass for instance [1, 99]"
        )


def write_label_map(
    label: MetaTensor, path: Path, *, source: Geometry, notes: Sequence[str] = ()
) -> None:
    """Write a (1, I, J, K) label map as NIfTI, uint8, in millimetres, on the `source` grid.

    sform and qform are both the affine of `source`, with code 1, scanner. The notes, cut to
    79 letters, are in `descrip`; `intent_name` is "forced" or "warned" where there are any.

    Raises:
        ValueError: its shape or affine is not that of `source`, or a value is not an integer of 0
            to 255.
    """
    array = class_indices(label, name=path.name)
    check_on_source_grid(label, source, name=path.name)
    image = nib.Nifti1Image(array, source.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(source.affine, code="scanner")
    image.set_qform(source.affine, code="scanner")
    image.header["descrip"] = shorten(notes, _DESCRIP_BYTES)
    if notes:
        image.header["intent_name"] = FORCED if is_forced(notes) else WARNED
    with whole(path) as partial:
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
            f"label map {name} is not on the source grid ({grid.difference(source)}): "
            "invert the spatial transforms of the preprocessing"
        )


def class_indices(label: Tensor, *, name: str) -> np.ndarray:
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
