"""Bundle check: every fault of a bundle at once, by MONAI's bundle specification and by ours.

Nothing is downloaded: `schema/meta_schema_20240725.json` is MONAI's own schema of metadata.json
(Copyright (c) MONAI Consortium, Apache-2.0).
"""

import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import yaml

from medseg.bundles import build
from medseg.bundles.bundle import (
    CONFIGS,
    INFERENCE,
    LARGE_FILE_MB,
    METADATA,
    OPTIONAL,
    REQUIRED,
    TASK_FILE,
    TRAIN,
    Bundle,
    cut_to_first_line,
    find_bundle,
    find_configs,
    is_run,
    name_values,
)
from medseg.bundles.check_network import (
    find_inference_property_faults,
    find_network_faults,
    find_train_property_faults,
    find_trained_on_faults,
    find_weight_faults,
)
from medseg.bundles.layers.merge import OVERLAY, merge_configs
from medseg.bundles.layers.references import find_unused
from medseg.bundles.own.write_bundle import render_own
from medseg.transforms import count_logit_channels

SCHEMA = Path(__file__).parent / "schema" / "meta_schema_20240725.json"


def find_faults(name: str, bundles_dir: str | Path = "bundles") -> list[str]:
    """Every fault of a bundle, one line each: the rule, what is there instead, and the remedy.

    A check is left out if its files are missing or damaged; these are faults themselves. Components
    are built on the CPU with one empty case as data, so no dataset is needed; nothing is written to
    the bundle.

    A bundle without a task file in the layers, such as one that `medseg prune` made, is checked as
    it stands.

    Args:
        name: of a bundle in `bundles_dir`, or its path.
        bundles_dir: folder of the bundles and their layers; that of the bundle, if a path is given.

    Raises:
        FileNotFoundError: there is neither such a task nor such a bundle.

    Example:
        >>> find_faults("liver") + find_faults("bundles/liver")
        []
    """
    bundle = find_bundle(name, Path(bundles_dir))
    with _silence_log():
        return [
            fault
            for check, files in CHECKS
            if all(bundle.is_readable(file) for file in files)
            for fault in check(bundle)
        ]


def find_notes(name: str, bundles_dir: str | Path = "bundles") -> list[str]:
    """What is no fault, but must be done before a bundle is published in MONAI's model zoo.

    The zoo keeps files over 25 MB at an address of their own, which `large_files.yml` holds. A run
    is not published as it is, so it gets no such line.

    Args:
        name: as of `find_faults`.
        bundles_dir: likewise.

    Raises:
        FileNotFoundError: there is neither such a task nor such a bundle.
    """
    bundle = find_bundle(name, Path(bundles_dir))
    return [] if is_run(bundle.root) else list(_find_large_files(bundle))


def find_missing_files(bundle: Bundle) -> Iterator[str]:
    """A line for each file that a complete bundle has and this one lacks, or that is no JSON."""
    for file in _list_required(bundle):
        if not (bundle.root / file).is_file():
            yield f"{file} is missing, and every bundle needs it: add it"
        elif file.endswith(".json") and not bundle.is_readable(file):
            yield f"{file} is not a JSON object: correct it"


def _list_required(bundle: Bundle) -> tuple[str, ...]:
    """The files that a bundle must have: of the configs those that its own task file builds."""
    if not bundle.is_readable(TASK_FILE):
        return REQUIRED
    layers = bundle.read_json(TASK_FILE).get("_layers_")
    if not isinstance(layers, Mapping):
        return REQUIRED
    return (METADATA, *(f"configs/{workflow}.json" for workflow in layers), *OPTIONAL)


def _find_wrong_links(bundle: Bundle) -> Iterator[str]:
    """Files at the root that are neither links to nor copies of the files in `configs`."""
    built = bundle.task.is_file() or (bundle.root / TASK_FILE).is_file()
    remedy = f"run `medseg bundles build {bundle.name}`" if built else "make it one"
    for flat in build.FLAT_NAMES:
        link, target = bundle.root / flat, Path("configs") / flat
        if not link.is_symlink():
            there = (bundle.root / target).is_file()  # a missing file is another fault
            if there and not build.are_equal(link, bundle.root / target):
                yield f"{flat} is neither a link to {target} nor a copy of it: {remedy}"
        elif link.readlink() != target:
            yield f"{flat} links to {link.readlink()}, not to {target}: remove it and build again"


def _find_large_files(bundle: Bundle) -> Iterator[str]:
    listing = bundle.root / "large_files.yml"
    listed = yaml.safe_load(listing.read_text()) if listing.is_file() else {}
    named = {entry.get("path") for entry in (listed or {}).get("large_files", [])}
    for path in sorted(bundle.root.rglob("*")):
        file, size_mb = path.relative_to(bundle.root).as_posix(), path.lstat().st_size / 1e6
        if size_mb > LARGE_FILE_MB and file not in named:
            yield (
                f"{file} has {size_mb:.0f} MB: to publish the bundle in MONAI's model zoo, which "
                f"takes {LARGE_FILE_MB}, name it in large_files.yml with its address"
            )


