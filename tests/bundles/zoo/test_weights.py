"""Tests of medseg.bundles.zoo.weights: weights that are not there are named."""

import pytest

from medseg.bundles.zoo.weights import check_weights


def test_missing_weights_are_refused_with_what_to_do(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"1")
    check_weights(tmp_path / "model.pt", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"low\.pt is not there: download them"):
        check_weights(tmp_path / "low.pt", tmp_path)
