"""Publish: give a bundle the weights of a training run."""

import filecmp
import json
import logging
import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medseg.base.files import keep_aside, whole
from medseg.base.lock import hold
from medseg.bundles.bundle import PUBLISHED, RUN_FILE, WEIGHTS, advise_on_run, find_config, is_run
from medseg.bundles.catalogue.locate import is_installed
from medseg.bundles.layers.references import find_references
from medseg.bundles.overrides import read_config
from medseg.plausibility import compare_settings, copy_trained_on
from medseg.plausibility.settings import SETTINGS

logger = logging.getLogger(__name__)

REPLACED = "replaced"
"""Folder, in a bundle, of the weights that a published run replaced."""


def publish_run(run: Path, bundle: Path) -> Path | None:
    """Make the weights of a run those of a bundle; what it had before is kept under a dated name.

    Args:
        run: folder of a run, such as `runs/liver/2026-01-02_03-04-05`.
        bundle: folder of the bundle, with the same network, classes and other settings.

    Returns:
        Where the earlier weights are now; None where there were none.

    Raises:
        FileNotFoundError: the run has no weights, or one of the folders is not what it should be.
        FileExistsError: another process publishes to the bundle.
        ValueError: the bundle is part of an installed medseg or a run itself, or the settings of
            the run and of the bundle differ, so that the weights would give other results in the
            bundle than in the run.
        OSError: the bundle cannot be written.
    """
    if not is_run(run):
        raise FileNotFoundError(
            f"{run} is not the folder of a run, it has no {RUN_FILE}: name a folder in runs/"
        )
    _check_own(bundle)
    weights, target = run / WEIGHTS, bundle / WEIGHTS
    if not weights.is_file():
        raise FileNotFoundError(
            f"{run} has no weights yet: {advise_on_run(run)}, or publish another"
        )
    if is_run(bundle):
        raise ValueError(
            f"{bundle} is a training run, and its run.json describes its own weights: publish "
            f"{run} to a bundle, or make one of it with medseg bundles copy {_quote(bundle)} DIR"
        )
    if differences := find_differences(run, bundle):
        raise ValueError(
            f"{run} was trained with other settings than {bundle} has ({'; '.join(differences)}): "
            f"segment with the run itself, -b {_quote(run)}, or change the bundle first"
        )
    _hold(target)
    return _copy(run, bundle)


def _copy(run: Path, bundle: Path) -> Path | None:
    weights, target = run / WEIGHTS, bundle / WEIGHTS
    kept = None
    with whole(target) as partial:
        shutil.copyfile(weights, partial)
        if target.exists() and not filecmp.cmp(weights, target, shallow=False):
            kept = keep_aside(target, bundle / REPLACED)
            if kept is not None:
                copy_trained_on(target, kept)
                keep_aside(bundle / PUBLISHED, bundle / REPLACED)
    copy_trained_on(weights, target)
    with whole(bundle / PUBLISHED) as partial:
        shutil.copyfile(run / RUN_FILE, partial)
    _warn_of_companion(bundle)
    return kept


def _warn_of_companion(bundle: Path) -> None:
    """Say that the new weights of a bundle are not all that it segments with."""
    config = read_config(find_config(bundle, "inference"))
    if config.get("companion") is not None:
        logger.warning(
            "%s segments with its companion as before, whose share in the mean is %g: set "
            "companion to null in its task.json to use the new weights alone",
            *(bundle, config["companion_share"]),
        )


def publish_if_none(run: Path, bundle: Path, *, replace: bool = False) -> None:
    """Publish a run to a bundle that has no weights and the same settings; else log why not.

    Args:
        run: folder of the run.
        bundle: folder of the bundle.
        replace: publish it also where there are weights, which are kept under a dated name.
    """
    if is_installed(bundle):
        logger.info(
            "the weights were not copied to the bundle %s, which is part of the installed medseg",
            bundle.name,
        )
    elif is_run(bundle):
        if run.resolve() != bundle.resolve():
            logger.info("the weights were not copied to %s, which is a run of its own", bundle)
    elif (run / WEIGHTS).is_file():
        try:
            _publish_where_it_fits(run, bundle, replace=replace)
        except (OSError, ValueError) as error:  # the run itself is complete
            logger.warning("%s was not given the weights of this run: %s", bundle, error)


