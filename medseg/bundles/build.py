"""Build: build the configs of bundles from layers.

A task file in `bundles/layers/tasks` names the layers that it adds to those of every task. `build`
merges them in order, the task last, keeps what the workflow uses, and writes complete configs,
which begin with what a person looks for first. The configs are committed and never edited by hand;
`find_stale` names those that are older than their layers.
"""

import filecmp
import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from medseg.base.files import whole
from medseg.base.scratch import make_scratch_folder
from medseg.bundles.layers.check_task import find_task_faults
from medseg.bundles.layers.merge import CONFIG_NAMES, OVERLAY, merge_layers, read_section
from medseg.bundles.layers.references import (
    CHOICES,
    find_references,
    is_wiring,
    keep_used,
    list_choices,
)

WORKFLOWS = {
    "train": ("training", "train", "validate"),
    "evaluate": ("evaluating", "validate"),
    "inference": (
        *("inference", "planning", "dataset", "evaluator", "inferer"),
        *("preprocessing", "postprocessing", "handlers"),
    ),
}
SEVERAL = (*WORKFLOWS["train"], "finalize")
"""The ids that a training in several processes runs, from both configs together."""

ALWAYS = ("name", "bundle_root", "device", "dataset_dir", "initialize", "network_def", "run")
FLAT_NAMES = (*(f"{name}.json" for name in CONFIG_NAMES), "metadata.json", "logging.conf")
_OPENING = (
    *("name", "dataset_dir", "input", "read_cases", "read_values", "label_values", "classes"),
    *("modality", "window_hu", "spacing_mm", "patch_size", "image_size", "roi_size"),
    *("topology", "channels", "learning_rate", "lr_schedule", "warmup_epochs", "max_epochs"),
)
"""Keys that a built config begins with, in this order: what the task is, and how it is learnt."""

_COMMON = {
    "train": ("base", "train"),
    "evaluate": ("base", "segment"),
    "inference": ("base", "segment"),
}
_GENERATED = "built from {layers} by `medseg bundles build`: edit those, not this file"


def list_names(bundles_dir: str | Path = "bundles") -> list[str]:
    """The tasks that have a layer file, sorted.

    Raises:
        FileNotFoundError: `bundles_dir` holds no layers.
    """
    tasks = Path(bundles_dir) / "layers" / "tasks"
    if not tasks.is_dir():
        raise FileNotFoundError(
            f"{Path(bundles_dir).absolute()} holds no layers/tasks: run from the repository root"
        )
    return sorted(path.stem for path in tasks.glob("*.json"))


def build(name: str, bundles_dir: str | Path = "bundles") -> list[Path]:
    """Write the configs of a bundle and the flat links to them.

    Args:
        name: a task of `bundles_dir`/layers/tasks.
        bundles_dir: folder of the bundles and their layers.

    Returns:
        The files that changed.
    """
    return write_stale(render(name, bundles_dir)) + write_flat_names(Path(bundles_dir) / name)


def write_flat_names(root: Path) -> list[Path]:
    """Make `train.json` and the like at the root of a bundle lead to the files in `configs`.

    They are links, or copies where the system does not allow links. In a checkout without links git
    writes a line of text in the place of each; these are replaced. A file that `configs` lacks gets
    no link.

    Returns:
        The names that changed.
    """
    changed = []
    for flat in FLAT_NAMES:
        place, target = root / flat, root / "configs" / flat
        if target.is_file() and not place.is_symlink() and _write_flat_name(place, target):
            changed.append(place)
    return changed


def _write_flat_name(place: Path, target: Path) -> bool:
    """Make a link, or a copy, if there is none; return whether anything changed."""
    with make_scratch_folder(place.parent) as scratch:
        link = scratch / place.name
        try:
            link.symlink_to(Path("configs") / place.name)
        except OSError:  # Windows without that right, some network disks
            if are_equal(place, target):
                return False
            shutil.copyfile(target, link)
        link.replace(place)
    return True


def are_equal(place: Path, target: Path) -> bool:
    """Whether both are files with the same content."""
    return place.is_file() and target.is_file() and filecmp.cmp(place, target, shallow=False)


def find_stale(name: str, bundles_dir: str | Path = "bundles") -> list[Path]:
    """The built files of a bundle that differ from what its layers give."""
    return list_stale(render(name, bundles_dir))


def list_stale(rendered: Mapping[Path, str]) -> list[Path]:
    """The files that are not there, or hold another text than they should."""
    return [p for p, text in rendered.items() if not p.exists() or p.read_text() != text]


def write_stale(rendered: Mapping[Path, str]) -> list[Path]:
    """Write those files of `list_stale`, and return them."""
    stale = list_stale(rendered)
    for path in stale:
        with whole(path) as partial:
            partial.write_text(rendered[path])
    return stale


def render(name: str, bundles_dir: str | Path = "bundles") -> dict[Path, str]:
    """Every built file of a bundle with the text its layers give.

    Raises:
        FileNotFoundError: there is no such task.
        ValueError: the task names no layers, or one that is not there.
    """
    known = list_names(bundles_dir)
    if name not in known:
        raise FileNotFoundError(
            f"no bundle {name!r} in {bundles_dir}: name one of {', '.join(known)}"
        )
    layers, configs = Path(bundles_dir) / "layers", Path(bundles_dir) / name / "configs"
    return render_task(layers / "tasks" / f"{name}.json", layers=layers, configs=configs)


