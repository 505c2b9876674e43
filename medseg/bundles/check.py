"""Bundle check: every fault of a bundle at once, by MONAI's bundle specification and by ours.

Nothing is downloaded: `schema/meta_schema_20240725.json` is MONAI's own schema of metadata.json
(Copyright (c) MONAI Consortium, Apache-2.0).
"""

import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import torch
import yaml
from monai.bundle import ConfigParser, ConfigWorkflow, verify_net_in_out

from medseg.base.errors import is_documented, root_cause
from medseg.base.path_keys import inert
from medseg.base.scratch import scratch_folder
from medseg.bundles import build
from medseg.networks import load_weights
from medseg.plausibility import read_trained_on, why_not_compared
from medseg.transforms import activation

SCHEMA = Path(__file__).parent / "schema" / "meta_schema_20240725.json"
LARGE_FILE_MB = 25
METADATA, TRAIN, INFERENCE = (f"configs/{name}.json" for name in ("metadata", "train", "inference"))
CONFIGS = tuple(f"configs/{workflow}.json" for workflow in build.WORKFLOWS)
WEIGHTS = "models/model.pt"
REQUIRED = (
    *("LICENSE", METADATA, *CONFIGS, "configs/logging.conf"),
    *("docs/README.md", "docs/data_license.txt"),
)


def faults(name: str, bundles_dir: str | Path = "bundles") -> list[str]:
    """Every fault of a bundle, one line each: the rule, what is there instead, and the remedy.

    A check whose files are missing or damaged is left out; those files are faults themselves.
    Components are built on the CPU with a stand-in for the data, which need not be there; nothing
    is written to the bundle.

    A bundle without a task file in the layers, such as one that `medseg prune` made, is checked as
    it stands.

    Args:
        name: of a bundle in `bundles_dir`, or its path.
        bundles_dir: folder of the bundles and their layers; that of the bundle, if a path is given.

    Raises:
        FileNotFoundError: there is neither such a task nor such a bundle.

    Example:
        >>> faults("liver") + faults("bundles/liver")
        []
    """
    bundle = _locate(name, Path(bundles_dir))
    with _quiet():
        return [
            fault
            for check, files in CHECKS
            if all(bundle.is_readable(file) for file in files)
            for fault in check(bundle)
        ]


@dataclass(frozen=True)
class _Bundle:
    name: str
    bundles_dir: Path

    @property
    def root(self) -> Path:
        return self.bundles_dir / self.name

    @property
    def task(self) -> Path:
        """The task file of a bundle that is built from layers."""
        return self.bundles_dir / "layers" / "tasks" / f"{self.name}.json"

    def json(self, file: str) -> dict[str, Any]:
        return json.loads((self.root / file).read_text())

    def is_readable(self, file: str) -> bool:
        """Whether the file is there and is a JSON object."""
        try:
            return isinstance(self.json(file), dict)
        except (OSError, ValueError):
            return False


def _locate(name: str, bundles_dir: Path) -> _Bundle:
    path = Path(name)
    if path.name != name:  # "bundles/liver", "liver/" or "."
        path = path.resolve()
        bundles_dir = path.parent
    bundle = _Bundle(path.name, bundles_dir)
    if not bundle.task.is_file() and not (bundle.root / "configs").is_dir():
        tasks = sorted(task.stem for task in bundle.task.parent.glob("*.json"))
        known = f"it has {', '.join(tasks)}" if tasks else "name a bundle or its folder"
        raise FileNotFoundError(f"no bundle {bundle.name!r} in {bundles_dir}: {known}")
    return bundle


def _missing_files(bundle: _Bundle) -> Iterator[str]:
    for file in REQUIRED:
        if not (bundle.root / file).is_file():
            yield f"{file} is missing, and every bundle needs it: add it"
        elif file.endswith(".json") and not bundle.is_readable(file):
            yield f"{file} is not a JSON object: mend it"


def _wrong_links(bundle: _Bundle) -> Iterator[str]:
    for flat in build.FLAT_NAMES:
        link, target = bundle.root / flat, Path("configs") / flat
        if not link.is_symlink():
            yield f"{flat} is not a link to {target}: run `medseg bundles build {bundle.name}`"
        elif link.readlink() != target:
            yield f"{flat} links to {link.readlink()}, not to {target}: remove it and build again"


def _large_files(bundle: _Bundle) -> Iterator[str]:
    listing = bundle.root / "large_files.yml"
    listed = yaml.safe_load(listing.read_text()) if listing.is_file() else {}
    named = {entry.get("path") for entry in (listed or {}).get("large_files", [])}
    for path in sorted(bundle.root.rglob("*")):
        file, size_mb = path.relative_to(bundle.root).as_posix(), path.lstat().st_size / 1e6
        if size_mb > LARGE_FILE_MB and file not in named:
            yield f"{file} has {size_mb:.0f} MB, over {LARGE_FILE_MB}: name it in large_files.yml"