def _find_stale_configs(bundle: Bundle) -> Iterator[str]:
    """Faults of the task file, or configs that differ from what it builds; a run has no task."""
    is_own = (bundle.root / TASK_FILE).is_file()
    if not (is_own or bundle.task.is_file()):
        return
    try:
        built = render_own(bundle.root) if is_own else build.render(bundle.name, bundle.bundles_dir)
    except ValueError as error:
        yield str(error)
        return
    for path in build.list_stale(built):
        file = path.relative_to(bundle.root)
        yield f"{file} differs from what its layers build: run `medseg bundles build {bundle.name}`"


def _find_unused_keys(bundle: Bundle) -> Iterator[str]:
    """Keys that nothing uses; a run may have some, if an override replaced what used them."""
    if is_run(bundle.root):
        return
    for workflow, ids in {**build.WORKFLOWS, OVERLAY: build.SEVERAL}.items():
        config = merge_configs(find_configs(bundle.root, workflow))
        own = bundle.read_json(f"configs/{workflow}.json")
        for key in find_unused(config, (*build.ALWAYS, *ids)):
            if key in own:
                yield (
                    f"configs/{workflow}.json: nothing in {workflow} uses {key}: remove it from "
                    f"the layers"
                )


def _find_schema_faults(bundle: Bundle) -> Iterator[str]:
    schema = json.loads(SCHEMA.read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    for found in validator.iter_errors(bundle.read_json(METADATA)):
        error = jsonschema.exceptions.best_match([found])
        place = "/".join(map(str, error.absolute_path)) or "top level"
        yield f"{METADATA}: {place}: {cut_to_first_line(error.message)}: see {SCHEMA.name}"


def _find_metadata_faults(bundle: Bundle) -> Iterator[str]:
    metadata = bundle.read_json(METADATA)
    number, apps = metadata.get("version"), metadata.get("supported_apps")
    if number not in metadata.get("changelog", {}):
        yield f"{METADATA}: changelog says nothing of version {number}: add a line"
    if not isinstance(apps, dict):
        yield f"{METADATA}: supported_apps must be an object, is {apps!r}: write {{}} for none"
    for direction, name in (("inputs", "image"), ("outputs", "pred")):
        names = list(metadata.get("network_data_format", {}).get(direction, {}))
        if names != [name]:
            yield f"{METADATA}: {direction} must be named {name!r}, are {names}: rename them"


def _find_class_faults(bundle: Bundle) -> Iterator[str]:
    """The metadata name the values of the label map, and count the channels of the network."""
    metadata, gathered = bundle.read_json(METADATA), bundle.read_json(INFERENCE).get("classes", {})
    classes = list(gathered)
    pred = metadata.get("network_data_format", {}).get("outputs", {}).get("pred", {})
    expected, declared = name_values(classes), pred.get("channel_def")
    if declared != expected:
        rule = f"the label map has the values {expected}"
        yield f"{METADATA}: channel_def of pred is {declared}, {rule}: write those"
    number = pred.get("num_channels")
    if classes and number != count_logit_channels(gathered):
        rule = f"the task's classes make {count_logit_channels(gathered)}"
        yield f"{METADATA}: pred has {number} channels, {rule}: write that"
    for index, label in enumerate(classes, start=1):
        if f"{index} {label}" not in metadata.get("pred_classes", ""):
            yield f"{METADATA}: pred_classes does not say '{index} {label}': write it there"


def _find_label_faults(bundle: Bundle) -> Iterator[str]:
    """The metadata names each value that a label map of the dataset may have."""
    named = re.findall(r"(?:^|, )(\d+) \w", bundle.read_json(METADATA).get("label_classes", ""))
    values = bundle.read_json(TRAIN).get("label_values", [])
    if sorted(map(int, named)) != sorted(values):
        rule = f"the task's label_values are {values}"
        yield f"{METADATA}: label_classes names {', '.join(named) or 'none'}, {rule}: name those"


Check = Callable[[Bundle], Iterator[str] | Sequence[str]]
CHECKS: tuple[tuple[Check, tuple[str, ...]], ...] = (
    (find_missing_files, ()),
    (_find_wrong_links, ()),
    (_find_stale_configs, ()),
    (_find_unused_keys, CONFIGS),
    (_find_schema_faults, (METADATA,)),
    (_find_metadata_faults, (METADATA,)),
    (_find_class_faults, (METADATA, INFERENCE)),
    (_find_label_faults, (METADATA, TRAIN)),
    (find_train_property_faults, (METADATA, TRAIN)),
    (find_inference_property_faults, (METADATA, INFERENCE)),
    (find_network_faults, (METADATA, TRAIN, INFERENCE)),
    (find_weight_faults, (INFERENCE,)),
    (find_trained_on_faults, ()),
)
"""Each check with the JSON files that it reads."""


@contextmanager
def _silence_log() -> Iterator[None]:
    """Keep MONAI from logging what the faults say."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
