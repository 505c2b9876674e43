"""Level evaluation: what each level of a trained network scores, and what it costs."""

import hashlib
import json
import shlex
import statistics
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.inferers import SimpleInferer

from medseg.base.path_keys import escape_for_monai_if_needed, is_path_key, is_text_key
from medseg.bundles.bundle import find_config
from medseg.bundles.overrides import PASSED_ON, read_overrides, write_for_monai
from medseg.bundles.run import run_bundle
from medseg.inference import MixedPrecisionInferer
from medseg.networks import NestedUNet, load_weights, to_device
from medseg.networks.analysis.cost import Cost, measure
from medseg.networks.device import find_device_name

NOT_PRUNED = ("device", "section")
"""Overrides of data or device: like paths, they are not copied into the pruned bundle."""


class LevelEvaluation:
    """The evaluate workflow of a bundle, with the overrides of a command line.

    Args:
        bundle: folder of a trained bundle.
        arguments: overrides of its evaluate.json, as on a command line.

    Raises:
        ValueError: an override that is not a key, or one that pruning sets by itself.
    """

    def __init__(self, bundle: Path, arguments: Sequence[str]) -> None:
        self.bundle = bundle
        self.arguments = list(arguments)
        self.digest = ""
        self.overrides = read_overrides(bundle, "evaluate", arguments)
        if taken := {"level", "output_dir"} & self.overrides.keys():
            raise ValueError(
                f"pruning sets --{min(taken)} by itself: leave it out (--report names the folder)"
            )
        self.parser = ConfigParser(json.loads(find_config(bundle, "evaluate").read_text()))
        self.parser.update(write_for_monai(self._keys))

    def build_trained_network(self) -> NestedUNet:
        """The whole network with its weights, in eval mode on its device."""
        network = self.parser.get_parsed_content("network_def")
        if getattr(network, "level", None) is not None:
            raise ValueError(
                f"{self.bundle} was already pruned at level {network.level}: prune the bundle "
                f"that it was made from"
            )
        if not getattr(network, "deep_supervision", False):
            raise ValueError(
                "pruning chooses among the heads of a deeply supervised network, that of "
                f"{self.bundle} was trained without deep supervision: train it with "
                f"--deep_supervision True"
            )
        self.digest = self._digest()  # before they are read, so that `about` notices any change
        load_weights(network, self.weights)
        return to_device(network, self.parser.get_parsed_content("device")).eval()

    def score_level(self, level: int | None, output_dir: Path) -> dict[str, float]:
        """Means over the classes of the scores at that level; the tables are kept.

        Raises:
            ValueError: a class has no case with a score.
        """
        own = ["--level", json.dumps(level), f"--output_dir={output_dir}"]
        run_bundle(self.bundle, "evaluate", run_id="evaluating", arguments=[*self.arguments, *own])
        classes = json.loads((output_dir / "metrics_summary.json").read_text())["classes"]
        if empty := [name for name, found in classes.items() if not found["iou"]["n"]]:
            raise ValueError(
                f"no case of the {self._read_value('section')} section has a score for {empty[0]} "
                f"(level {level}): choose another --section or --fold"
            )
        means = {
            score: statistics.fmean(found[score]["mean"] for found in classes.values())
            for score in ("iou", "dice")
        }
        return {**means, "cases": min(found["iou"]["n"] for found in classes.values())}

    def measure_costs(self, networks: Mapping[str, NestedUNet], *, repeats: int) -> dict[str, Cost]:
        """What each network costs for one window of the bundle, in the precision of the bundle."""
        device = self.parser.get_parsed_content("device")
        forward = MixedPrecisionInferer(
            SimpleInferer(), device, enabled=self._read_value("mixed_precision")
        )
        return measure(networks, self._window, forward=forward, repeats=repeats)

    def read_choices(self) -> dict[str, Any]:
        """The overrides that are copied into the pruned bundle."""
        return {
            key: escape_for_monai_if_needed(value)
            if is_text_key(key) and value is not None
            else value
            for key, value in self._keys.items()
            if not (is_path_key(key) or key in NOT_PRUNED)
        }

    def describe(self) -> dict[str, Any]:
        """What was run, on which cases and on which machine.

        Raises:
            ValueError: the weights are no longer those that the levels were made of.
        """
        if self._digest() != self.digest:
            raise ValueError(
                f"{self.weights} changed while its levels were scored: wait until nothing writes "
                f"to it, and prune again"
            )
        keys = ("section", "fold", "folds", "split_seed", "mixed_precision")
        device = self.parser.get_parsed_content("device")
        return {
            "bundle": self.bundle.resolve().name,
            "folder": str(self.bundle),
            "weights_sha256": self.digest,
            **{key: self._read_value(key) for key in keys},
            "window": self._window,
            "device": find_device_name(device),
            "threads": torch.get_num_threads(),
            "versions": {name: version(name) for name in ("medseg", "torch", "monai")},
            "arguments": shlex.join(self.arguments),
        }

    def _digest(self) -> str:
        """Of the file of the weights; "" where there is none, which `load_weights` refuses."""
        file = Path(self.weights)
        return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""

    @property
    def _keys(self) -> dict[str, Any]:
        """The overrides that are keys of the config."""
        return {key: value for key, value in self.overrides.items() if key not in PASSED_ON}

    @property
    def weights(self) -> str:
        """The file of the trained weights."""
        return str(self.parser.get_parsed_content("weights"))

    @property
    def _window(self) -> list[int]:
        return [1, self._read_value("in_channels"), *self._read_value("image_size")]

    def _read_value(self, key: str) -> Any:
        return self.parser.get_parsed_content(key)
