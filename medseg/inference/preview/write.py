"""Write: the preview of each case as a PNG, after its label map."""

import logging
import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.data.image_reader import ImageReader
from monai.transforms import MapTransform
from monai.utils import convert_to_numpy
from PIL import Image

from medseg.base.arguments import check_window
from medseg.base.class_values import Classes
from medseg.base.files import whole
from medseg.inference.outputs.label_map import check_on_source_grid, read_class_indices
from medseg.inference.outputs.notes import add_found, read_notes
from medseg.inference.outputs.source import get_source_geometry
from medseg.inference.outputs.value_unit import find_unit, get_unit
from medseg.inference.preview.caption import About, count_voxels, describe_areas, describe_volumes
from medseg.inference.preview.display import (
    describe_picture_range,
    describe_window,
    measure_limits,
    measure_picture_range,
)
from medseg.inference.preview.picture import draw_picture
from medseg.inference.preview.source import DRAWN, VALUES, read_again
from medseg.inference.preview.volume import draw_preview
from medseg.ingest.pictures.load import PictureReader
from medseg.ingest.reader import VolumeReader
from medseg.transforms.instances import LabelInstancesd

logger = logging.getLogger(__name__)

_OF_OTHER_UNITS = (1, 99)  # percentiles, where the values are not those that the window is for
_DIGITS_OF_ML = 4
"""Decimals of a volume for a program: a tenth of a cubic millimetre."""


class WritePreviewd(MapTransform):
    """Writes `<output_dir>/<case>.png`: planes of the image with the classes of the label map.

    It draws the voxels that `WriteLabelMapd` writes, over the image, which is read again from its
    file: outlines and volumes are those of the label map, whatever grid the network saw. See
    `draw_preview`.

    Args:
        keys: key of the label map, (1, I, J, K), already brought back to the source grid.
        output_dir: folder, made if absent.
        classes: the foreground classes in order: their names, or each with the label values that
            it gathers, so that a region is counted with those within it.
        reader: reads the image as it was read for the network; None for `VolumeReader()`.
        window: the values that are drawn black and white; of a CT they are in HU.
        percentiles: the same as percentiles of the image's values, where there is no window.
            Without either, the lowest and the highest value.
        modality: "CT" has its window named in HU.
        made_by: the bundle and its version, as the preview states them.
        first: writes the label map. It is called when the preview is drawn and before the preview
            takes its place, so that no preview is there alone, and no label map whose preview
            cannot be drawn. It gets the values of the file too, at `VALUES`, and the preview
            at `DRAWN`.
        image_key: the image as it went into the network; its meta data know the file and its grid.

    Raises:
        TypeError: a window that is not two numbers.
        ValueError: a window or percentiles that do not increase, percentiles beyond 0 to 100, or
            both; in the call, a label map that is not on the source grid or holds no class indices,
            or a file that is not the image any more.
    """

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str | os.PathLike,
        *,
        classes: Sequence[str] | Classes,
        reader: ImageReader | None = None,
        window: Sequence[float] | None = None,
        percentiles: Sequence[float] | None = None,
        modality: str = "",
        made_by: str = "",
        first: Callable[[dict[Hashable, Any]], Any] | None = None,
        image_key: str = "image",
    ) -> None:
        super().__init__(keys)
        if percentiles is not None:
            _check_percentiles(percentiles, window)
        self.output_dir = Path(output_dir)
        self.classes = classes
        self.reader = reader or VolumeReader()
        self.window = None if window is None else check_window(window)
        self.percentiles = percentiles
        self.modality = modality
        self.made_by = made_by
        self.first = first
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        image = data[self.image_key]
        for key in self.key_iterator(data):
            path = self.output_dir / f"{data['case']}.png"
            check_on_source_grid(data[key], get_source_geometry(image), name=path.name)
            label = read_class_indices(data[key], name=path.name)
            about = About(str(data["case"]), self.made_by, notes=read_notes(image))
            values = read_again(image, self.reader)
            drawn = self._draw(values, image, label, about)
            data = _write(drawn, path, {**data, VALUES: values}, first=self.first)
            data.pop(VALUES, None)
            data.pop(DRAWN, None)
            voxel_ml = get_source_geometry(image).voxel_volume_ml
            data = add_found(
                data,
                [text for _, text in describe_volumes(label, voxel_ml, self.classes)],
                preview=path.name,
                volumes_ml={
                    name: round(count * voxel_ml, _DIGITS_OF_ML)
                    for name, count in count_voxels(label, self.classes).items()
                },
                warnings=read_notes(image),
            )
        return dict(data)

    def _draw(
        self, values: np.ndarray, image: MetaTensor, label: np.ndarray, about: About
    ) -> Image.Image:
        unit = find_unit(image, values, modality=self.modality)
        window, percentiles = self.window, self.percentiles
        if unit != get_unit(self.modality):
            window, percentiles = None, _OF_OTHER_UNITS
        limits = measure_limits(values, window=window, percentiles=percentiles)
        return draw_preview(
            values,
            label,
            get_source_geometry(image),
            classes=self.classes,
            limits=limits,
            window=describe_window(limits, percentiles=percentiles, unit=unit),
            about=about,
        )


