"""Tests of medseg.datasets.phantom.liver_ct: its single slices."""

import numpy as np
from PIL import Image

from medseg.datasets import liver_slices, phantom, prepared


def test_the_set_is_read_as_liver_slices_with_whole_patients_on_one_side(tmp_path):
    source = phantom.write("slices", tmp_path / "a", cases=7, test_cases=1, size=48, slices=3)
    assert liver_slices.prepare(source, tmp_path / "out") == 8 * 3
    parts = [
        prepared.cases(tmp_path / "out", section, folds=3)
        for section in ("training", "validation", "test")
    ]
    patients = [{item["patient"] for item in part} for part in parts]
    assert [len(part) for part in patients] == [4, 2, 2]  # 2 of 8 held out, 3 folds of 2
    assert len(set.union(*patients)) == 8


def test_the_liver_is_grey_among_black_air_and_white_bone(tmp_path):
    source = phantom.write("slices", tmp_path / "a", cases=2, test_cases=0, size=64, slices=3)
    for path in (source / "images").iterdir():
        image, mask = (
            np.asarray(Image.open(source / part / path.name)) for part in ("images", "masks")
        )
        assert (image.dtype, set(np.unique(mask))) == (np.uint8, {0, 255})
        assert 140 < np.median(image[mask == 255]) < 220  # about 100 HU in a window of 400
        assert {0, 255} <= set(np.unique(image))
