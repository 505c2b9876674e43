"""Tests of medseg.base.choices.check: all faults are said at once, by their keys."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from medseg.base.choices import LR_SCHEDULES, check_choices
from medseg.bundles import build

BUNDLES = Path(__file__).resolve().parents[3] / "bundles"
WHOLE = ("max_epochs", "val_interval", "batch_size", "patience", "folds")


@pytest.mark.parametrize(
    "value", ["ten", 0, -1, float("inf"), float("nan"), "inf", 2.5, True, [4], ""]
)
@pytest.mark.parametrize("key", WHOLE)
def test_what_is_no_positive_whole_number_is_refused_by_its_key(key, value):
    with pytest.raises(
        ValueError, match=f"^{key} is .*: it must be a whole number of at least [12]"
    ):
        check_choices({key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("learning_rate", value) for value in (0, -1e-3, "fast", float("nan"), None, True, [1])),
        *(("num_workers", value) for value in (-1, 1.5, "two", None)),
        *(("fold", value) for value in (-1, 0.5, "first", None)),
        *(("seed", value) for value in (-1, 2**32, "x", 1.5)),
        *(("flip_prob", value) for value in (-0.1, 1.1, 50, "half", float("nan"))),
        *(("dropout", value) for value in (1, -0.1, "none")),
        *(("overlap", value) for value in (1, -0.25, 25)),
        *(("window_hu", value) for value in ([240, -160], [0, 0], [0], 240, ["a", "b"], [0, True])),
        *(("image_size", value) for value in ([], [0, 64], [64.5, 64], 64, "64,64", [-8, 8])),
        *(("label_values", value) for value in ([], [0, 0, 1], [0, 1.5], 1, ["0", "1"])),
        *(("resume", value) for value in ("yes", 1, None)),
        *(("contrast_gamma", value) for value in ([1.25, 0.8], [0, 1], [1])),
        *(("spacing_mm", value) for value in ([1, 1, 0], [1, 1, -1], 1)),
        *(("noise_std", value) for value in (-0.1, 1000)),
        *(("learning_rate", value) for value in (1001, 1e20)),
        *(
            (key, 10**20)
            for key in ("max_epochs", "folds", "batch_size", "num_workers", "roi_size")
        ),
        *(("image_size", value) for value in ([10**20, 64], [64, 2**31])),
        *(("roi_size", value) for value in (0, 10**20, [0, 64], [], [64, 2**31], 64.5, "64")),
        *(
            (key, value)
            for key in ("kernel_size", "strides")
            for value in (0, -1, 1e3, 256, "ten", True, None, [], [3, [0, 3]], [[]], [[[3]]])
        ),
        *(("channels", value) for value in ([2**31 - 1, 8, 8], [0], [], 8, ["a"])),
        *(("ignore", value) for value in (1.5, float("nan"), True, "x", [0, 1.5], [[0]])),
        *(("iou_thresholds", value) for value in (0.5, [1], [0.4], ["a"], [float("nan")], None)),
        *(("score_objects", value) for value in ("", None, float("nan"), 1)),
        *(("tile_halo", value) for value in (-1, 1.5, "ten", [], [4, -4], None, float("inf"))),
        *(("preview_percentiles", value) for value in ([1], [], [99, 1], [0, 101], 5, "x")),
        *(("preview_window", value) for value in ([1], [], [240, -160], [5, 5], 5, "x")),
        *(("score_lesions", value) for value in ("yes", 1, None)),
        *(("lr_schedule", value) for value in ("linear", "Cosine", "", None, 1, ["cosine"], True)),
        *(("warmup_epochs", value) for value in (-1, 0.5, "five", None, True, 10**20)),
        ("patience", 0),
        ("intensity_percentiles", [99, 1]),
    ],
)
def test_a_value_out_of_its_range_is_refused(key, value):
    with pytest.raises(ValueError, match=f"^{key} is .*: it must be "):
        check_choices({key: value})


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"fold": 5, "folds": 5}, "fold is 5 of 5 folds: it must be 0 to 4"),
        ({"image_size": [64], "spatial_dims": 2}, r"\[64\]: it must have a number for each of 2"),
        ({"spacing_mm": [1, 1]}, "for each of 3 axes"),
        ({"warmup_epochs": 5, "max_epochs": 5}, "takes all of max_epochs 5: .*epochs 4 or less"),
        ({"warmup_epochs": 9, "max_epochs": 5}, "takes all of max_epochs 5: .*epochs 4 or less"),
        ({"warmup_epochs": 1, "lr_schedule": "one_cycle"}, "by itself: pass --warmup_epochs 0, or"),
    ],
)
def test_values_that_contradict_each_other_are_refused(choices, said):
    with pytest.raises(ValueError, match=said):
        check_choices(choices)


def test_all_faults_are_said_at_once_in_one_line():
    with pytest.raises(ValueError, match=r"^max_epochs is 0: [^;\n]*; folds is 1: [^;\n]*$"):
        check_choices({"folds": 1, "max_epochs": 0, "seed": 0})


def test_what_is_right_passes():
    check_choices({"max_epochs": 1, "val_interval": 1, "fold": 4, "folds": 5, "patience": None})
    check_choices(
        {"learning_rate": 1, "flip_prob": 0, "window_hu": (-1000.0, 400), "overlap": 0.99}
    )
    for schedule in LR_SCHEDULES:
        check_choices({"lr_schedule": schedule, "warmup_epochs": 0, "max_epochs": 1})
    check_choices({"lr_schedule": "cosine", "warmup_epochs": 4, "max_epochs": 5})
    check_choices({"roi_size": 64, "batch_size": 2**31 - 1, "noise_std": 100})
    check_choices({"roi_size": [768, 768], "image_size": [64, 2**31 - 1]})
    check_choices({"kernel_size": 3, "strides": [[2, 2, 1], 2, (2, 2, 2)], "channels": [2**16] * 3})
    check_choices({"tile_halo": "auto", "ignore": [0, 255], "preview_percentiles": None})
    check_choices({"tile_halo": [0, 112], "ignore": [], "iou_thresholds": [], "force": False})
    check_choices({"score_objects": "instances", "preview_percentiles": [1, 99.5]})
    check_choices({"preview_window": None})
    check_choices({"preview_window": [-160, 240]})
    check_choices({"label_values": [-1, 0, 255], "seed": 2**32 - 1, "level": None, "resume": True})


@pytest.mark.parametrize(
    ("choices", "remedy"),
    [
        ({"image_size": 64, "spatial_dims": 2}, "--image_size 64,64"),
        ({"image_size": 64, "spatial_dims": 3}, "--image_size 64,64,64"),
        ({"spacing_mm": 1.5}, "--spacing_mm 1.5,1.5,1.5"),
    ],
)
def test_one_number_for_all_axes_is_refused_with_the_list_that_was_meant(choices, remedy):
    with pytest.raises(ValueError, match=f"one for each axis: pass {remedy}$"):
        check_choices(choices)


def test_no_list_is_suggested_where_the_number_is_wrong_or_the_axes_are_unknown():
    for choices in ({"image_size": -1, "spatial_dims": 2}, {"image_size": 64}):
        with pytest.raises(ValueError, match=r"one for each axis$"):
            check_choices(choices)


@pytest.mark.parametrize("value", ["$1 + 1", "@other", "%other", ["$1", 2]])
def test_an_expression_is_left_to_the_config(value):
    check_choices({"max_epochs": value, "image_size": value})


@pytest.mark.parametrize("name", build.list_names(BUNDLES))
@pytest.mark.parametrize("workflow", build.WORKFLOWS)
def test_the_committed_choices_of_every_bundle_keep_the_rules(name, workflow):
    check_choices(json.loads((BUNDLES / name / f"{workflow}.json").read_text()))


def test_a_wrong_number_is_refused_before_torch_is_imported(tmp_path, repository):
    code = (
        "import sys; from medseg.cli.app import app; sys.argv = ['medseg', *sys.argv[1:]]\n"
        "try: app()\n"
        "finally: print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, "train", "-b", "bundles/liver", "--max_epochs", "ten"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "error: max_epochs is 'ten': it must be a whole number of at least 1 (see "
        "docs/how-to/override-a-config.md)\n"
    )
    assert done.stdout == "False\n"


def test_the_largest_number_is_told_to_whoever_went_beyond_it():
    with pytest.raises(ValueError, match=r"at least 1, at most 2147483647$"):
        check_choices({"max_epochs": 2**31})
    with pytest.raises(ValueError, match=r"at least 1$"):
        check_choices({"max_epochs": 0})
    with pytest.raises(ValueError, match=r"at least 2$"):
        check_choices({"folds": "many"})


def test_a_report_without_the_segmentation_that_it_refers_to_is_a_contradiction():
    with pytest.raises(ValueError, match="refers to a DICOM Segmentation, and seg is null"):
        check_choices({"sr": True, "seg": None})
    check_choices({"sr": True, "seg": "binary"})
    check_choices({"sr": False, "seg": None})


def test_a_device_that_torch_does_not_know_is_refused_before_torch_is_imported():
    with pytest.raises(ValueError, match="device is 'gpu': it must be cpu, cuda, cuda:0"):
        check_choices({"device": "gpu"})
    for device in ("cpu", "cuda", "cuda:1", "mps"):
        check_choices({"device": device})


@pytest.mark.parametrize(
    ("choices", "fault"),
    [
        ({"freeze_epochs": 3, "freeze": []}, "freeze_epochs is 3 and freeze names no part"),
        ({"freeze": ["encoder"]}, "learn from the first epoch on: pass --freeze_epochs 5"),
        (
            {"freeze": ["encoder", "decoder", "heads"], "freeze_epochs": 4, "max_epochs": 4},
            "all parts are frozen in all of 4 epochs",
        ),
        ({"freeze": ["bottom"], "freeze_epochs": 4}, "each encoder, decoder or heads"),
    ],
)
def test_parts_that_are_frozen_in_vain_are_refused(choices, fault):
    with pytest.raises(ValueError, match=fault):
        check_choices(choices)


def test_parts_that_learn_later_or_more_slowly_are_right():
    check_choices({"freeze": ["encoder"], "freeze_epochs": 2, "max_epochs": 4})
    check_choices({"freeze": ["encoder", "heads"], "thawed_rate": 0.1})
