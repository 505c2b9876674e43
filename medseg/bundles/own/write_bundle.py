"""Write bundle: a complete bundle for a task of one's own, without weights."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from medseg.base.files import check_folder, whole
from medseg.base.scratch import make_scratch_folder
from medseg.base.text import shorten_list
from medseg.bundles import build
from medseg.bundles.bundle import (
    METADATA,
    TASK_FILE,
    move_into_place,
    name_values,
    refuse_existing,
)
from medseg.bundles.catalogue.locate import find_shipped_folder, name_folder

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

_SCHEMA = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
    "meta_schema_20240725.json"
)
PACKAGES = ("medseg", "pytorch-ignite", "nibabel", "pydicom", "SimpleITK", "tensorboard")
_LICENCE = """No licence has been chosen for this bundle yet: put its text here before you pass the
bundle on. Weights are bound by the terms of the data that they were trained on, see
docs/data_license.txt.
"""
_DATA_LICENCE = """Write here under which terms the data may be used that this bundle is trained on.
"""
_CARD = """# {name}

A bundle made by `medseg new` for data of one's own. Research only; not a medical device.

```bash
medseg train -b {place}
medseg segment IMAGE -b {place} -o masks
```

`task.json` has the choices of this task, plan.html says why. Change them there and run
`medseg bundles build {place}`; the files in `configs/` are built from it.
"""


def check_name(name: str) -> None:
    """Refuse a name that no bundle can have.

    Raises:
        ValueError: it has other characters than letters, digits and _.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be the name of a bundle: begin with a letter, and use letters, "
            "digits and _"
        )


def check_new(parent: Path, name: str) -> None:
    """Refuse a name that cannot be that of a new bundle in a folder.

    Raises:
        FileExistsError: the bundle exists, or something else of its name.
        OSError: the folder cannot be made, or not be written to.
        ValueError: it is no name of a bundle.
    """
    check_name(name)
    if (parent / name / TASK_FILE).is_file():
        raise FileExistsError(
            f"{(parent / name).absolute()} exists: pass --replan to plan it for these data and "
            "keep what you changed in it, or choose another name"
        )
    refuse_existing(parent / name)
    check_folder(parent)


