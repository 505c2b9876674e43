"""Bundle: the files of a bundle, where they lie, and reading them as JSON."""

import json
import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medseg.bundles.layers.merge import CONFIG_NAMES, OVERLAY

LARGE_FILE_MB = 25
METADATA, TRAIN, INFERENCE = (f"configs/{name}.json" for name in ("metadata", "train", "inference"))
CONFIGS = tuple(f"configs/{workflow}.json" for workflow in CONFIG_NAMES)
WEIGHTS = "models/model.pt"
RUN_FILE = "run.json"
"""The file that marks a folder as a training run: what was trained, with what, and how well."""

PUBLISHED = "models/model.run.json"
"""Beside the weights of a bundle: the run.json of the run that trained them."""

_RESUME_FILE = "resume.pt"  # as in medseg.engines.run_folder, which takes long to import

_OWN_WEIGHTS = "$@bundle_root + '/models/model.pt'"
"""The value of the key `weights` in a config that uses the weights of its bundle."""

TASK_FILE = "task.json"
"""The file in a bundle from which `medseg bundles build` makes its configs again."""

OPTIONAL = ("LICENSE", "docs/README.md", "docs/data_license.txt", "configs/logging.conf")
"""Files of a complete bundle without which it still runs."""

REQUIRED = (METADATA, *CONFIGS, *OPTIONAL)


@dataclass(frozen=True)
class Bundle:
    """A bundle by its name and the folder of all bundles; it need not be complete."""

    name: str
    bundles_dir: Path

    @property
    def root(self) -> Path:
        """The folder of the bundle."""
        return self.bundles_dir / self.name

    @property
    def task(self) -> Path:
        """The task file of a bundle that is built from layers."""
        return self.bundles_dir / "layers" / "tasks" / f"{self.name}.json"

    def read_json(self, file: str) -> dict[str, Any]:
        """One of its files, such as `METADATA`; see `read_json_object`."""
        return read_json_object(self.root / file)

    def is_readable(self, file: str) -> bool:
        """Whether the file is there and is a JSON object."""
        try:
            self.read_json(file)
        except (OSError, ValueError):
            return False
        return True


