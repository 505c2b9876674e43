"""Train nnU-Net: small models of nnU-Net on made-up scans, by its own trainer.

python tests/consumers/train_nnunet.py FOLDER, with nnUNet_raw, nnUNet_preprocessed and
nnUNet_results set to folders below it. Each model takes half a minute of a core.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import SimpleITK

SETS = {
    "Dataset001_One": {"labels": {"background": 0, "organ": 1}, "channels": ["CT"]},
    "Dataset002_Thick": {
        "labels": {"background": 0, "organ": [1, 2], "lesion": 2},
        "regions_class_order": [1, 2],
        "channels": ["CT", "PET"],
    },
    "Dataset003_Two": {"labels": {"background": 0, "organ": 1, "lesion": 2}, "channels": ["MRI"]},
}
MODELS = (
    ("Dataset001_One", "3d_fullres", "nnUNetPlans", (0, 1)),
    ("Dataset002_Thick", "2d", "nnUNetPlans", (0,)),
    ("Dataset002_Thick", "3d_fullres", "nnUNetPlans", (0,)),
    ("Dataset003_Two", "3d_fullres", "nnUNetResEncUNetMPlans", (0,)),
    ("Dataset003_Two", "3d_lowres", "nnUNetResEncUNetMPlans", (0,)),
)
CASES, STEPS = 6, 60


def make_scan(rng, *, thick: bool, channels: int):
    """The channels of a scan and its labels, (K, J, I), and the spacing along I, J and K."""
    size = rng.integers((14, 60, 60), (20, 80, 80)) if thick else rng.integers(40, 56, 3)
    spacing = (0.9, 0.9, 5.0) if thick else tuple(rng.uniform(0.8, 1.6, 3))
    grid = np.stack(np.mgrid[tuple(slice(n) for n in size)])
    middle = size / 2 + rng.normal(0, 2, 3)
    reach = lambda share: sum(((grid[i] - middle[i]) / (size[i] * share)) ** 2 for i in range(3))  # noqa: E731
    label = (reach(0.3) < 1).astype(np.uint8) + (reach(0.15) < 1)
    images = [
        rng.normal(-80, 25, label.shape) + 100 * (label > 0) + (60 + 20 * place) * (label > 1)
        for place in range(channels)
    ]
    for image in images:
        image[:, :4] = 0  # nothing was scanned there
    return images, label, spacing


def write(array, spacing, file: Path) -> None:
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing([float(mm) for mm in spacing])
    image.SetOrigin((3.0, -7.0, 11.0))
    SimpleITK.WriteImage(image, str(file))


def write_set(name: str, folder: Path) -> None:
    """Write the raw data of a set."""
    known = SETS[name]
    rng = np.random.default_rng(0)
    for kind in ("imagesTr", "labelsTr"):
        (folder / kind).mkdir(parents=True)
    for case in range(CASES):
        images, label, spacing = make_scan(
            rng, thick=name == "Dataset002_Thick", channels=len(known["channels"])
        )
        for place, image in enumerate(images):
            file = folder / "imagesTr" / f"c{case}_{place:04d}.nii.gz"
            write(image.astype(np.float32), spacing, file)
        highest = 2 if "lesion" in known["labels"] else 1
        write(label.clip(0, highest), spacing, folder / "labelsTr" / f"c{case}.nii.gz")
    about = {
        "channel_names": {str(place): one for place, one in enumerate(known["channels"])},
        "labels": known["labels"],
        "numTraining": CASES,
        "file_ending": ".nii.gz",
    }
    if "regions_class_order" in known:
        about["regions_class_order"] = known["regions_class_order"]
    (folder / "dataset.json").write_text(json.dumps(about))


def plan(number: int, planner: str, name: str, configurations: list[str]) -> None:
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )

    extract_fingerprints([number], num_processes=1)
    plan_experiments([number], planner)
    if "3d_lowres" in configurations:
        add_low_resolution(number, name)
    preprocess([number], name, configurations=configurations, num_processes=[1])


def add_low_resolution(number: int, name: str) -> None:
    """Add a 3d_lowres, which nnU-Net plans by itself for much larger images alone."""
    (file,) = Path(os.environ["nnUNet_preprocessed"]).glob(f"Dataset{number:03}_*/{name}.json")
    plans = json.loads(file.read_text())
    full = plans["configurations"]["3d_fullres"]
    plans["configurations"]["3d_lowres"] = {
        **full,
        "data_identifier": f"{name}_3d_lowres",
        "spacing": [1.6 * mm for mm in full["spacing"]],
    }
    file.write_text(json.dumps(plans))


def train(name: str, configuration: str, plans_name: str, fold: int) -> None:
    """Some steps of a narrow network, which is enough for it to find the organ."""
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    folder = Path(os.environ["nnUNet_preprocessed"]) / name
    plans = json.loads((folder / f"{plans_name}.json").read_text())
    plans["continue_training"] = False
    chosen = plans["configurations"][configuration]
    chosen["batch_size"] = 2
    arguments = chosen["architecture"]["arch_kwargs"]
    arguments["features_per_stage"] = [n // 4 for n in arguments["features_per_stage"]]
    dataset = json.loads((folder / "dataset.json").read_text())
    trainer = nnUNetTrainer(plans, configuration, fold, dataset, device=torch.device("cpu"))
    trainer.num_epochs, trainer.num_iterations_per_epoch = 1, STEPS
    trainer.num_val_iterations_per_epoch = 2
    trainer.run_training()


def main() -> None:
    os.environ["nnUNet_n_proc_DA"], os.environ["nnUNet_compile"] = "1", "f"
    raw = Path(os.environ["nnUNet_raw"])
    for number, name in enumerate(SETS, start=1):
        write_set(name, raw / name)
        wanted = [one for one in MODELS if one[0] == name]
        planner = "nnUNetPlannerResEncM" if "ResEnc" in wanted[0][2] else "ExperimentPlanner"
        plan(number, planner, wanted[0][2], [one[1] for one in wanted])
    os.environ["nnUNet_n_proc_DA"] = "0"
    for name, configuration, plans_name, folds in MODELS:
        for fold in folds:
            train(name, configuration, plans_name, fold)


if __name__ == "__main__":
    assert len(sys.argv) == 1, __doc__
    main()
