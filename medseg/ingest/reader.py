"""Reader: `medseg.ingest` behind MONAI's `LoadImaged`, and a check that image and label match.

In a bundle:

    {"_target_": "LoadImaged", "keys": "image", "reader": "medseg.ingest.reader.VolumeReader"},
    {"_target_": "LoadImaged", "keys": "label",
     "reader": {"_target_": "medseg.ingest.reader.VolumeReader", "labels": [0, 1, 2]}},
    {"_target_": "EnsureChannelFirstd", "keys": ["image", "label"]},
    {"_target_": "medseg.ingest.reader.SameGridd", "keys": ["image", "label"]}
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection, PathLike
from monai.data.image_reader import ImageReader
from monai.transforms.transform import MapTransform

from medseg.geometry import GRID_TOLERANCE_VOXELS, Geometry
from medseg.ingest.checks import check_same_grid, to_labels
from medseg.ingest.formats import is_named_dicom, is_volume_file
from medseg.ingest.load import Kind, LoadOptions, load_with_kind
from medseg.ingest.metadata import (
    BODY_PART,
    CONTRADICTION,
    MODALITY,
    find_grid,
    find_name,
    find_orientation,
    list_paths,
    make_metadata,
)
from medseg.ingest.pictures.orientation import check_same_orientation
from medseg.ingest.volumes.file import read_file_header
from medseg.ingest.volumes.voxels import check_image


class VolumeReader(ImageReader):
    """Read volume files, DICOM files and folders of one DICOM series for `LoadImaged`.

    The image comes without a channel axis, (I, J, K), with its RAS+ affine; `EnsureChannelFirstd`
    adds the axis. Several paths of one case become channels, (C, I, J, K), when they share a grid.

    Args:
        labels: for a label map, the declared values, background included. Other values are refused
            and the map is returned in the smallest integer type that holds the declared ones; what
            rounding made of a whole number is that number (`LABEL_TOLERANCE`).
        series_uid: the DICOM series to load where a folder holds several.
        choose: "largest" takes the usable image series with most slices where there are several.
        resample: lay tilted, missing or unevenly spaced slices onto an upright regular grid instead
            of refusing them; see `medseg.ingest.load`, also for the others.
        volume: which one of a volume file of several.
        affine: "sform" or "qform" where a NIfTI states both.
        units: the unit of lengths of a volume file.

    Raises:
        TypeError: `volume` is no whole number.
        ValueError: `affine` or `units` is none of those words, or labels are to be resampled.
    """

    def __init__(
        self,
        labels: Collection[int] | None = None,
        *,
        series_uid: str | None = None,
        choose: str | None = None,
        resample: bool = False,
        volume: int | None = None,
        affine: str | None = None,
        units: str | None = None,
    ) -> None:
        super().__init__()
        if labels is not None and resample:
            raise ValueError(
                "labels cannot be read with resample=True: interpolation changes their values"
            )
        self.labels = None if labels is None else tuple(labels)
        self.options = LoadOptions(
            series_uid=series_uid,
            choose=choose,
            resample=resample,
            volume=volume,
            affine=affine,
            units=units,
        )

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Tell whether every path is a volume file, a folder, or named like DICOM."""
        return all(
            is_volume_file(p) or p.is_dir() or is_named_dicom(p) or not p.suffix
            for p in list_paths(filename)
        )

    def read(self, data: Sequence[PathLike] | PathLike, **_: Any) -> list[Path]:
        """Take the paths; `get_data` reads them.

        `LoadImage` hands a file to its next reader when `read` raises, so a refusal here would end
        in MONAI's own readers, which read what was refused.
        """
        return list_paths(data)

    def get_data(self, img: Sequence[Path]) -> tuple[np.ndarray, dict[str, Any]]:
        """Load the volumes.

        Returns:
            (I, J, K), or (C, I, J, K) for several paths, and MONAI's metadata.

        Raises:
            IngestError: a path is refused, or several do not share a grid.
        """
        volumes, grids, kinds = zip(*(self._load(path) for path in img), strict=True)
        for path, grid in zip(img[1:], grids[1:], strict=True):
            check_same_grid(grids[0], grid, names=(str(img[0]), str(path)))
        stated = {
            MODALITY: kinds[0].modality,
            BODY_PART: kinds[0].body_part,
            CONTRADICTION: kinds[0].contradiction,
        }
        shape, affine = grids[0].shape, grids[0].affine
        if len(volumes) == 1:
            return volumes[0], make_metadata(shape, affine=affine) | stated
        return np.stack(volumes), make_metadata(shape, affine=affine, channel_dim=0) | stated

    def _load(self, path: Path) -> tuple[np.ndarray, Geometry, Kind]:
        if self.labels is None and is_volume_file(path):
            options = self.options
            check_image(read_file_header(path, affine=options.affine, units=options.units))
        array, geometry, kind = load_with_kind(path, self.options)
        if self.labels is None:
            return array, geometry, kind
        return to_labels(array, self.labels, name=str(path)), geometry, kind


class SameGridd(MapTransform):
    """Refuse a case whose volumes do not share one grid; place it right after loading.

    Args:
        keys: the volumes (I, J, K) or pictures (I, J) to compare, with or without channels before;
            all are compared with the first.
        tolerance: see `Geometry.difference`.
        allow_missing_keys: do not raise where a case lacks a key.

    Raises:
        IngestError: "different-grids", naming the files of the case, also for pictures of different
            EXIF orientation, see `medseg.ingest.pictures.orientation`.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        tolerance: float = GRID_TOLERANCE_VOXELS,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.tolerance = tolerance

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the case unchanged."""
        first, *others = [
            (find_name(data[key], key), find_grid(data[key])) for key in self.key_iterator(data)
        ]
        tags = [find_orientation(data[key]) for key in self.key_iterator(data)]
        for (name, grid), tag in zip(others, tags[1:], strict=True):
            names, shapes = (first[0], name), (first[1].shape, grid.shape)
            check_same_orientation((tags[0], tag), shapes=shapes, names=names)
            check_same_grid(first[1], grid, names=names, tolerance=self.tolerance)
        return dict(data)
