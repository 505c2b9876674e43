"""Normalize: each scheme of nnU-Net on values that can be checked on paper."""

import pytest
import torch

from medseg.transforms.nnunet.normalize import NEEDED, SCHEMES, normalize

KNOWN = dict(zip(NEEDED, (10.0, 5.0, 0.0, 20.0), strict=True))


def scale(values, scheme, *, known=KNOWN, inside=False, body=None):
    return normalize(
        torch.tensor([values]), [scheme], properties=[known], inside=[inside], body=body
    )[0].tolist()


def test_ct_is_clipped_and_divided_by_the_spread_of_the_training():
    assert scale([-100.0, 10.0, 15.0, 100.0], "ct") == [-2.0, 0.0, 1.0, 2.0]


def test_a_z_score_has_mean_0_and_a_spread_of_1():
    assert scale([1.0, 3.0], "z_score") == [-1.0, 1.0]


def test_a_constant_image_stays_finite():
    assert scale([4.0, 4.0], "z_score") == [0.0, 0.0]
    assert scale([4.0, 4.0], "unit_range") == [0.0, 0.0]


def test_what_is_outside_the_body_keeps_its_value_and_does_not_count():
    body = torch.tensor([False, True, True])
    assert scale([0.0, 1.0, 3.0], "z_score", inside=True, body=body) == [0.0, -1.0, 1.0]


def test_the_unit_range_goes_from_0_to_1():
    assert scale([2.0, 4.0, 6.0], "unit_range") == [0.0, 0.5, 1.0]


def test_pictures_are_divided_by_255_and_others_are_refused():
    assert scale([0.0, 255.0], "divide_by_255") == [0.0, 1.0]
    with pytest.raises(ValueError, match=r"from 0 to 300.*pass such a picture"):
        scale([0.0, 300.0], "divide_by_255")


def test_none_leaves_values_as_they_are():
    assert scale([2.0, 7.0], "none") == [2.0, 7.0]


def test_each_channel_has_a_scheme_of_its_own():
    two = normalize(
        torch.tensor([[1.0, 3.0], [5.0, 9.0]]),
        ["z_score", "none"],
        properties=[{}, {}],
        inside=[False, False],
        body=None,
    )
    assert two.tolist() == [[-1.0, 1.0], [5.0, 9.0]]
    assert set(SCHEMES) == {"ct", "z_score", "none", "unit_range", "divide_by_255"}
