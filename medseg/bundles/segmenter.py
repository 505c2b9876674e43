"""Segmenter: a bundle as a function from an image to its structures, for programs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from medseg.base.channels.case_paths import list_paths
from medseg.base.choices import check_choices
from medseg.base.errors import find_root_cause
from medseg.bundles.bundle import check_metadata, check_weights_exist, find_configs, name_version
from medseg.bundles.catalogue.locate import locate
from medseg.bundles.keys.series_key import read_series_key
from medseg.bundles.overrides import check_overrides, read_workflow
from medseg.bundles.zoo.own_run import importable
from medseg.bundles.zoo.weights import check_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from medseg.export import SourceImages
    from medseg.report import Segmentation

_MEMORY_READER = "medseg.inference.cases.memory_reader.MemoryReader"
KEPT = 2
"""So many networks stay in memory between calls of `segment`."""


class Segmenter:
    """Segments volumes with a bundle, whose network is loaded once.

    Args:
        bundle: its name, its folder, or a training run.
        series: of a DICOM study, "largest", or the number or the UID of one series; a short form of
            the keys `choose_series` and `series_uid`.
        keys: of its `inference.json`, as on the command line, such as `level=3`, `force=True` or
            `measure=False`, which leaves the measurements out.

    Raises:
        FileNotFoundError: there is no such bundle, or it has no weights.
        ValueError: a key that the bundle has not, or a value that it cannot have; or the bundle is
            for pictures.

    Example:
        >>> segmenter = Segmenter("hippocampus")  # doctest: +SKIP
        >>> found = segmenter("mr.nii.gz")  # doctest: +SKIP
        >>> found.measurements[0].volume_ml  # doctest: +SKIP
        1.62
    """

    def __init__(
        self, bundle: str | os.PathLike[str], *, series: str | int | None = None, **keys: Any
    ) -> None:
        keys = _add_series(keys, series)
        from monai.bundle import ConfigParser

        from medseg.inference import check_windows
        from medseg.networks import load_weights
        from medseg.plausibility import check_settings

        folder = locate(bundle)
        check_metadata(folder)
        config = read_workflow(folder, "inference")
        file = find_configs(folder, "inference")[0]
        checked = check_overrides(keys, config, config_file=file)
        check_weights_exist(folder, "inference", checked)
        if "VolumeReader" not in str(config.get("reader")):
            raise ValueError(f"{folder} is for pictures: use medseg segment, which writes files")
        if checked.get("choose_series") == "all":
            raise ValueError(
                "choose_series is all, and a call segments one series: call it for each UID that "
                "medseg.ingest.find_series lists, as series_uid"
            )
        set_here: dict[str, Any] = {
            **{"bundle_root": str(folder), "handlers": [], "dataloader": []},
            **{"in_memory": {"_target_": _MEMORY_READER}, "load_image#reader": "@in_memory"},
        }
        if "pictures" in config:
            set_here["pictures"] = False
        self._folder = folder
        self._parser = ConfigParser(config)
        self._parser.update({**checked, **set_here})
        check_choices(self._get("choices") if "choices" in config else checked)
        network = self._get("network")
        check_windows(self._get("window_inferer"), network)
        weights = self._get("weights")
        if "choices" in config:
            check_settings(weights, self._get("choices"), force=self._get("other_settings"))
        if "weight_loaders" in config:
            check_weights(weights, folder)
            for load in self._get("weight_loaders"):
                load(self._get("evaluator"))
        else:
            load_weights(network, weights)
        self.measures = checked.get("measure", True) is not False
        self._turn = Lock()
        self._reader, self._memory = self._get("reader"), self._get("in_memory")
        with _without_notices():
            self._preprocess = self._get("preprocessing")
        self.labels = self._get("label_files").table
        self.made_by = name_version(str(config["name"]), folder)
        self.channels = len(config.get("image_channels") or [""])
        self.modality = str(config.get("modality") or "")

    def __call__(self, image: Any, *, affine: ArrayLike | None = None) -> Segmentation:
        """Segment a volume; calls from several threads wait for each other.

        Args:
            image: a path, of a NIfTI or other volume file, a DICOM folder or file; an image of
                nibabel or SimpleITK; or an array (I, J, K) with its affine. Of CT it holds
                Hounsfield units. Of a bundle for several channels it is a list of the paths of
                all, in the order of its `image_channels`, the path of a file with all, or the
                folder of a DICOM study.
            affine: of an array, from voxel indices to RAS+ millimetres.

        Raises:
            IngestError: a file that cannot be read rightly.
            TypeError: another kind of image, or an array without its affine.
            ValueError: an image that cannot be what the network was trained on.
        """
        with self._turn:
            return self._segment(image, affine)

    def _segment(self, image: Any, affine: ArrayLike | None) -> Segmentation:
        from medseg.inference.cases.memory_reader import NAME, read_image, take_image
        from medseg.inference.outputs.label_map import check_on_source_grid, read_class_indices
        from medseg.inference.outputs.notes import read_notes
        from medseg.inference.outputs.value_unit import find_unit
        from medseg.inference.tiles.expected_dice import read_expected_dice
        from medseg.report import Segmentation, measure_structures

        stated = None
        if isinstance(image, (str, os.PathLike, list, tuple)):
            paths = self._list_paths(image)
            if affine is not None:
                raise ValueError(
                    f"affine is given beside the file {image}, which states its own: leave it out, "
                    "or pass the array instead of the file"
                )
            path = paths[0]
            name = Path(path if isinstance(image, (list, tuple)) else image).name
            values, geometry, stated = read_image(self._reader, paths)
        else:
            if self.channels > 1:
                raise TypeError(
                    f"{self.made_by} is for images of {self.channels} channels: give the path of "
                    "each in a list, or of a file with all"
                )
            values, geometry = take_image(image, affine)
            path = name = NAME
        self._memory.hold(values, geometry, stated)
        first = values[0] if values.ndim == 4 else values
        try:
            case = self._preprocess({"case": name, "image": path})
            output = self._predict(case)
        except RuntimeError as error:  # MONAI's own, around the one that says why
            cause = find_root_cause(error)
            if isinstance(cause, ValueError):
                raise cause from None
            raise
        finally:
            self._memory.let_go()
        prediction = output["pred"]
        check_on_source_grid(prediction, geometry, name=path)
        mask = read_class_indices(prediction, name=path)
        return Segmentation(
            mask=mask,
            geometry=geometry,
            labels=self.labels,
            measurements=measure_structures(
                mask,
                geometry,
                self.labels,
                image=first,
                confidence=read_expected_dice(output["image"]),
            )
            if self.measures
            else [],
            notes=tuple(read_notes(output["image"])),
            made_by=self.made_by,
            unit=find_unit(output["image"], first, modality=self.modality),
        )

    def _list_paths(self, image: Any) -> list[str]:
        """The paths of an image, of which a bundle for one channel takes one."""
        several = image if isinstance(image, (list, tuple)) else [image]
        if self.channels > 1 and len(several) == 1 and os.path.isdir(several[0]):
            several = self._list_series(several[0])
        if len(several) not in (1, self.channels) or not all(several):
            raise ValueError(
                f"{len(several)} paths are given, and {self.made_by} is for images of "
                f"{self.channels} channel{'s' * (self.channels > 1)}: give one for each"
            )
        return [str(path) for path in several]

    def _list_series(self, study: str | os.PathLike[str]) -> list[str]:
        """The paths of the channels of a DICOM study."""
        cases = self._get("find_cases")(study)
        if len(cases) != 1:
            raise ValueError(f"{study} holds {len(cases)} studies: give one of them")
        return list_paths(cases[0]["image"])

    def describe_source(self, folder: str | os.PathLike[str]) -> SourceImages:
        """The images of a folder that a call segments, for DICOM objects that are made of them.

        Raises:
            IngestError: there is no series that can be read rightly.
            ValueError: it is a volume file.
        """
        from medseg.export import describe_source

        series = self._reader.find_series(Path(self._list_paths(folder)[0]))
        if series is None:
            raise ValueError(f"{folder} is a volume file and no DICOM series: name a folder")
        return describe_source(series)

    def _get(self, key: str) -> Any:
        try:
            with importable(self._folder):
                return self._parser.get_parsed_content(key)
        except RuntimeError as error:  # MONAI's own, around the one that says why
            cause = find_root_cause(error)
            if isinstance(cause, (ValueError, FileNotFoundError)):
                raise cause from None
            raise

    def _predict(self, case: Mapping[str, Any]) -> Any:
        """Run the network and what comes after it: the image, and the prediction on its grid."""
        from monai.data import list_data_collate

        evaluator = self._get("evaluator")
        evaluator.interrupt_resume_enabled = False
        evaluator.data_loader = [list_data_collate([case])]
        evaluator.state.epoch_length = 1
        try:
            evaluator.run()
            return evaluator.state.output[0]
        finally:
            evaluator.data_loader = []
            evaluator.state.dataloader = evaluator.state.batch = evaluator.state.output = None


def segment(
    image: Any,
    *,
    bundle: str | os.PathLike[str],
    affine: ArrayLike | None = None,
    series: str | int | None = None,
    **keys: Any,
) -> Segmentation:
    """Segment a volume with a bundle; the networks of the last calls stay loaded.

    Args:
        image: see `Segmenter`.
        bundle: its name, its folder, or a training run.
        affine: of an array, from voxel indices to RAS+ millimetres.
        series: of a DICOM study, which one, see `Segmenter`.
        keys: of the bundle's `inference.json`, such as `force=True`.

    Raises:
        FileNotFoundError, IngestError, TypeError, ValueError: see `Segmenter`.

    Example:
        >>> import medseg
        >>> found = medseg.segment("mr.nii.gz", bundle="hippocampus")  # doctest: +SKIP
        >>> [(one.name, one.volume_ml) for one in found.measurements]  # doctest: +SKIP
        [('anterior', 1.62), ('posterior', 1.48)]
    """
    keys = _add_series(keys, series)
    folder = locate(bundle)
    weights = folder / "models" / "model.pt"
    changed = weights.stat().st_mtime_ns if weights.is_file() else 0
    return _keep(str(folder.absolute()), repr(sorted(keys.items())), changed, _Keys(keys))(
        image, affine=affine
    )


@contextmanager
def _without_notices() -> Iterator[None]:
    """Drop what MONAI says of its own readers when it makes them; the caller's log stays as it is.

    Example: that the decoder of a GPU, which is not used here, is not installed.
    """
    from medseg.inference.preview.source import silence_thread

    with warnings.catch_warnings(), silence_thread("monai.data"):
        warnings.filterwarnings("ignore", module=r"monai\.")
        yield


def _add_series(keys: dict[str, Any], series: str | int | None) -> dict[str, Any]:
    """The keys, with the one that `series` stands for."""
    if series is None:
        return keys
    named = [key for key in ("choose_series", "series_uid") if keys.get(key) is not None]
    if named:
        raise ValueError(f"series={series!r} and {named[0]} exclude each other: pass one of them")
    return keys | read_series_key(series)


class _Keys(dict[str, Any]):
    """Keys of a bundle, all equal: `repr` of the keys tells two calls apart."""

    def __hash__(self) -> int:  # type: ignore[override]
        return 0

    def __eq__(self, other: object) -> bool:
        return True


@lru_cache(maxsize=KEPT)
def _keep(folder: str, described: str, changed: int, keys: _Keys) -> Segmenter:
    return Segmenter(folder, **keys)