def write_bundle(
    folder: Path,
    task: Mapping[str, Any],
    *,
    about: Mapping[str, Any] | None = None,
    texts: Mapping[str, str] | None = None,
    finish: Callable[[Path], None] | None = None,
) -> Path:
    """Write a bundle for a task; it appears whole, or not at all.

    Args:
        folder: of the new bundle; its name is the task's.
        task: the content of the task file.
        about: of the metadata, what is other than for a bundle of `medseg new`.
        texts: file of the bundle -> its text, likewise.
        finish: adds what else the bundle has, such as weights, to the folder before it appears.

    Raises:
        FileExistsError: `folder` exists.
        FileNotFoundError: medseg was installed without layers.
        ValueError: the name is no name of a bundle, or the task names a layer that is not there.
    """
    check_new(folder.parent, folder.name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with make_scratch_folder(folder.parent) as scratch:
        made = scratch / folder.name
        (made / "configs").mkdir(parents=True)
        (made / "docs").mkdir()
        (made / TASK_FILE).write_text(build.format_config(task))
        build.write_stale(render_own(made))
        described = {**_describe(made, task), **(about or {})}
        (made / METADATA).write_text(build.format_config(described))
        card = _CARD.format(name=folder.name, place=name_folder(folder))
        own = {"LICENSE": _LICENCE, "docs/data_license.txt": _DATA_LICENCE, "docs/README.md": card}
        for file, text in {**own, **(texts or {})}.items():
            (made / file).write_text(text, encoding="utf-8")
        if finish is not None:
            finish(made)
        build.write_flat_names(made)
        move_into_place(made, folder)
    return folder


def change_task(folder: Path, task: Mapping[str, Any]) -> None:
    """Write the task file of a bundle anew, and build its configs again."""
    with whole(folder / TASK_FILE) as partial:
        partial.write_text(build.format_config(task))
    build_own(folder)


def build_own(folder: Path) -> list[Path]:
    """Build the configs of a bundle again from its own task file.

    Returns:
        The files that changed.

    Raises:
        ValueError: see `medseg.bundles.build.render_task`.
    """
    return [*build.write_stale(render_own(folder)), *build.write_flat_names(folder)]


def describe_missing(name: str, bundles_dir: Path) -> str:
    """That a folder has no bundle of a name to build, and which it has; in one line."""
    there = sorted(file.parent.name for file in bundles_dir.glob(f"*/{TASK_FILE}"))
    said = f"it has {shorten_list(there)}" if there else "it has none with a task.json"
    return (
        f"no bundle {name} to build in {bundles_dir.absolute()} ({said}): correct the name, or run "
        "this where its bundles/ is"
    )


def render_own(folder: Path) -> dict[Path, str]:
    """Every built file of a bundle with the text that its own task file gives.

    Raises:
        FileNotFoundError: medseg was installed without layers.
        ValueError: see `medseg.bundles.build.render_task`.
    """
    configs = folder / "configs"
    return build.render_task(folder / TASK_FILE, layers=_find_layers(), configs=configs)


def describe_unbuilt(folder: Path, configs: Sequence[Path]) -> str:
    """Which configs of a bundle are not what its own task file gives; empty if none is.

    It is also empty for a bundle without a task file. Configs that are not built from it count
    for nothing.

    Args:
        folder: of the bundle.
        configs: some of its configs.
    """
    task = folder / TASK_FILE
    if not task.is_file():
        return ""
    remedy = f"run medseg bundles build {folder}"
    try:
        built = render_own(folder)
    except (ValueError, OSError) as error:
        return f"what was built before is used, for {error}; when that is mended, {remedy}"
    told = {one.name: built.get(folder / "configs" / one.name) for one in configs}
    texts = {one.name: one.read_text() for one in configs}
    stale = [name for name, text in told.items() if text not in (None, texts[name])]
    if not stale:
        return ""
    return f"{task} says something else than {', '.join(stale)}, which is used as it is: {remedy}"


def _find_layers() -> Path:
    shipped = find_shipped_folder()
    if shipped is None or not (shipped / "layers").is_dir():
        raise FileNotFoundError("medseg was installed without bundles/layers: install it again")
    return shipped / "layers"


def _name_channels(config: Mapping[str, Any]) -> dict[str, str]:
    """The place of each channel of the input -> its name."""
    names = config.get("image_channels") or ["image"]
    return {str(place): name for place, name in enumerate(names)}


def _name_labels(task: Mapping[str, Any]) -> str:
    """Each value that a label map may have, with the innermost class that has it."""
    named = []
    values = {0, *(value for each in task["classes"].values() for value in each)}
    for value in task.get("label_values", sorted(values)):
        having = [name for name, each in task["classes"].items() if value in each]
        none = "in no class" if value else "background"
        name = min(having, key=lambda one: len(task["classes"][one]), default=none)
        named.append(f"{value} {name}")
    return ", ".join(named)


def _describe(folder: Path, task: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a bundle that has no weights yet."""
    from medseg.transforms import count_logit_channels  # with MONAI, which takes seconds

    config = json.loads((folder / "configs" / "inference.json").read_text())
    name, classes = str(task["name"]), list(task["classes"])
    layers = task["_layers_"]
    is_volume = "volume" in (layers["inference"] if isinstance(layers, Mapping) else layers)
    predicted = ", ".join(f"{value} {label}" for value, label in name_values(classes).items())
    tensor = {"type": "image", "dtype": "float32", "spatial_shape": config["image_size"]}
    image = {
        **{**tensor, "format": "magnitude", "modality": config["modality"]},
        **{"num_channels": config.get("in_channels", 1), "value_range": [0, 1]},
        **{"is_patch_data": True, "channel_def": _name_channels(config)},
    }
    outputs = {
        **{
            **tensor,
            "format": "segmentation",
            "num_channels": count_logit_channels(task["classes"]),
        },
        **{"value_range": [], "is_patch_data": True, "channel_def": name_values(classes)},
    }
    return {
        "schema": _SCHEMA,
        "version": "0.1.0",
        "changelog": {"0.1.0": "made by medseg new, not trained yet"},
        "monai_version": version("monai"),
        "pytorch_version": version("torch").partition("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {package: version(package) for package in PACKAGES},
        "supported_apps": {},
        "name": f"Segmentation of {name}",
        "task": f"Segmentation of {', '.join(classes)}",
        "description": f"A network of the UNet++ family for {name}, planned by medseg new.",
        "authors": "unknown",
        "copyright": "unknown",
        "data_source": "unknown",
        "data_type": "nifti, to segment also DICOM series" if is_volume else "png",
        "image_classes": ", ".join(_name_channels(config).values()) + f" ({config['modality']})",
        "label_classes": _name_labels(task),
        "pred_classes": predicted,
        "intended_use": "Research only. Not a medical device, and not for diagnosis.",
        "references": [],
        "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": outputs}},
    }
