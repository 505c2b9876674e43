"""Tests of medseg.inference.tiles.settings: what is refused, and what the classes need."""

import pytest

from medseg.inference import OverlapTileInferer
from medseg.inference.tiles.settings import Settings
from medseg.inference.tiles.tiling import Tiling


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"roi_size": 0, "halo": 1}, "1 voxel or more along each axis, got roi_size 0"),
        ({"roi_size": (4, 0), "halo": 1}, r"got roi_size \(4, 0\)"),
        ({"roi_size": 4, "halo": -1}, "halo must be 0 or more, or 'auto', got halo -1"),
        ({"roi_size": 4, "halo": "all"}, "got halo 'all'"),
        ({"roi_size": 4, "batch_size": 0}, "batch_size must be a whole number of 1 or more, got 0"),
        ({"roi_size": 4, "mode": "tile"}, "mode must be one of crop, blend, got 'tile'"),
        ({"roi_size": 4, "edge": "wrap"}, "edge must be one of mirror, network, zero, got 'wrap'"),
        (
            {"roi_size": 4, "weights": "flat"},
            "weights must be one of gaussian, nnunet, constant, got 'flat'",
        ),
        ({"roi_size": 4, "output": "mask"}, "output must be one of logits, labels, got 'mask'"),
        ({"roi_size": 4, "overlap": 1.0}, "overlap must be 0 or more and below 1, got 1.0"),
        ({"roi_size": 4, "stride": 0}, "stride must be 1 or more"),
        (
            {"roi_size": 4, "patch_size": (8, 0)},
            r"a patch must have 1 voxel or more .* got patch_size",
        ),
        ({"roi_size": 4, "flips": [True]}, r"flips must be a list of axes, got \[True\]"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        OverlapTileInferer(**arguments)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"overlap": (0.5, 0.25)}, r"overlap must be .* got \(0.5, 0.25\)"),
        ({"overlap": "x"}, "overlap must be .* got 'x'"),
        ({"skip": "air"}, "skip must be None, a finite number .* got 'air'"),
        ({"skip": float("nan")}, "got nan"),
        ({"skip": float("inf")}, "got inf"),
        ({"skip": True}, "got True"),
        ({"batch_size": "2"}, "whole number of 1 or more, got '2'"),
        ({"batch_size": 1.5}, "whole number of 1 or more, got 1.5"),
        ({"flips": 0}, "flips must be a list of axes, got 0"),
        ({"flips": "01"}, "flips must be a list of axes, got '01'"),
        ({"output": "label"}, "output must be one of logits, labels, got 'label': pass 'labels'"),
    ],
)
def test_arguments_of_another_kind_are_refused_in_one_line(options, match):
    with pytest.raises(ValueError, match=match):
        OverlapTileInferer(32, mode="blend", **options)


@pytest.mark.parametrize(
    ("classes", "channels", "regions"),
    [
        (None, None, False),
        ({"a": [1]}, 1, False),
        ({"a": [1], "b": [2]}, 3, False),
        ({"a": [1, 2], "b": [2]}, 2, True),
    ],
)
def test_classes_tell_the_channels_of_the_logits(classes, channels, regions):
    settings = Settings(tiling=Tiling(roi_size=4), classes=classes)
    assert (settings.channels, settings.regions) == (channels, regions)
