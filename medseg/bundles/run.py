"""Run: a workflow of a bundle with overrides, as `python -m monai.bundle run` does, but strict.

Faults of the command line are reported before MONAI and torch are imported, which takes seconds,
and a folder that cannot be written is refused before any weights are read.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medseg.base.files import check_apart, check_folder, check_place
from medseg.base.interrupts import end_at_once
from medseg.bundles.build import WORKFLOWS
from medseg.bundles.bundle import check_metadata, check_weights_exist, find_configs
from medseg.bundles.layers.merge import OVERLAY
from medseg.bundles.overrides import (
    read_config,
    read_overrides,
    read_workflow,
    write_for_monai,
)
from medseg.bundles.own.write_bundle import describe_unbuilt
from medseg.bundles.tracking import allow_mlflow
from medseg.bundles.zoo.complete import check_takes_images
from medseg.bundles.zoo.own_run import importable, list_changes

logger = logging.getLogger(__name__)

_MAIN_IDS = tuple(ids[0] for ids in WORKFLOWS.values())


def run_bundle(
    bundle: Path,
    workflow: str,
    *,
    run_id: str,
    arguments: Sequence[str] = (),
    options: Sequence[str] = (),
) -> Path | None:
    """Run a workflow of a bundle.

    A training that torchrun starts in several processes also gets the config `multi_gpu_train`. A
    config that is not what the bundle's task file says is used as it is, after a warning.

    Args:
        bundle: folder of the bundle.
        workflow: "train", "evaluate", "inference" or "multi_gpu_train".
        run_id: id of the expressions to run; "run" or "evaluating", as in the model zoo, where the
            config has no such id.
        arguments: overrides, see `medseg.bundles.overrides.parse_overrides`; those of `PASSED_ON`
            go to MONAI as they are, and with `--tracking mlflow` so do the keys of its settings,
            such as `--experiment_name liver`.
        options: the caller's own, see `medseg.bundles.overrides.read_overrides`.

    Returns:
        The folder of the outputs; None where the config has no key `output_dir`, or where several
        processes choose it together.

    Raises:
        FileNotFoundError: there is no such bundle, or no such `input`.
        ValueError: an argument that is no override, or that names no existing key; tracking that
            would record nothing; an `output_dir` that is the folder of the `input`; or the config
            has no such `run_id`. Nothing has run then.
        OSError: the folder of the outputs or, of a training, that of the weights cannot be written,
            see `medseg.base.files.check_folder`. Nothing has run then either.

    Example:
        >>> run_bundle(Path("bundles/liver"), "train", run_id="training", arguments=["--fold", "1"])
    """
    if workflow == "train" and _count_processes() > 1:
        workflow = OVERLAY
    config = read_workflow(bundle, workflow)
    check_metadata(bundle)
    allow_mlflow(config)
    run_id = _choose_id(run_id, config, bundle)
    if workflow == "inference":
        check_takes_images(config, bundle)
    overrides = read_overrides(bundle, workflow, arguments, options=options)
    _check_stated(overrides)
    _check_length({**config, **overrides}, overrides)
    if run_id in ("inference", "evaluating"):
        check_weights_exist(bundle, workflow, overrides)

    with end_at_once("interrupted before anything was written: run it again"):
        from monai.bundle.scripts import run

        from medseg.engines import keep_log

    folders = {}
    if workflow != OVERLAY:  # there the processes choose, when their group has started
        folders = _find_written_folders(config, workflow, overrides)
    for folder in folders.values():
        check_folder(folder)
    if workflow == "train" and "output_dir" in folders:
        overrides["output_dir"] = str(folders["output_dir"])  # chosen once, by the time of day
    configs = find_configs(bundle, workflow)
    is_set_up = "logging_file" in overrides or configs[0].with_name("logging.conf").is_file()
    keep_log(console=not is_set_up)
    if unbuilt := describe_unbuilt(bundle, configs):
        logger.warning(unbuilt)
    changes = write_for_monai(overrides)
    if workflow == "inference":
        before = read_config(configs[0])
        changes = list_changes(before, config, bundle, overrides.get("input")) | changes
    with importable(bundle):
        run(run_id=run_id, config_file=[str(file) for file in configs], **changes)
    return folders.get("output_dir")


def _count_processes() -> int:
    """The processes of this run, as torchrun says; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", 1))


def _choose_id(run_id: str, config: Mapping[str, Any], bundle: Path) -> str:
    """The id to run: the one asked for, or the model zoo's name for it."""
    if run_id in config:
        return run_id
    if run_id in _MAIN_IDS:
        return next((name for name in ("run", "evaluating") if name in config), run_id)
    raise ValueError(
        f"the config of {bundle} has no {run_id}, so that this cannot be done with it: run what it "
        "has as its own docs say, with python -m monai.bundle run"
    )


def _check_stated(overrides: Mapping[str, Any]) -> None:
    """Refuse paths of a command line that do not exist or cannot be written."""
    if "input" in overrides and not os.path.exists(overrides["input"]):
        raise FileNotFoundError(
            f"no such file or folder: {Path(overrides['input']).absolute()}: name a study, a "
            "picture or a folder of them"
        )
    if "output_dir" in overrides:
        check_folder(overrides["output_dir"])
    if overrides.keys() >= {"input", "output_dir"}:
        check_apart(overrides["output_dir"], overrides["input"])


def _check_length(settings: Mapping[str, Any], overrides: Mapping[str, Any]) -> None:
    """Refuse epochs on a command line where hours set them."""
    hours = settings.get("hours")
    if "max_epochs" in overrides and hours is not None:
        raise ValueError(
            f"max_epochs is {overrides['max_epochs']} and hours is {hours}, and hours set the "
            "epochs: leave --max_epochs out, or pass --hours None"
        )


def _find_written_folders(
    config: Mapping[str, Any], workflow: str, overrides: Mapping[str, Any]
) -> dict[str, Path]:
    """The folders that a workflow writes to, by their keys, as its config works them out."""
    from monai.bundle import ConfigParser

    parser = ConfigParser(dict(config))
    parser.update(write_for_monai(overrides))
    folders = {}
    if "output_dir" in config:
        folders["output_dir"] = Path(parser.get_parsed_content("output_dir"))
    if "weights" in config and workflow == "train":
        weights = Path(parser.get_parsed_content("weights"))
        check_place(weights)
        folders["weights"] = weights.parent
    return folders
