"""Task: the task file of a plan, from which a bundle is built, and the choices it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

OF_ALL: Mapping[str, Any] = {
    "num_workers": 1,
    "surface_tolerance": 1.0,
    "case_group": None,
}
"""Keys that the plan does not choose, with the values of the bundles that come with medseg."""


Preset = Literal["small", "medium", "large"]
"""Size of network and training, see `medseg.planning.plan.SIZES`."""

PRESETS: tuple[Preset, ...] = get_args(Preset)


@dataclass(frozen=True)
class Choice:
    """A key of the task file, its value, and the rule that led to it."""

    key: str
    value: Any
    why: str


@dataclass(frozen=True)
class LayerChoice(Choice):
    """A key that the task file leaves to the layers, and what to write to change it.

    Attributes:
        change: in words; what stands between ` marks is written as it is.
    """

    change: str = ""


def make_task(
    name: str,
    choices: Sequence[Choice],
    *,
    classes: Mapping[str, Sequence[int]],
    values: Sequence[int],
    dataset_dir: str,
) -> dict[str, Any]:
    """The content of a task file.

    Args:
        name: of the bundle.
        choices: see `make_plan`.
        classes: class name -> label values that it gathers.
        values: every value that a label map may have.
        dataset_dir: folder of the datalist.
    """
    chosen = {choice.key: choice.value for choice in choices}
    layers = chosen.pop("_layers_")
    is_volume = "volume" in layers
    reading = {"read_values": "$medseg.datasets.prepared.read_declared_values"}
    return {
        "_layers_": layers,
        "name": name,
        "dataset_dir": dataset_dir,
        "read_cases": "$medseg.datasets.prepared.list_cases",
        **(reading if is_volume else {}),
        "label_values": list(values),
        "classes": {label: list(each) for label, each in classes.items()},
        **OF_ALL,
        "surface_unit": "mm" if is_volume else "pixel",
        **chosen,
    }
