"""Complete: give the inference of a bundle of another origin what one of ours has around it.

Its own image transforms, network, inferer and post-processing stay as they are. Around them come
the reader with its verdict on DICOM series, the check of the image, the loop over the cases, the
check of the result's grid, and all outputs.
"""

import copy
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from medseg.bundles.bundle import INFERENCE
from medseg.bundles.catalogue.locate import find_shipped_folder
from medseg.bundles.zoo.components import (
    find_components,
    insert_check,
    keep_labels_whole,
    list_image_loaders,
    take_weight_loaders,
)
from medseg.bundles.zoo.metadata import describe_images, name_channels, read_metadata

NEEDED = (
    *("dataset", "preprocessing", "network", "inferer", "postprocessing", "evaluator"),
    "output_dir",
)
"""Keys of MONAI's specification for an inference that are completed or used."""

_OURS = "hippocampus"
"""A shipped bundle for volumes, whose outputs a completed bundle has, too."""

_TAKEN = (
    *("existing", "force", "fit", "volume", "affine", "units", "series_uid"),
    *("choose_series", "resample", "reader", "made_by", "write_volume", "write_case"),
    *("write_more", "measure", "write_measurements", "radiomics", "write_radiomics", "seg"),
    *("rtstruct", "sr", "write_dicom", "report", "show_patient", "write_report", "record"),
    *("label_files", "memory_limit", "check_image"),
)
"""Keys of it that are taken over as they are."""

_IMPORTS = (
    *("$import medseg", "$import medseg.bundles", "$import medseg.bundles.zoo.weights"),
    *("$import medseg.inference", "$import medseg.report"),
)

_DEVICE = "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')"

_QUIET = ("SaveImaged", "StatsHandler")
"""Its own components that are left out: what they write or log, medseg does."""


def is_of_other_origin(config: Mapping[str, Any]) -> bool:
    """Whether the config of an inference can be completed; one of ours has an `input` and is whole.

    Example:
        >>> is_of_other_origin({"input": "images"})
        False
    """
    return "input" not in config and not _list_missing(config)


def check_takes_images(config: Mapping[str, Any], bundle: Path) -> None:
    """Refuse an inference that can be given no images.

    Raises:
        ValueError: it has no `input`, and lacks something of MONAI's specification.
    """
    if "input" not in config:
        raise ValueError(
            f"{bundle} has neither a key input nor {', '.join(_list_missing(config))}, which "
            "`medseg segment` needs: run it as its own docs say, with python -m monai.bundle run"
        )


def _list_missing(config: Mapping[str, Any]) -> list[str]:
    missing = [key for key in NEEDED if key not in config]
    return missing or ([] if any(list_image_loaders(config)) else ["LoadImaged of the key image"])


def complete(config: Mapping[str, Any], bundle: Path) -> dict[str, Any]:
    """The config of an inference with all that one of ours has around it.

    Args:
        config: of a bundle for which `is_of_other_origin` holds.
        bundle: its folder, whose metadata name the channels of image and result.
    """
    made = copy.deepcopy(dict(config))
    metadata = read_metadata(bundle)
    images = describe_images(metadata)
    for component in list_image_loaders(made):
        component["reader"] = "@load_image#reader"
    for component in find_components(made, *_QUIET):
        component["_disabled_"] = True
    keep_labels_whole(made["postprocessing"])
    if "_disabled_" in made["postprocessing"]:
        made["postprocessing"] = {"_target_": "Compose", "transforms": []}
    loaders = take_weight_loaders(made)
    made |= _take_ours() | _make_wiring(made, loaders, bundle)
    made["channel_names"] = name_channels(metadata, made)
    made |= images
    _write_previews(made)
    if made["modality"] is None:
        made["check_image"] = None
    else:
        insert_check(made["preprocessing"], "@check_image")
    if len(images["image_channels"]) > 1:
        _read_channels(made)
    return made


@cache
def _read_ours() -> dict[str, Any]:
    folder = find_shipped_folder()
    if folder is None:
        raise FileNotFoundError("medseg has lost its own bundles: install it again")
    return json.loads((folder / _OURS / INFERENCE).read_text(encoding="utf-8"))