def _publish_where_it_fits(run: Path, bundle: Path, *, replace: bool) -> None:
    differences = find_differences(run, bundle)
    if differences and not replace:
        logger.info(
            "the weights were not copied to %s, because the run has other settings (%s): use the "
            "run itself, -b %s, or give the bundle these settings and publish the run",
            *(bundle, "; ".join(differences), _quote(run)),
        )
        return
    is_free = not os.path.lexists(bundle / WEIGHTS)
    if is_free and not replace and _has_found_nothing(run):
        logger.info(
            "the weights were not copied to the bundle %s, because they found nothing in the "
            "validation: train longer",
            bundle,
        )
        return
    _hold(bundle / WEIGHTS)  # only now, since this makes the folder of the weights
    if replace or is_free or _has_weights_of(run, bundle):
        kept = _copy(run, bundle)
        before = f"; its earlier weights are now {kept}" if kept else ""
        logger.info("%s has the weights of this run%s", bundle, before)
    else:
        logger.info(
            "%s keeps its earlier weights; to replace them: medseg bundles publish %s %s",
            *(bundle, _quote(run), _quote(bundle)),
        )


def _has_found_nothing(run: Path) -> bool:
    """Whether every score of a run's validation is 0."""
    try:
        scores = json.loads((run / RUN_FILE).read_text(encoding="utf-8")).get("scores") or {}
    except (OSError, ValueError, AttributeError):
        return False
    return bool(scores) and not any(scores.values())


def _has_weights_of(run: Path, bundle: Path) -> bool:
    """Whether a bundle already got its weights from this run, when it ended or was tried before."""
    try:
        if filecmp.cmp(run / WEIGHTS, bundle / WEIGHTS, shallow=False):
            return True
        one, other = (json.loads(file.read_text()) for file in (run / RUN_FILE, bundle / PUBLISHED))
        return (one["started"], one["data_sha256"]) == (other["started"], other["data_sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def find_differences(run: Path, bundle: Path) -> list[str]:
    """What differs between the settings, tiles and network of a run and those of a bundle."""
    theirs, ours = (read_config(find_config(root, "inference")) for root in (run, bundle))
    network = find_references(theirs.get("network_def", {})) - set(SETTINGS)
    tiles = [_find_tile(config) for config in (theirs, ours)]
    of_tiles = [f"image_size: trained with {tiles[0]}, used with {tiles[1]}"]
    return [*compare_settings(theirs, ours), *(of_tiles if tiles[0] != tiles[1] else ())] + [
        f"{key}: trained with {_show(theirs[key])}, used with {_show(ours.get(key))}"
        for key in sorted(network & theirs.keys())
        if theirs[key] != ours.get(key)
    ]


def _find_tile(config: Mapping[str, Any]) -> object:
    """The size of the tiles that images are segmented in, where it follows that of a training."""
    size = config.get("roi_size")
    return config.get("image_size") if size == "@image_size" else size


def _show(value: object) -> object:
    """A value of a config as it is given; null for what the config works out as None."""
    return "null" if value in (None, "$None") else value


def _quote(path: str | os.PathLike) -> str:
    """A path as a word of a command that runs as it is written."""
    return shlex.quote(os.fspath(path))


def _check_own(bundle: Path) -> None:
    if is_installed(bundle):
        raise ValueError(
            f"{bundle} is part of the installed medseg, nothing is written to it: make a bundle of "
            f"your own with medseg bundles copy {_quote(bundle.name)} "
            f"{_quote(f'bundles/{bundle.name}')}"
        )


def _hold(target: Path) -> None:
    if not hold(target.parent.resolve() / f".{target.name}.lock"):
        raise FileExistsError(
            f"another process is writing {target}: wait for it, and publish again"
        )
