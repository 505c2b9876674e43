"""Companion: another bundle, whose probabilities are averaged with those of a bundle."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from medseg.base.scratch import make_scratch_folder
from medseg.bundles.bundle import check_weights_exist, name_version
from medseg.bundles.catalogue.locate import locate
from medseg.bundles.overrides import read_workflow

if TYPE_CHECKING:  # they take long to import
    from numpy.typing import NDArray
    from torch import Tensor

    from medseg.inference.tiles.mean_canvas import Companion

logger = logging.getLogger(__name__)

_OF_THE_NETWORK = "spatial_dims"  # a setting in which companions may differ
_OF_THE_IMAGE = ("spacing_mm", "fit_size", "window_hu", "intensity_percentiles", "channel_windows")


def load_companion(
    source: str | os.PathLike[str] | None,
    *,
    share: float,
    choices: Mapping[str, Any],
    device: Any,
) -> Companion | None:
    """Load the network of another bundle for an `OverlapTileInferer` that averages.

    Its windows, its precision and its backend are those of its own config.

    Args:
        source: name or folder of a bundle for volumes, or of a run; None for no companion.
        share: of its probabilities in the mean.
        choices: of the config that uses it.
        device: where it runs.

    Raises:
        FileNotFoundError: there is no such bundle, or it has no weights.
        ValueError: it sees an image otherwise, or has other classes.

    Example:
        >>> load_companion(None, share=0.5, choices={}, device="cpu") is None
        True
    """
    if source is None:
        return None
    from medseg.inference.tiles.mean_canvas import Companion
    from medseg.report.provenance import hash_file

    folder = locate(source)
    finder = _Finder(folder, device=device)
    if differences := find_differences(finder.get("choices"), choices):
        raise ValueError(
            f"the probabilities of {source} cannot be averaged with those of {choices.get('name')} "
            f"({'; '.join(differences)}): give both the same, and train them again"
        )
    check_weights_exist(folder, "inference", {})
    finder.load()
    about = {
        "bundle": name_version(finder.get("name"), folder),
        "weights_sha256": hash_file(finder.get("weights")),
    }
    return Companion(finder.find, share=share, plan=finder.plan, about=about)


def find_differences(companion: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    """What keeps the probabilities of two bundles from being averaged voxel by voxel.

    Args:
        companion, own: the choices of both.

    Example:
        >>> find_differences({"spacing_mm": [1, 1, 1]}, {"spacing_mm": [2, 2, 2]})
        ['spacing_mm: [1, 1, 1] against [2, 2, 2]']
    """
    from medseg.plausibility import compare_settings
    from medseg.plausibility.settings import SETTINGS

    found = []
    for key in SETTINGS:
        one, other = ({key: each[key]} if key in each else {} for each in (companion, own))
        lacks = key in _OF_THE_IMAGE and len(one) != len(other)
        if key != _OF_THE_NETWORK and (lacks or compare_settings(one, other)):
            found.append(f"{key}: {companion.get(key)} against {own.get(key)}")
    return found


class _Finder:
    """Runs the network of a bundle, and has its probabilities in a file for a while."""

    def __init__(self, bundle: Path, *, device: Any) -> None:
        from monai.bundle import ConfigParser

        self._path = Path()
        config = read_workflow(bundle, "inference")
        if "companion" not in config:
            raise ValueError(f"companion {bundle} is for pictures: name a bundle for volumes")
        windows = {**config["window_inferer"], "probabilities": lambda images: self._path}
        given = {"bundle_root": str(bundle), "device": device, "companion": None}
        self._parser = ConfigParser({**config, **given, "window_inferer": windows})

    def get(self, key: str) -> Any:
        """A key of the config, with what it stands for."""
        return self._parser.get_parsed_content(key)

    def load(self) -> None:
        """Load the weights of the network."""
        from medseg.networks import load_weights

        load_weights(self.get("network"), self.get("weights"))

    def plan(self, images: Tensor) -> Any:
        """What it would compute and need for an image."""
        return self.get("inferer").plan(images, self.get("network"))

    @contextmanager
    def find(self, images: Tensor) -> Iterator[NDArray]:
        """The probabilities of one image, (channels, *spatial), float16, mapped into memory."""
        import numpy as np

        with make_scratch_folder(Path(gettempdir())) as scratch:
            self._path = scratch / "probabilities.npy"
            start = time.perf_counter()
            self.get("inferer")(images, self.get("network"))
            values = np.load(self._path, mmap_mode="r")
            logger.info(
                "probabilities of %s: %.1f s, and %.1f MB in a file of %s until the case is done",
                *(self.get("name"), time.perf_counter() - start, values.nbytes / 1e6),
                scratch.parent,
            )
            yield values
            del values
