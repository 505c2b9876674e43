"""Reader: `medseg.ingest` behind MONAI's `LoadImaged`, and a check that image and label match.

In a bundle:

    {"_target_": "LoadImaged", "keys": "image", "reader": "medseg.ingest.reader.VolumeReader"},
    {"_target_": "LoadImaged", "keys": "label",
     "reader": {"_target_": "medseg.ingest.reader.VolumeReader", "labels": [0, 1, 2]}},
    {"_target_": "EnsureChannelFirstd", "keys": ["image", "label"]},
    {"_target_": "medseg.ingest.reader.SameGridd", "keys": ["image", "label"]}
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection, PathLike
from monai.data.image_reader import ImageReader
from monai.transforms.transform import MapTransform

from medseg.geometry import GRID_TOLERANCE_VOXELS, Geometry
from medseg.ingest.channels import stack_channels
from medseg.ingest.checks import check_same_grid, to_labels
from medseg.ingest.dicom.find_series import find_series
from medseg.ingest.dicom.header.image_kind import describe_contradiction
from medseg.ingest.dicom.read_series import read_series
from medseg.ingest.dicom.selection import choose_series, find_own_place
from medseg.ingest.dicom.series import Series
from medseg.ingest.formats import is_named_dicom, is_volume_file
from medseg.ingest.load import UID, LoadOptions, find_one_series
from medseg.ingest.metadata import (
    BODY_PART,
    CONTRADICTION,
    MODALITY,
    RESAMPLED,
    STATED,
    VALUE_UNIT,
    find_grid,
    find_name,
    find_orientation,
    list_paths,
    make_metadata,
)
from medseg.ingest.pictures.orientation import check_same_orientation
from medseg.ingest.volumes.file import load_file, load_volumes, read_file_header
from medseg.ingest.volumes.voxels import check_image

logger = logging.getLogger(__name__)

REMEMBERED_SERIES = 4
"""A reader remembers so many series: that of the case in work, and of the next, read meanwhile."""


class VolumeReader(ImageReader):
    """Read volume files, DICOM files and folders of one DICOM series for `LoadImaged`.

    The image comes without a channel axis, (I, J, K), with its RAS+ affine; `EnsureChannelFirstd`
    adds the axis. Several paths of one case become channels, (C, I, J, K), when they share a grid.

    Args:
        labels: for a label map, the declared values, background included. Other values are refused
            and the map is returned in the smallest integer type that holds the declared ones; what
            rounding made of a whole number is that number (`LABEL_TOLERANCE`).
        series_uid: the DICOM series to load where a folder holds several.
        choose: "largest" takes the usable image series with most slices where there are several,
            and a number the one of this SeriesNumber. "all" is for `medseg.inference.find_cases`,
            which makes a case of each; of what it hands over, the reader chooses none.
        resample: lay tilted, missing or unevenly spaced slices onto an upright regular grid instead
            of refusing them; see `medseg.ingest.load`, also for the others.
        volume: which one of a volume file of several.
        affine: "sform" or "qform" where a NIfTI states both.
        units: the unit of lengths of a volume file.
        all_volumes: a volume file of several is read as channels, unless `volume` chooses one.
        resample_channels: lay channels onto the grid of the first, see `stack_channels`.

    Attributes:
        left_out: of "all", the series that are not read, by the names of their cases, with
            `reason` and `series_uid`; `medseg.inference.find_cases` fills it.

    Raises:
        TypeError: `volume` is no whole number.
        ValueError: `affine` or `units` is none of those words, or labels are to be resampled.
    """

    def __init__(
        self,
        labels: Collection[int] | None = None,
        *,
        series_uid: str | None = None,
        choose: str | int | None = None,
        resample: bool = False,
        volume: int | None = None,
        affine: str | None = None,
        units: str | None = None,
        all_volumes: bool = False,
        resample_channels: bool = False,
    ) -> None:
        super().__init__()
        if labels is not None and resample:
            raise ValueError(
                "labels cannot be read with resample=True: interpolation changes their values"
            )
        self.labels = None if labels is None else tuple(labels)
        self.takes_all_series = choose == "all"
        if self.takes_all_series and series_uid is not None:
            raise ValueError(
                f"series_uid={series_uid} and choose='all' exclude each other: pass one of them"
            )
        self.options = LoadOptions(
            series_uid=series_uid,
            choose=None if self.takes_all_series else choose,
            resample=resample,
            volume=volume,
            affine=affine,
            units=units,
        )
        self.all_volumes = all_volumes and volume is None
        self.resample_channels = resample_channels
        self.left_out: dict[str, dict[str, str]] = {}
        self._series: dict[Path, tuple[Series, list[tuple[int, int]]]] = {}

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
            (I, J, K), or (C, I, J, K) for several volumes, and MONAI's metadata.

        Raises:
            IngestError: a path is refused, or several do not share a grid.
        """
        volumes, grids = zip(*(self._load(path) for path in img), strict=True)
        array, laid = stack_channels(
            volumes, grids, names=[str(path) for path in img], resample=self.resample_channels
        )
        series = [self.find_series(path) for path in img]
        why = "; ".join(filter(None, (_explain_resampling(series), laid)))
        stated = describe_kind(series[0]) | {RESAMPLED: why}
        channel_dim = 0 if array.ndim == 4 else float("nan")
        return array, make_metadata(
            grids[0].shape, affine=grids[0].affine, channel_dim=channel_dim
        ) | stated

    def find_series(self, path: Path) -> Series | None:
        """Find the DICOM series that a path stands for; None for a volume file.

        The last few are remembered while their files stay as they are, so these are judged once,
        though their pixels are read again for a preview.

        Raises:
            IngestError: as `medseg.ingest.load`.
        """
        if is_volume_file(path):
            return None
        if path in self._series:
            series, stamps = self._series[path]
            if _stamp(path, series) == stamps:
                return series
        series = find_one_series(path, self.options)
        self._remember({path: series})
        return series

    def list_series(self, path: Path) -> dict[Path, Series]:
        """Every DICOM series below a folder or of a DICOMDIR, by a path that stands for it alone.

        The path is FOLDER/UID, see `medseg.ingest.load`, or of a series without a UID its own
        folder or file; one that has none is left out with a warning. All are remembered, so that
        none is judged again.

        Raises:
            IngestError: "not-found".
        """
        found = find_series(path, resample=self.options.resample)
        listed: dict[Path, Series] = {}
        for series in filter(lambda s: s.slices, found):
            if UID.fullmatch(series.uid):
                chosen = choose_series(found, path, series_uid=series.uid)
                listed[path / series.uid] = chosen
            elif (place := find_own_place(series, found)) is not None:
                listed[place] = series
            else:
                logger.warning(
                    "a series of %d files in %s is left out, since it states no UID and shares its "
                    "folder: put its files into a folder of their own",
                    len(series.files),
                    path,
                )
        self._remember(listed)
        return listed

    def _remember(self, found: Mapping[Path, Series]) -> None:
        kept = max(REMEMBERED_SERIES - len(found), 0)
        for oldest in list(self._series)[: max(len(self._series) - kept, 0)]:
            self._series.pop(oldest, None)
        self._series |= {path: (series, _stamp(path, series)) for path, series in found.items()}

    def _load(self, path: Path) -> tuple[np.ndarray, Geometry]:
        options, series = self.options, self.find_series(path)
        if series is not None:
            array, geometry = read_series(series)
        else:
            if self.labels is None:
                check_image(read_file_header(path, affine=options.affine, units=options.units))
            given = {"affine": options.affine, "units": options.units}
            if self.all_volumes:
                array, geometry = load_volumes(path, **given)
            else:
                array, geometry = load_file(path, volume=options.volume, **given)
        if self.labels is None:
            return array, geometry
        return to_labels(array, self.labels, name=str(path)), geometry


def _stamp(path: Path, series: Series) -> list[tuple[int, int]]:
    """Size and time of the last change of a path and of each file of its series; 0 where gone."""
    stats = [os.stat(p) if os.path.exists(p) else None for p in (path, *series.files)]
    return [(s.st_size, s.st_mtime_ns) if s else (0, 0) for s in stats]


def describe_kind(series: Series | None) -> dict[str, str]:
    """What a DICOM header says that the image shows; empty words for a volume file."""
    if series is None:
        return dict.fromkeys(STATED, "")
    first = series.slices[0]
    units = {one.rescale_type for one in series.slices if one.kind == "CT"} - {"", "HU"}
    return {
        MODALITY: first.kind,
        BODY_PART: first.origin.body_part,
        CONTRADICTION: describe_contradiction(first.sop_class, first.modality),
        VALUE_UNIT: ", ".join(sorted(units)),
    }


def _explain_resampling(found: Sequence[Series | None]) -> str:
    """Why slices do not lie on the grid of their image, for the first series that has a reason."""
    plans = (series.resampling for series in found if series is not None)
    return next((plan.why for plan in plans if plan is not None), "")


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
