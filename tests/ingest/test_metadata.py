"""Tests of medseg.ingest.metadata: what MONAI is told of an image."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from monai.utils import MetaKeys

from medseg.ingest.metadata import list_paths, make_metadata


def test_an_image_without_channels_has_no_axis_of_them():
    assert math.isnan(make_metadata((4, 6), affine=np.eye(4))[MetaKeys.ORIGINAL_CHANNEL_DIM])
    assert (
        make_metadata((4, 6), affine=np.eye(4), channel_dim=0)[MetaKeys.ORIGINAL_CHANNEL_DIM] == 0
    )


def test_both_affines_are_copies_that_may_be_changed_apart():
    affine = np.diag([1.0, 2, 3, 1])
    found = make_metadata((4, 6, 5), affine=affine)
    found[MetaKeys.AFFINE][0, 0] = 7
    assert affine[0, 0] == found[MetaKeys.ORIGINAL_AFFINE][0, 0] == 1


def test_one_name_and_several_are_a_list_of_paths():
    assert list_paths("a.nii") == [Path("a.nii")]
    assert list_paths(["a.nii", Path("b.nii")]) == [Path("a.nii"), Path("b.nii")]
