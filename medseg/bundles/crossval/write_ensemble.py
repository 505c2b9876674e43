"""Write ensemble: make one bundle of the networks of all folds, which segments by their mean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from medseg.base.files import whole
from medseg.bundles.build import WORKFLOWS
from medseg.bundles.bundle import RUN_FILE, WEIGHTS, find_config
from medseg.bundles.bundle_of_run import place_run
from medseg.bundles.crossval.folds import Fold
from medseg.bundles.derive import write_derived
from medseg.inference.outputs.label_files import LabelFiles
from medseg.inference.predictor.predictor import Predictor
from medseg.networks import fit_to_weights
from medseg.networks.analysis.cost import measure_seconds
from medseg.networks.ensemble import join_members
from medseg.plausibility import carry_trained_on, read_ranges, write_trained_on
from medseg.transforms import choose_activation

FOLDER = "ensemble"
"""The folder of the ensemble, beside those of the folds."""

TURNS = 3
"""So many patches are timed."""


@dataclass(frozen=True)
class WrittenEnsemble:
    """An ensemble of the networks of all folds, as a bundle.

    Attributes:
        folder: of the bundle, which `medseg segment -b` takes as any run.
        members: how many networks it has.
        size_bytes: of its weights.
        seconds: that a patch takes on this machine, as `medseg segment` computes it.
        seconds_of_one: that a patch takes with one of its networks.
    """

    folder: Path
    members: int
    size_bytes: int
    seconds: float
    seconds_of_one: float

    def describe(self) -> str:
        """Its size and time, in one line."""
        return (
            f"{self.folder}: the mean of {self.members} networks, {self.size_bytes / 1e6:.1f} MB "
            f"in float16; a patch takes {self.seconds:.2g} s here in medseg segment, "
            f"{self.seconds_of_one:.2g} s with one network"
        )


def write_ensemble(
    folder: Path, folds: Sequence[Fold], *, scores: Mapping[str, float], keys: Mapping[str, Any]
) -> WrittenEnsemble:
    """Write the bundle of all folds; an earlier one in the folder is replaced.

    Its networks have seen every case of the folds, so that only test cases can score it.

    Args:
        folder: of the bundle.
        folds: all of them, trained.
        scores: mean of each score over the cases, each by the network that has not seen it.
        keys: of the bundle, such as how parts are cleaned.

    Raises:
        ValueError: the weights of the folds do not belong together.
    """
    first = folds[0].folder
    changed = {**place_run(folder), **keys}
    write_derived(
        first,
        folder,
        changes=dict.fromkeys(WORKFLOWS, changed),
        note=f"the mean of the networks of {len(folds)} folds, made by medseg crossval",
        title="ensemble",
        scores=scores,
    )
    config = ConfigParser(ConfigParser.load_config_file(str(find_config(folder, "inference"))))
    LabelFiles(folder, config["classes"])()
    _write_run(folder, first, len(folds), scores=scores)
    _write_weights(folder / WEIGHTS, [fold.folder / WEIGHTS for fold in folds])
    return _measure(folder, config, len(folds))


def _write_run(folder: Path, first: Path, count: int, *, scores: Mapping[str, float]) -> None:
    """The run.json of the first fold, with what differs."""
    run = json.loads((first / RUN_FILE).read_text(encoding="utf-8"))
    run |= {"fold": None, "folds": count, "all_cases": True, "scores": dict(scores)}
    with whole(folder / RUN_FILE) as partial:
        partial.write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")


def _write_weights(path: Path, files: Sequence[Path]) -> None:
    """Write the weights of all, with the ranges of what the first was trained on."""
    states = [torch.load(file, map_location="cpu", weights_only=True) for file in files]
    state: Mapping[str, Any] = join_members(states)
    trained = read_ranges(files[0])
    if trained is not None:
        trained.about.pop("fold", None)
        state = carry_trained_on(state, trained)
    with whole(path) as partial:
        torch.save(state, partial)
        if trained is not None:
            write_trained_on(trained, path, partial=partial)


def _measure(folder: Path, config: ConfigParser, count: int) -> WrittenEnsemble:
    """Time a patch as `medseg segment` computes it, with all networks and with one."""
    weights = folder / WEIGHTS
    device = config.get_parsed_content("device")
    one = config.get_parsed_content("network_def").to(device).eval()
    activation = choose_activation(config["classes"])
    together = fit_to_weights(one, weights, activation=activation).to(device).eval()
    fast = {each: Predictor(each, device, backend=config["predictor"]) for each in (one, together)}
    seconds = measure_seconds(
        {"one": one, "all": together},
        (1, one.in_channels, *config["image_size"]),
        forward=lambda image, network: fast[network](image),
        repeats=TURNS,
    )
    return WrittenEnsemble(folder, count, weights.stat().st_size, seconds["all"], seconds["one"])
