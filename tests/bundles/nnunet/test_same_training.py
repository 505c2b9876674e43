"""Same training: folds, plans and labels of different trainings are told apart."""

from pathlib import Path

import pytest
from bundles.nnunet.models import make_configuration, make_plans

from medseg.bundles.nnunet.checkpoint import Checkpoint
from medseg.bundles.nnunet.classes import read_labels
from medseg.bundles.nnunet.configuration import read_configuration
from medseg.bundles.nnunet.same_training import check_folds, check_training

DATASET = {"labels": {"background": 0, "liver": 1}, "channel_names": {"0": "CT"}}
OTHER_ORDER = {"order": 1, "force_separate_z": None}


def make(configuration="3d_fullres", mirror_axes=(0,), plans=None, dataset=None):
    return Checkpoint(
        {}, "nnUNetTrainer", configuration, mirror_axes, None, plans or {}, dataset or {}
    )


def check(checkpoint):
    found = read_configuration(make_plans(), "3d_fullres")
    labels = read_labels(DATASET)
    check_training(found, labels, checkpoint, dataset=DATASET, file=Path("x.pth"))


def test_folds_of_one_training_pass():
    check_folds({"0": make(), "1": make()})


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (make("2d"), r"configuration \(3d_fullres in fold 0, 2d in fold 1\)"),
        (make(mirror_axes=()), "mirror_axes"),
    ],
)
def test_folds_of_different_trainings_are_refused(other, message):
    with pytest.raises(ValueError, match=f"differ in their {message}.*by --folds"):
        check_folds({"0": make(), "1": other})


def test_a_checkpoint_that_says_nothing_or_the_same_passes():
    check(make())
    check(make(plans=make_plans(), dataset=DATASET))


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"plans": make_plans(configuration=make_configuration(spacing=[2.0] * 3))}, "spacing_mm"),
        ({"plans": make_plans(transpose_forward=[2, 0, 1])}, "axes"),
        ({"dataset": {"labels": {"background": 0, "kidney": 1}}}, "the labels kidney"),
        ({"dataset": {**DATASET, "channel_names": {"0": "PET"}}}, "channel_names"),
        ({"dataset": {**DATASET, "regions_class_order": [2]}}, "regions_class_order"),
        ({"plans": make_plans(configuration=make_configuration(patch_size=[4] * 3))}, "patch_size"),
        (
            {
                "plans": make_plans(
                    configuration=make_configuration(resampling_fn_data_kwargs=OTHER_ORDER)
                )
            },
            "order 1",
        ),
        ({"mirror_axes": (0, 7)}, "mirroring along"),
    ],
)
def test_a_checkpoint_that_says_something_else_is_refused(told, message):
    with pytest.raises(ValueError, match=f"x.pth was trained with other settings.*{message}"):
        check(make(**told))
