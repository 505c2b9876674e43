"""Task: the task file names the layers of nnU-Net's models, and how the network sees an image."""

from bundles.nnunet.models import make_configuration, make_plans

from medseg.bundles.nnunet.classes import read_labels
from medseg.bundles.nnunet.configuration import read_configuration
from medseg.bundles.nnunet.task import make_task

LABELS = read_labels({"labels": {"background": 0, "liver": 1, "tumour": 2}})


def make(dims=3, channels=("ct",), mirror_axes=(0, 1)):
    configuration = make_configuration(dims=dims, channels=len(channels))
    found = read_configuration(make_plans(configuration=configuration), "3d_fullres")
    return make_task("x", found, found.options, LABELS, channels=channels, mirror_axes=mirror_axes)


def test_a_network_in_3d_has_no_slices_and_one_channel_no_names():
    task = make()
    assert task["_layers_"] == {"inference": ["3d", "volume", "nnunet"]}
    assert task["flips"] == [0, 1]
    assert "slice_axis" not in task
    assert "image_channels" not in task


def test_a_network_in_2d_goes_along_axis_0_and_mirrors_the_others():
    task = make(dims=2)
    assert task["_layers_"]["inference"] == ["3d", "volume", "slices", "nnunet"]
    assert (task["slice_axis"], task["flips"]) == (0, [1, 2])


def test_several_channels_have_names():
    task = make(channels=("ct", "pet"))
    assert "channels" in task["_layers_"]["inference"]
    assert (task["in_channels"], task["image_channels"]) == (2, ["ct", "pet"])


def test_what_the_network_sees_is_in_the_task():
    changes = {
        "spacing": [2.5, 0.8, 0.7],
        "use_mask_for_norm": [True],
        "normalization_schemes": ["ZScoreNormalization"],
        "resampling_fn_data_kwargs": {"order": 1, "separate_z_anisotropy_threshold": 4},
        "resampling_fn_probabilities_kwargs": {
            "order": 1,
            "force_separate_z": True,
            "separate_z_anisotropy_threshold": 4,
        },
    }
    plans = make_plans(
        configuration=make_configuration(**changes),
        transpose_forward=[2, 0, 1],
        image_reader_writer="NibabelIOWithReorient",
    )
    found = read_configuration(plans, "3d_fullres")
    task = make_task("x", found, found.options, LABELS, channels=["mr"], mirror_axes=())
    assert task["prepare"] == {
        "_target_": "medseg.transforms.nnunet.prepare.PrepareForNnunetd",
        "keys": "image",
        "spacing_mm": [2.5, 0.8, 0.7],
        "axes": [2, 0, 1],
        "schemes": ["z_score"],
        "properties": [{}],
        "inside": [True],
        "orientation": "RAS",
        "order": 1,
        "slices": False,
        "slices_of_logits": True,
        "anisotropy": 4.0,
    }