def _stale_configs(bundle: _Bundle) -> Iterator[str]:
    if not bundle.task.is_file():
        return
    for path in build.stale(bundle.name, bundle.bundles_dir):
        file = path.relative_to(bundle.root)
        yield f"{file} differs from what its layers build: run `medseg bundles build {bundle.name}`"


def _lost_choices(bundle: _Bundle) -> Iterator[str]:
    task = json.loads(bundle.task.read_text()) if bundle.task.is_file() else {}
    for key in set(task) - {"_layers_"} - set().union(*map(bundle.json, CONFIGS)):
        yield f"layers/tasks/{bundle.name}.json: {key} is used by no config: check its spelling"


def _unused_keys(bundle: _Bundle) -> Iterator[str]:
    for file, (workflow, ids) in zip(CONFIGS, build.WORKFLOWS.items(), strict=True):
        for key in build.unused(bundle.json(file), (*build.ALWAYS, *ids)):
            yield f"{file}: nothing in {workflow} uses {key}: remove it from the layers"


def _schema_faults(bundle: _Bundle) -> Iterator[str]:
    schema = json.loads(SCHEMA.read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    for found in validator.iter_errors(bundle.json(METADATA)):
        error = jsonschema.exceptions.best_match([found])
        place = "/".join(map(str, error.absolute_path)) or "top level"
        yield f"{METADATA}: {place}: {_first_line(error.message)}: see {SCHEMA.name}"


def _metadata_faults(bundle: _Bundle) -> Iterator[str]:
    metadata = bundle.json(METADATA)
    number, apps = metadata.get("version"), metadata.get("supported_apps")
    if number not in metadata.get("changelog", {}):
        yield f"{METADATA}: changelog says nothing of version {number}: add a line"
    if not isinstance(apps, dict):
        yield f"{METADATA}: supported_apps must be an object, is {apps!r}: write {{}} for none"
    for direction, name in (("inputs", "image"), ("outputs", "pred")):
        names = list(metadata.get("network_data_format", {}).get(direction, {}))
        if names != [name]:
            yield f"{METADATA}: {direction} must be named {name!r}, are {names}: rename them"


def _class_faults(bundle: _Bundle) -> Iterator[str]:
    """A class or region has a sigmoid channel; several have softmax channels behind background."""
    metadata, gathered = bundle.json(METADATA), bundle.json(INFERENCE).get("classes", {})
    classes = list(gathered)
    behind = classes and activation(gathered) == "softmax"
    channels = ["background", *classes] if behind else classes
    pred = metadata.get("network_data_format", {}).get("outputs", {}).get("pred", {})
    expected = {str(index): label for index, label in enumerate(channels)}
    number, declared = pred.get("num_channels"), pred.get("channel_def")
    if declared != expected or number != len(expected):
        rule = f"the task's classes make {len(expected)} {expected}"
        yield f"{METADATA}: pred has {number} channels {declared}, {rule}: write those"
    for index, label in enumerate(classes, start=1):
        if f"{index} {label}" not in metadata.get("pred_classes", ""):
            yield f"{METADATA}: pred_classes does not say '{index} {label}': write it there"


def _label_faults(bundle: _Bundle) -> Iterator[str]:
    """The metadata names each value that a label map of the dataset may have."""
    told = re.findall(r"(?:^|, )(\d+) \w", bundle.json(METADATA).get("label_classes", ""))
    values = bundle.json(TRAIN).get("label_values", [])
    if sorted(map(int, told)) != sorted(values):
        rule = f"the task's label_values are {values}"
        yield f"{METADATA}: label_classes names {', '.join(told) or 'none'}, {rule}: name those"


def _train_properties(bundle: _Bundle) -> list[str]:
    return _property_faults(bundle, TRAIN, kind="train")


def _infer_properties(bundle: _Bundle) -> list[str]:
    return _property_faults(bundle, INFERENCE, kind="infer")


def _property_faults(bundle: _Bundle, file: str, *, kind: str) -> list[str]:
    """What `check_properties` of MONAI finds; it builds every component that is a property."""
    with scratch_folder() as scratch:
        here = {
            "bundle_root": inert(str(bundle.root)),
            "device": "cpu",
            "output_dir": inert(str(scratch)),
        }
        config = bundle.json(file)
        pairs = {key: value for key, value in here.items() if key in config}
        try:
            workflow = ConfigWorkflow(
                str(bundle.root / file),
                logging_file=False,
                workflow_type=kind,
                initialize=[],
                **pairs,
                **_stand_in_data(config),
            )
            workflow.initialize()
            wrong = workflow.check_properties() or []
        except Exception as error:  # a component may raise anything
            return [f"{file}: MONAI's check_properties: {_reason(error)}: mend the layers"]
    return [f"{file}: MONAI's property {name} is missing or has a wrong id" for name in wrong]


def _stand_in_data(config: dict[str, Any]) -> dict[str, Any]:
    """Overrides: every dataset is one empty case, with its transform; there is no record."""
    parser = ConfigParser(config)
    datasets = [key for key in ("train#dataset", "validate#dataset", "dataset") if key in parser]
    stand_in: dict[str, Any] = {
        key: {"_target_": "Dataset", "data": [{}], "transform": parser[key].get("transform")}
        for key in datasets
    }
    if "cases" in config.get("train", {}):
        stand_in["train#cases"] = []
    return {**stand_in, "record": "$None"} if "record" in config else stand_in


class OneTensor(torch.nn.Module):
    """Passes on what a network gives, provided it is one tensor on the grid of its input.

    Raises:
        TypeError: the network gives something else, such as a list of heads.
        ValueError: the spatial shape differs.
    """

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, C, *spatial) to (B, channels, *spatial)."""
        pred = self.network(image)
        if not torch.is_tensor(pred):
            raise TypeError(f"the network gives a {type(pred).__name__} in eval, not one tensor")
        if pred.shape[2:] != image.shape[2:]:
            raise ValueError(f"pred is {tuple(pred.shape[2:])} on {tuple(image.shape[2:])}")
        return pred


def _network_faults(bundle: _Bundle) -> Iterator[str]:
    for file in (TRAIN, INFERENCE):
        try:
            verify_net_in_out(
                "checked",
                meta_file=str(bundle.root / METADATA),
                config_file=str(bundle.root / file),
                device="cpu",
                n=2,
                checked={"_target_": f"{__name__}.OneTensor", "network": "@network_def"},
            )
        except Exception as error:  # a network may raise anything
            yield f"{file}: network_def is not what {METADATA} declares: {_reason(error)}: mend one"


def _weight_faults(bundle: _Bundle) -> Iterator[str]:
    if not (bundle.root / WEIGHTS).is_file():
        return
    parser = ConfigParser(bundle.json(INFERENCE))
    try:
        network = load_weights(parser.get_parsed_content("network_def"), bundle.root / WEIGHTS)
    except Exception as error:  # a network may raise anything
        yield f"{WEIGHTS} does not load into the network_def of {INFERENCE}: {_reason(error)}"
        return
    state = torch.load(bundle.root / WEIGHTS, map_location="cpu", weights_only=True)
    if not network.state_dict().keys() <= state.keys():  # wrapped: MONAI would not load it
        yield f"{WEIGHTS} is not a flat state dict: save network.state_dict() alone"


def _trained_on_faults(bundle: _Bundle) -> Iterator[str]:
    """What weights were trained on lies beside them, and belongs to them."""
    weights = bundle.root / WEIGHTS
    if not weights.is_file():
        return
    try:
        found = read_trained_on(weights)
    except ValueError as error:
        yield str(error)
        return
    if found is not None and not found.is_of(weights):
        yield why_not_compared(weights)


Check = Callable[[_Bundle], Iterator[str] | Sequence[str]]
CHECKS: tuple[tuple[Check, tuple[str, ...]], ...] = (
    (_missing_files, ()),
    (_wrong_links, ()),
    (_large_files, ()),
    (_stale_configs, ()),
    (_lost_choices, CONFIGS),
    (_unused_keys, CONFIGS),
    (_schema_faults, (METADATA,)),
    (_metadata_faults, (METADATA,)),
    (_class_faults, (METADATA, INFERENCE)),
    (_label_faults, (METADATA, TRAIN)),
    (_train_properties, (METADATA, TRAIN)),
    (_infer_properties, (METADATA, INFERENCE)),
    (_network_faults, (METADATA, TRAIN, INFERENCE)),
    (_weight_faults, (INFERENCE,)),
    (_trained_on_faults, ()),
)
"""Each check with the JSON files that it reads."""


def _reason(error: Exception) -> str:
    """A documented error says it all; of another one, its type and how its message starts."""
    cause = root_cause(error)
    if is_documented(cause):
        return str(cause)
    return f"{type(cause).__name__} {_first_line(str(cause))}"


def _first_line(text: str) -> str:
    line = text.strip().partition("\n")[0].rstrip(":.")
    return line if len(line) <= 200 else f"{line[:200]}..."


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MONAI from logging what the faults say."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
