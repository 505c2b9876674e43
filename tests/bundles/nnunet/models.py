"""Models: small models of nnU-Net v2 as its trainer leaves them, with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from medseg.networks.nnunet.build import build_network

CT = {"mean": 40.0, "std": 60.0, "percentile_00_5": -160.0, "percentile_99_5": 240.0}
UNETS = "dynamic_network_architectures.architectures.unet"
LABELS = {"background": 0, "liver": 1, "tumour": 2}


def make_configuration(dims=3, architecture="PlainConvUNet", channels=1, **changes):
    """One configuration of plans.json."""
    blocks = "n_conv_per_stage" if architecture == "PlainConvUNet" else "n_blocks_per_stage"
    arguments = {
        "n_stages": 2,
        "features_per_stage": [4, 8],
        "conv_op": f"torch.nn.modules.conv.Conv{dims}d",
        "kernel_sizes": [[3] * dims] * 2,
        "strides": [[1] * dims, [2] * dims],
        blocks: [1, 1],
        "n_conv_per_stage_decoder": [1],
        "conv_bias": True,
        "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dims}d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    return {
        "data_identifier": "x",
        "patch_size": [8] * dims,
        "spacing": [1.0] * dims,
        "normalization_schemes": ["CTNormalization"] + ["ZScoreNormalization"] * (channels - 1),
        "use_mask_for_norm": [False] * channels,
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, "force_separate_z": None},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": {"order": 1, "force_separate_z": None},
        "architecture": {
            "network_class_name": f"{UNETS}.{architecture}",
            "arch_kwargs": arguments,
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
    } | changes


def make_plans(name="3d_fullres", configuration=None, **changes):
    """The content of plans.json."""
    return {
        "dataset_name": "Dataset001_Test",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "configurations": {name: configuration or make_configuration()},
        "foreground_intensity_properties_per_channel": {"0": CT},
    } | changes


def make_network(configuration, channels, heads, seed=0):
    """The network that nnU-Net would build."""
    from medseg.bundles.nnunet.architecture import find_architecture

    torch.manual_seed(seed)
    name, options = find_architecture(configuration)
    return build_network(name, in_channels=channels, out_channels=heads, options=options)


def write_model(
    folder: Path,
    *,
    plans=None,
    name="3d_fullres",
    labels=LABELS,
    channels=("CT",),
    folds=("0",),
    heads=None,
    trainer="nnUNetTrainer",
    mirror=(0, 1, 2),
    told=None,
    **dataset,
):
    """Write a model folder, and return it."""
    plans = plans or make_plans(name)
    folder.mkdir(parents=True)
    dataset = {
        "channel_names": {str(place): channel for place, channel in enumerate(channels)},
        "labels": labels,
        "numTraining": 3,
        "file_ending": ".nii.gz",
    } | dataset
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    regions = any(isinstance(value, list) for value in labels.values())
    counted = [one for one in labels if one not in ("ignore", "background" if regions else "")]
    for seed, fold in enumerate(folds):
        network = make_network(
            plans["configurations"][name], len(channels), heads or len(counted), seed
        )
        (folder / f"fold_{fold}").mkdir()
        save_checkpoint(
            folder / f"fold_{fold}" / "checkpoint_final.pth",
            network_weights=network.state_dict(),
            trainer_name=trainer,
            init_args={"configuration": name, "device": torch.device("cpu"), **(told or {})},
            inference_allowed_mirroring_axes=mirror,
        )
    return folder


def save_checkpoint(file: Path, **content):
    """Save a checkpoint with what nnU-Net adds to it."""
    record = {"train_losses": [np.float64(0.1), np.float32(0.2)], "epoch_end": [1.0]}
    torch.save(
        {"logging": record, "_best_ema": np.float64(0.5), "current_epoch": 10, **content}, file
    )