def read_json_object(file: Path) -> dict[str, Any]:
    """The content of a JSON file of a bundle.

    Raises:
        OSError: the file is not there or cannot be read.
        ValueError: it is damaged, or holds something else than an object with keys.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(explain_damage(file, error, remedy="restore it")) from error
    if not isinstance(found, dict):
        raise ValueError(f"{file} holds no keys: restore it")
    return found


def explain_damage(file: Path, error: Exception, *, remedy: str) -> str:
    """Explain why a file of a bundle is not JSON; it may hold a line of text instead of a link.

    Example:
        >>> explain_damage(Path("absent.json"), ValueError("line 1"), remedy="restore it")
        'absent.json is not JSON (line 1): restore it'
    """
    text = file.read_text(encoding="utf-8", errors="replace").strip() if file.is_file() else ""
    if text.endswith((".json", ".conf")) and len(text.splitlines()) == 1:
        return (
            f"{file} holds nothing but {text!r}, as Git and some archives write "
            "a link where links are not allowed: put the file of that name in its place"
        )
    return f"{file} is not JSON ({error}): {remedy}"


def format_day(run: Mapping[str, Any]) -> str:
    """The day on which a training began, from its run.json, such as "2026-01-02"."""
    return str(run.get("started") or "an unknown day").partition("T")[0]


def find_bundle(name: str, bundles_dir: Path) -> Bundle:
    """The bundle of a name in `bundles_dir`, or of a path.

    Raises:
        FileNotFoundError: there is neither such a task nor such a bundle.
    """
    path = Path(name)
    is_here = (path / "configs").is_dir() and not (bundles_dir / name).exists()
    if path.name != name or is_here:  # "bundles/liver", "liver/" or "."
        path = path.resolve()
        bundles_dir = path.parent
    bundle = Bundle(path.name, bundles_dir)
    if not bundle.task.is_file() and not (bundle.root / "configs").is_dir():
        tasks = sorted(task.stem for task in bundle.task.parent.glob("*.json"))
        known = f"name one of {', '.join(tasks)}" if tasks else "name a bundle or its folder"
        raise FileNotFoundError(f"no bundle {bundle.name!r} in {bundles_dir}: {known}")
    return bundle


def find_config(bundle: Path, workflow: str) -> Path:
    """The config of a workflow; a file at the root is used only if `configs` has none.

    At the root, a checkout or an archive without links has a line of text instead, or nothing.

    Raises:
        FileNotFoundError: the bundle has no such config.
    """
    for file in (bundle / "configs" / f"{workflow}.json", bundle / f"{workflow}.json"):
        if file.is_file():
            return file
    place = os.path.realpath(bundle)
    if _only_segments(bundle):
        raise FileNotFoundError(
            f"the bundle {place} only segments, as a model imported from nnU-Net does, and has no "
            f"configs/{workflow}.json: {_INSTEAD.get(workflow, 'pass another one with -b')}"
        )
    if any((bundle / config).is_file() for config in CONFIGS):
        raise FileNotFoundError(
            f"the bundle {place} has no configs/{workflow}.json: restore the file, or pass another "
            "bundle with -b"
        )
    raise FileNotFoundError(
        f"{place} is not a bundle, it has no {workflow}.json: pass the name or the folder of a "
        "bundle with -b; `medseg bundles list` shows them"
    )


_INSTEAD = {
    "train": "train it by nnU-Net, or a bundle of your own data by `medseg new`",
    "evaluate": "segment labelled images by `medseg segment`, and compare the masks with their "
    "labels by nnU-Net's nnUNetv2_evaluate_folder",
}
"""What to do where a bundle only segments, by workflow."""


def _only_segments(bundle: Path) -> bool:
    """Whether the task file of a bundle has the layers of its inference alone."""
    task = bundle / TASK_FILE
    layers = read_json_object(task).get("_layers_") if task.is_file() else None
    return isinstance(layers, dict) and layers.keys() == {"inference"}


def find_configs(bundle: Path, workflow: str) -> list[Path]:
    """The configs of a workflow in the order in which MONAI merges them.

    Args:
        bundle: folder of the bundle.
        workflow: "train", "evaluate", "inference", or "multi_gpu_train", which is the training with
            its overlay.

    Raises:
        FileNotFoundError: the bundle has no such config.
    """
    names = ("train", workflow) if workflow == OVERLAY else (workflow,)
    return [find_config(bundle, name) for name in names]


def check_metadata(root: Path) -> None:
    """Refuse a damaged metadata.json, which MONAI reads with each config; it may be missing.

    Raises:
        ValueError: it is not JSON, or holds no keys.
    """
    if (root / METADATA).is_file():
        read_json_object(root / METADATA)


def check_complete(root: str | os.PathLike) -> None:
    """Refuse to train a bundle without the configs that its runs need to be bundles themselves.

    Args:
        root: folder of the bundle.

    Raises:
        FileNotFoundError: it lacks one or several, which are all named.
    """
    missing = [file for file in (METADATA, *CONFIGS) if not (Path(root) / file).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{os.path.realpath(root)} is not a complete bundle, it has no {', '.join(missing)}: "
            "restore them, or pass the folder of a whole bundle with -b or --bundle_root"
        )


def name_version(name: str, root: str | os.PathLike) -> str:
    """The name of a bundle with its version, and with the training that made its weights.

    Args:
        name: of the bundle.
        root: its folder, which may be that of a training run.

    Returns:
        For instance "liver 0.1.0"; the name alone where there are no metadata. Of a run also the
        name of its folder, and of published weights when their training began.

    Example:
        >>> name_version("liver", "bundles/liver")  # doctest: +SKIP
        'liver 0.1.0'
    """
    root = Path(root)
    metadata = Bundle(root.name, root.parent)
    stated = metadata.read_json(METADATA) if metadata.is_readable(METADATA) else {}
    versioned = f"{name} {stated.get('version', '')}".rstrip()
    if (root / RUN_FILE).is_file():
        return f"{versioned}, run {root.resolve().name}"
    if metadata.is_readable(PUBLISHED):
        return f"{versioned}, trained on {format_day(metadata.read_json(PUBLISHED))}"
    return versioned


def refuse_existing(out: Path, *, option: str = "") -> None:
    """Refuse to write a bundle to a folder if something is there.

    Args:
        out: the folder.
        option: of the command line, to name another folder.

    Raises:
        FileExistsError: `out` exists.
    """
    if os.path.lexists(out):
        raise FileExistsError(
            f"{out.absolute()} exists: remove it, or name another folder for the bundle"
            f"{f' with {option}' if option else ''}"
        )


def move_into_place(made: Path, out: Path) -> None:
    """Move a finished folder to its place, unless another process was quicker.

    Raises:
        FileExistsError: another process has made `out`.
        OSError: it cannot be written.
    """
    try:
        made.rename(out)
    except OSError:
        refuse_existing(out)
        raise


def name_values(classes: Iterable[str]) -> dict[str, str]:
    """The values of a label map with their names, as `channel_def` of the metadata has them.

    A network with one class or with regions has no channel for the background, but its label map
    has: 0. Viewers take the values of a label map from `channel_def`.

    Example:
        >>> name_values(["liver", "tumour"])
        {'0': 'background', '1': 'liver', '2': 'tumour'}
    """
    return {str(value): name for value, name in enumerate(["background", *classes])}


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a training run."""
    return (folder / RUN_FILE).is_file()