class WritePicturePreviewd(MapTransform):
    """Writes `<output_dir>/<case>.png`: the picture with the classes on top, see `draw_picture`.

    The picture is read again from its file and drawn at its own size, whatever went into the
    network. Its brightest pixels are drawn white, so that fluorescence is seen; grey of more than 8
    bits is drawn from its 1st to its 99th percentile.

    Args:
        keys: key of the label map, (1, I, J), already brought back to the size of its picture.
        output_dir: folder, made if absent.
        classes: the foreground classes in order: their names, or each with the label values that
            it gathers, so that a region is counted with those within it.
        made_by: the bundle and its version, as the preview states them.
        first: writes the label map. It is called when the preview is drawn and before the preview
            takes its place, so that no preview is there alone, and no label map whose preview
            cannot be drawn.
        objects: numbers the objects of the label map, where the case has none yet, so that each has
            an outline of its own and they are counted; None to outline classes alone.
        image_key: the picture as it went into the network; its meta data know the file.

    Raises:
        ValueError: in the call, a label map that holds no class indices, or a file that is not the
            picture any more.
    """

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str | os.PathLike,
        *,
        classes: Sequence[str] | Classes,
        made_by: str = "",
        first: Callable[[dict[Hashable, Any]], Any] | None = None,
        objects: LabelInstancesd | None = None,
        image_key: str = "image",
    ) -> None:
        super().__init__(keys)
        self.output_dir = Path(output_dir)
        self.classes = classes
        self.made_by = made_by
        self.first = first
        self.objects = objects
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        image = data[self.image_key]
        pixels = read_again(image, PictureReader(colour=len(image) == 3))
        low, high = measure_picture_range(pixels)
        shades = (pixels.reshape(-1, *pixels.shape[-2:]) - np.float32(low)) / max(high - low, 1)
        for key in self.key_iterator(data):
            path = self.output_dir / f"{data['case']}.png"
            label = read_class_indices(data[key], name=path.name)
            objects = None
            if self.objects is not None:
                data = self.objects(data)
                objects = convert_to_numpy(data[self.objects.name])[0]
            drawn = draw_picture(
                shades,
                label,
                classes=self.classes,
                objects=objects,
                window=describe_picture_range(low, high),
                about=About(str(data["case"]), self.made_by, notes=read_notes(image)),
            )
            data = _write(drawn, path, dict(data), first=self.first)
            data = add_found(
                data,
                [text for _, text in describe_areas(label, self.classes)],
                preview=path.name,
                areas_pixels=count_voxels(label, self.classes),
                warnings=read_notes(image),
            )
        return dict(data)


def _write(
    drawn: Image.Image,
    path: Path,
    data: dict[Hashable, Any],
    *,
    first: Callable[[dict[Hashable, Any]], Any] | None,
) -> dict[Hashable, Any]:
    """Write a preview; `first` runs when it is on the disk and has not taken its place yet.

    Returns:
        The data with what `first` found, if it says so.
    """
    with whole(path) as partial:
        drawn.save(partial)
        made = None if first is None else first({**data, DRAWN: partial})
    logger.debug("preview: %s", path)
    return dict(made) if isinstance(made, Mapping) else data


def _check_percentiles(percentiles: Sequence[float], window: Sequence[float] | None) -> None:
    if len(percentiles) != 2 or not 0 <= percentiles[0] < percentiles[1] <= 100:
        raise ValueError(
            f"preview percentiles must be two increasing numbers from 0 to 100, got "
            f"{list(percentiles)}: pass for instance [1, 99]"
        )
    if window is not None:
        raise ValueError(
            f"a preview must have a window ({list(window)}) or percentiles ({list(percentiles)}), "
            "not both: set preview_window or preview_percentiles to None"
        )
