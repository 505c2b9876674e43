"""Output: a case's label map on the source grid, and its preview, each whole or not at all."""

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
from torch import Tensor

from medseg.files import whole
from medseg.geometry import Geometry
from medseg.inference.preview import draw_preview
from medseg.transforms.classes import label_from_logits

logger = logging.getLogger(__name__)


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
            write_label_map(data[key], path, source=source_geometry(data[self.image_key]))
            logger.info("label map: %s", path)
        return dict(data)


class WritePreviewd(MapTransform):
    """Writes `<output_dir>/<case>.png`: planes of the windowed image with the classes on top.

    Place it before `Invertd`: image and logits are on the network's grid. See `draw_preview`.

    Args:
        keys: the image as it went into the network, (C, I, J, K), and on its grid the labels
            (1, I, J, K), uint8, or the logits (classes, I, J, K), in this order.
        output_dir: folder, made if absent.
        classes: names of the foreground classes, in order.
        percentiles: of the image's values that are drawn black and white; None for values 0 and 1,
            as of a CT behind its window.

    Raises:
        ValueError: percentiles that are not two growing numbers of 0 to 100.
    """

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str | os.PathLike,
        *,
        classes: Sequence[str],
        percentiles: Sequence[float] | None = None,
    ) -> None:
        super().__init__(keys)
        if percentiles is not None:
            _check_percentiles(percentiles)
        self.output_dir = Path(output_dir)
        self.classes = list(classes)
        self.percentiles = percentiles

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        image, found = (data[key] for key in self.keys)
        label = found.as_subclass(Tensor)
        if label.dtype != torch.uint8:
            regions = 1 < label.shape[0] == len(self.classes)  # no channel of the background
            label = label_from_logits(label, regions=regions)
        label = MetaTensor(label, affine=image.affine)
        image, label = (Orientation(axcodes="RAS", labels=None)(x.cpu()) for x in (image, label))
        spacing_mm = Geometry(image.shape[1:], image.affine.numpy()).spacing_mm
        picture = draw_preview(
            self._shades(image[0].numpy()),
            label[0].numpy(),
            spacing_mm=spacing_mm,
            classes=self.classes,
        )
        path = self.output_dir / f"{data['case']}.png"
        with whole(path) as partial:
            picture.save(partial)
        logger.info("preview: %s", path)
        return dict(data)

    def _shades(self, image: np.ndarray) -> np.ndarray:
        """The image with black at 0 and white at 1; a constant one is black."""
        if self.percentiles is None:
            return image
        black, white = np.percentile(image, self.percentiles)
        return (image - black) / max(white - black, np.finfo(float).tiny)


def _check_percentiles(percentiles: Sequence[float]) -> None:
    if len(percentiles) != 2 or not 0 <= percentiles[0] < percentiles[1] <= 100:
        raise ValueError(
            f"preview percentiles are two growing numbers of 0 to 100, got {list(percentiles)}: "
            "pass for instance [1, 99]"
        )


def source_geometry(image: MetaTensor) -> Geometry:
    """The grid of the file that an image came from, whatever was done to it since."""
    affine = np.asarray(image.meta["original_affine"], dtype=float)
    i, j, k = (int(n) for n in image.meta["spatial_shape"])
    return Geometry((i, j, k), affine)


def write_label_map(label: MetaTensor, path: Path, *, source: Geometry) -> None:
    """Write a (1, I, J, K) label map as NIfTI, uint8, in millimetres, on the `source` grid.

    sform and qform are both the affine of `source`, with code 1, scanner.

    Raises:
        ValueError: its shape or affine is not that of `source`, or a value is not an integer of 0
            to 255.
    """
    array = class_indices(label, name=path.name)
    i, j, k = array.shape
    written = Geometry((i, j, k), np.asarray(label.affine, dtype=float))
    if not written.same_grid(source):
        raise ValueError(
            f"label map {path.name} is not on the source grid ({written.difference(source)}): "
            "invert the spatial transforms of the preprocessing"
        )
    image = nib.Nifti1Image(array, source.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(source.affine, code="scanner")
    image.set_qform(source.affine, code="scanner")
    with whole(path) as partial:
        nib.save(image, partial)


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
            "uint8 does not: write class indices of 0 to 255, not probabilities"
        )
    return array