def _take_ours() -> dict[str, Any]:
    """The keys that are taken from a bundle of ours, without what the others do not have."""
    taken = {key: copy.deepcopy(_read_ours()[key]) for key in _TAKEN}
    for key, absent in (
        ("write_dicom", ("probability_maps", "probabilities")),
        ("record", ("companion",)),
    ):
        for argument in absent:
            del taken[key][argument]
    taken["record"]["choices"] = {"classes": "@classes"}
    taken["check_image"]["choices"] = None
    return taken


def _make_wiring(
    made: Mapping[str, Any], loaders: Mapping[str, Any], bundle: Path
) -> dict[str, Any]:
    """The keys that differ from those of ours, and those that refer to its own."""
    imports = made.get("imports", [])
    initialize = made.get("initialize", [])
    return {
        **loaders,
        "name": bundle.absolute().name,
        "imports": [*imports, *_IMPORTS],
        "initialize": ["$medseg.bundles.zoo.weights.check_weights(@weights, @bundle_root)",
                       *initialize],
        "device": made.get("device", _DEVICE),
        "input": "imagesTs",
        "body_part": [],
        "load_image": {"reader": "@reader"},
        "cases": "$medseg.inference.find_cases(@input, output_dir=@output_dir, "
                 "existing=@existing, reader=@reader, check=@check_image)",
        "dataset": {"_target_": "Dataset", "data": "@cases", "transform": "@preprocessing"},
        "own_channels": "$medseg.inference.OwnChannels(@channel_names, @postprocessing)",
        "classes": "$@own_channels.classes",
        "label_map": {"_target_": "medseg.inference.MakeLabelMapd", "keys": "pred",
                      "channels": "@own_channels", "classes": "@classes"},
        "window_inferer": {"_target_": "medseg.inference.PlannedInferer", "inferer": "@inferer",
                           "memory_limit": "@memory_limit"},
        "handlers": [*_list_handlers(made),
                     {"_target_": "medseg.inference.WriteOutputs", "write": "@label_files"},
                     {"_target_": "medseg.inference.WriteOutputs", "write": "@write_case"}],
        "evaluator": made["evaluator"] | {
            "inferer": "@window_inferer",
            "val_handlers": "@handlers",
            "postprocessing": {"_target_": "Compose",
                               "transforms": ["@postprocessing", "@label_map"]},
        },
        "inference": ["$medseg.inference.check_existing(@existing)",
                      "$@label_files.check()",
                      "$medseg.inference.draw_missing_previews(@write_case, @preprocessing, "
                      "@input, existing=@existing, find=@find_cases)",
                      "$[load(@evaluator) for load in @weight_loaders]",
                      "$medseg.report.run_recorded(@evaluator, @dataset, record=@record, "
                      "claim=@write_case.first.files.claim)"],
        "find_cases": "$medseg.inference.find_cases",
        "planning": ["$medseg.inference.plan_cases(@window_inferer, @evaluator.network, @dataset)"],
        "run": "%inference",
    }  # fmt: skip


def _list_handlers(made: Mapping[str, Any]) -> list[Any]:
    """Its own handlers, where they are listed."""
    handlers = made.get("handlers", [])
    return handlers if isinstance(handlers, list) else []


def _write_previews(made: dict[str, Any]) -> None:
    """Choose what previews show: soft tissue of CT, most values of anything else."""
    is_ct = made["modality"] == "CT"
    made["preview_window"] = [-160, 240] if is_ct else None
    made["preview_percentiles"] = None if is_ct else [1, 99]


def _read_channels(made: dict[str, Any]) -> None:
    """Find and read a file or series for each channel of the image."""
    made["reader"]["all_volumes"] = True
    made["channel_series"] = {}
    made["find_cases"] = {
        "_target_": "medseg.inference.find_channel_cases",
        "_mode_": "callable",
        "channels": "@image_channels",
        "reader": "@reader",
        "series": "@channel_series",
    }
    made["cases"] = "$@find_cases(@input, output_dir=@output_dir, existing=@existing)"
