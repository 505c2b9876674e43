"""A small bundle in the form of the model zoo, in one file, whose network is a threshold."""

import copy
import json

import torch

NETWORK = {"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": 2, "kernel_size": 1}

CONFIG = {
    "imports": ["$import glob"],
    "bundle_root": ".",
    "image_key": "image",
    "output_dir": "$@bundle_root + '/eval'",
    "dataset_dir": "/nowhere",
    "datalist": "$sorted(glob.glob(@dataset_dir + '/*.nii.gz'))",
    "device": "cpu",
    "network_def": NETWORK,
    "network": "$@network_def.to(@device)",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "@image_key", "reader": "ITKReader"},
            {"_target_": "EnsureChannelFirstd", "keys": "@image_key"},
            {"_target_": "Orientationd", "keys": "@image_key", "axcodes": "LPS"},
            {"_target_": "Spacingd", "keys": "@image_key", "pixdim": [2.0, 2.0, 2.0]},
            {"_target_": "EnsureTyped", "keys": "@image_key", "dtype": "$torch.float32"},
        ],
    },
    "dataset": {
        "_target_": "Dataset",
        "data": "$[{'image': i} for i in @datalist]",
        "transform": "@preprocessing",
    },
    "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1},
    "inferer": {
        "_target_": "SlidingWindowInferer",
        "roi_size": [16, 16, 16],
        "sw_batch_size": 2,
        "overlap": 0.5,
    },
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "Activationsd", "keys": "pred", "softmax": True},
            {
                "_target_": "Invertd",
                "keys": "pred",
                "transform": "@preprocessing",
                "orig_keys": "@image_key",
                "nearest_interp": False,
            },
            {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
            {
                "_target_": "SaveImaged",
                "keys": "pred",
                "output_dir": "@output_dir",
                "separate_folder": False,
                "print_log": False,
            },
        ],
    },
    "handlers": [
        {
            "_target_": "CheckpointLoader",
            "load_path": "$@bundle_root + '/models/model.pt'",
            "load_dict": {"model": "@network"},
        },
        {"_target_": "StatsHandler", "iteration_log": False},
    ],
    "evaluator": {
        "_target_": "SupervisedEvaluator",
        "device": "@device",
        "val_data_loader": "@dataloader",
        "network": "@network",
        "inferer": "@inferer",
        "postprocessing": "@postprocessing",
        "val_handlers": "@handlers",
    },
    "run": ["$@evaluator.run()"],
}


def write_bundle(root, config=CONFIG, *, modality="MR", channels=("image",), names=None, at=500.0):
    """Write a bundle whose network finds, in its last channel, what is above `at`."""
    names = names or ["background", "bright"]
    (root / "configs").mkdir(parents=True)
    (root / "models").mkdir()
    (root / "configs" / "inference.json").write_text(json.dumps(config))
    formats = {
        "inputs": {"image": {"modality": modality, **describe(channels)}},
        "outputs": {"pred": describe(names)},
    }
    metadata = {"version": "0.3.1", "network_data_format": formats}
    (root / "configs" / "metadata.json").write_text(json.dumps(metadata))
    weight = torch.zeros(len(names), len(channels), 1, 1, 1)
    weight[-1, 0] = 1.0
    bias = torch.zeros(len(names))
    bias[-1] = -at
    if names[0] != "background" or len(names) > 2:
        bias[:-1] = -1000.0
    torch.save({"weight": weight, "bias": bias}, root / "models" / "model.pt")
    return root


def describe(names):
    """The metadata of a tensor with these channels."""
    return {"num_channels": len(names), "channel_def": {str(i): n for i, n in enumerate(names)}}


def change(config=CONFIG, **keys):
    """A copy of the config with other values of keys."""
    return copy.deepcopy(config) | keys