def check_weights_exist(bundle: Path, workflow: str, overrides: Mapping[str, Any]) -> None:
    """Refuse to use a bundle that has no weights, and name those that have some.

    Raises:
        FileNotFoundError: the weights are those of the bundle, and it has none.
    """
    default = json.loads(find_config(bundle, workflow).read_text()).get("weights")
    root = Path(overrides.get("bundle_root", bundle))
    if "weights" in overrides or default != _OWN_WEIGHTS or (root / WEIGHTS).exists():
        return
    if is_run(root):
        if _had_weights(root):
            raise FileNotFoundError(
                f"the run {root} had weights, and {root / WEIGHTS} is gone: restore it from a "
                "copy, pass --weights with a file, or train again"
            )
        raise FileNotFoundError(f"the run {root} has no weights yet: {advise_on_run(root)}")
    if runs := sorted(Path("runs", root.name).glob(f"*/{WEIGHTS}")):
        run = runs[-1].parents[1]
        command = shlex.join(("medseg", "bundles", "publish", str(run), str(root)))
        raise FileNotFoundError(
            f"the bundle {root} has no weights, but its run {run} has: name that with -b, or give "
            f"the bundle its weights with {command}"
        )
    others = sorted(path.parent.parent.name for path in root.parent.glob(f"*/{WEIGHTS}"))
    ready = f"{', '.join(others)} can be used at once, with -b; " if others else ""
    have = "one of these" if others else "one that has weights"
    raise FileNotFoundError(
        f"{ready}the bundle {root} has no weights: name {have} or a training run with -b, pass "
        f"--weights with a file, or train it first: medseg train -b {shlex.quote(str(root))}"
    )


def advise_on_run(run: Path) -> str:
    """How a run that has no weights yet gets some: it goes on, or begins again in its folder.

    Example:
        >>> advise_on_run(Path("runs/liver/1"))
        'none of its epochs is complete; begin it again, with medseg train -b runs/liver/1 \
--output_dir runs/liver/1'
    """
    named = shlex.quote(str(run))
    if (run / _RESUME_FILE).is_file():
        return f"resume it until its first validation, with medseg train -b {named} --resume True"
    return (
        "none of its epochs is complete; begin it again, with "
        f"medseg train -b {named} --output_dir {named}"
    )


def _had_weights(run: Path) -> bool:
    try:
        return bool(json.loads((run / RUN_FILE).read_text()).get("best_epoch"))
    except (OSError, ValueError, AttributeError):
        return False


def cut_to_first_line(text: str) -> str:
    """The beginning of a message of another package, at most 200 letters."""
    line = text.strip().partition("\n")[0].rstrip(":.")
    return line if len(line) <= 200 else f"{line[:200]}..."
