"""Task: the task file of the bundle that a model of nnU-Net becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medseg.bundles.nnunet.classes import Labels
from medseg.bundles.nnunet.configuration import Configuration

PREPARE = "medseg.transforms.nnunet.prepare.PrepareForNnunetd"
BUILD = "medseg.networks.nnunet.build.build_network"


def make_task(
    name: str,
    found: Configuration,
    options: Mapping[str, Any],
    labels: Labels,
    *,
    channels: Sequence[str],
    mirror_axes: Sequence[int],
) -> dict[str, Any]:
    """The content of the task file, on the layers of nnU-Net's models.

    Args:
        name: of the bundle.
        found: what the network sees.
        options: of the network, which may have another norm than the plans say.
        labels: what it finds.
        channels: names of the image's channels.
        mirror_axes: axes of the network along which it predicts mirrored too.
    """
    flat = found.spatial_dims == 2
    several = ["channels"] if len(channels) > 1 else []
    layers = ["3d", "volume", *several, *(["slices"] if flat else []), "nnunet"]
    task: dict[str, Any] = {
        "_layers_": {"inference": layers},
        "name": name,
        "dataset_dir": f"data/{name}",
        "classes": labels.classes,
        "modality": "CT" if found.schemes[0] == "ct" else "MR",
        "in_channels": len(channels),
        "image_size": list(found.patch_size),
        "roi_size": list(found.patch_size),
        "flips": [axis + flat for axis in mirror_axes],
        "network_def": {
            "_target_": BUILD,
            "architecture": found.architecture,
            "in_channels": "@in_channels",
            "out_channels": "$medseg.transforms.count_logit_channels(@classes)",
            "options": dict(options),
        },
        "prepare": {
            "_target_": PREPARE,
            "keys": "image",
            "spacing_mm": list(found.spacing_mm),
            "axes": list(found.axes),
            "schemes": list(found.schemes),
            "properties": [dict(one) for one in found.properties],
            "inside": list(found.inside),
            "orientation": found.orientation,
            "order": found.order,
            "slices": found.slices,
            "slices_of_logits": found.slices_of_logits,
            "anisotropy": found.anisotropy,
        },
    }
    if several:
        task["image_channels"] = list(channels)
        task["channel_windows"] = [None] * len(channels)
    if flat:
        task["slice_axis"] = 0
    return task
