"""Tests of medseg.transforms.spacing: it resamples as MONAI does, whatever else a case holds."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Spacingd

from medseg.transforms import ResampleSpacingd

SIZE = {"keys": "image", "pixdim": [2.0, 1.0, 1.0], "mode": "bilinear"}


@pytest.fixture
def case():
    image = MetaTensor(torch.arange(64.0).reshape(1, 4, 4, 4), affine=np.eye(4))
    image.meta["filename_or_obj"] = "a.nii.gz"
    return {"image": image, "image_path": "a.nii.gz", "case": "a"}


def test_it_gives_what_monai_gives_and_keeps_the_other_entries(case):
    found = ResampleSpacingd(**SIZE)(case)
    expected = Spacingd(**SIZE)({"image": case["image"]})["image"]
    assert found["image"].shape == (1, 2, 4, 4)
    assert torch.equal(found["image"], expected)
    assert (found["image_path"], found["case"]) == ("a.nii.gz", "a")


def test_its_inverse_brings_the_grid_back(case):
    space = ResampleSpacingd(**SIZE)
    assert space.inverse(space(case))["image"].shape == (1, 4, 4, 4)


def test_monai_alone_still_fails_beside_a_path_of_that_name(case):
    """When this passes, MONAI's own class serves again."""
    with pytest.raises(AttributeError, match="update"):
        Spacingd(**SIZE)(case)