def render_task(task_file: Path, *, layers: Path, configs: Path) -> dict[Path, str]:
    """Every built file of the bundle of a task file, with the text that its layers give.

    Args:
        task_file: names the layers, and has the choices of the task.
        layers: folder of the layers.
        configs: folder of the built files.

    Raises:
        ValueError: the task is no JSON, names no layers or one that is not there, or has the
            faults of `find_task_faults`.
    """
    task = _read_task(task_file)
    files = {configs / "logging.conf": (layers / "logging.conf").read_text()}
    below: dict[str, dict[str, Any]] = {}
    used: dict[str, dict[str, Any]] = {}
    built: dict[Path, dict[str, Any]] = {}
    for workflow, stack in _list_layers_per_workflow(task, task_file, layers).items():
        sources = [layers / f"{layer}.json" for layer in stack]
        below[workflow] = merge_layers(sources, workflow)
        config = merge_layers([*sources, task_file], workflow)
        config = _order_keys(keep_used(config, (*ALWAYS, *WORKFLOWS[workflow])), task)
        if CHOICES in find_references(config):
            config[CHOICES] = {key: f"@{key}" for key in list_choices(config)}
        named = [f"layers/{source.name}" for source in sources]
        is_of_layers = task_file.parent == layers / "tasks"
        named.append(f"layers/tasks/{task_file.name}" if is_of_layers else task_file.name)
        note = _GENERATED.format(layers=", ".join(named))
        used[workflow] = config
        built[configs / f"{workflow}.json"] = {"_generated_": note, **config}
    if faults := list(find_task_faults(task, below, used)):
        raise ValueError(f"{task_file}: {'; '.join(faults)}")
    overlay = dict(read_section(layers / "train.json", OVERLAY))
    imports = _list_imports([*built.values(), overlay])
    for path, config in built.items():
        files[path] = format_config({**config, "imports": imports})
    if "train" in used:
        note = f"{_GENERATED.format(layers='layers/train.json')}; give it after train.json"
        files[configs / f"{OVERLAY}.json"] = format_config({"_generated_": note, **overlay})
    return files


def _read_task(file: Path) -> dict[str, Any]:
    try:
        task = json.loads(file.read_text())
    except ValueError as error:
        raise ValueError(f"{file} is no JSON ({error}): correct it") from error
    if not isinstance(task, dict):
        raise ValueError(f"{file} holds no keys: correct it")
    return task


def _list_imports(configs: Iterable[Mapping[str, Any]]) -> list[str]:
    """The imports of all configs that run together: MONAI uses only one of their lists."""
    text = json.dumps([{**config, "imports": None} for config in configs])
    known = {line for config in configs for line in config.get("imports", [])}
    return sorted(line for line in known if f"{line.split()[-1]}." in text)


def format_config(config: Mapping[str, Any]) -> str:
    """A config as it is written: JSON with short lists on one line."""
    return _write_short_lists_inline(json.dumps(config, indent=4)) + "\n"


def _list_layers_per_workflow(
    task: Mapping[str, Any], file: Path, layers: Path
) -> dict[str, list[str]]:
    """The layers of every workflow: those of all tasks, then those that the task names.

    A task that names some for "inference" alone has that workflow alone.
    """
    named = task.get("_layers_")
    own: Mapping[str, Any] = dict.fromkeys(WORKFLOWS, named)
    own = named if isinstance(named, Mapping) else own
    known = sorted({path.stem for path in layers.glob("*.json")})
    workflows = ["inference"] if [*own] == ["inference"] else [*WORKFLOWS]
    for workflow in workflows:
        if not isinstance(own.get(workflow), list):
            raise ValueError(f"{file} names no layers for {workflow}: list some in _layers_")
        if unknown := [layer for layer in own[workflow] if layer not in known]:
            raise ValueError(
                f"{file} names the layer {unknown[0]!r}, which is not there: name one of "
                f"{', '.join(known)}"
            )
    return {workflow: [*_COMMON[workflow], *own[workflow]] for workflow in workflows}


def _order_keys(config: Mapping[str, Any], task: Iterable[str]) -> dict[str, Any]:
    """The first keys, then the other choices, those of the task first, then the wiring."""

    def find_place(key: str) -> tuple[int, bool, bool]:
        opening = _OPENING.index(key) if key in _OPENING else len(_OPENING)
        return opening, is_wiring(config[key]), key not in task

    return {key: config[key] for key in sorted(config, key=find_place)}


def _write_short_lists_inline(text: str) -> str:
    """Lists of plain values on one line, as a person would write them."""
    plain = r'(?:"[^"\n]*"|-?[\d.e+-]+|true|false|null)'
    pattern = re.compile(rf"\[\n\s+({plain}(?:,\n\s+{plain})*)\n\s+\]")

    def inline(match: re.Match[str]) -> str:
        line = "[" + re.sub(r",\n\s+", ", ", match.group(1)) + "]"
        return line if len(line) <= 88 else match.group(0)

    return pattern.sub(inline, text)
