"""Tests of medseg.report.segmentation: a result cannot be changed by mistake."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from medseg.geometry import Geometry
from medseg.labels import make_table
from medseg.report import Segmentation


def test_what_was_found_keeps_its_grid():
    mask = np.zeros((2, 3, 4), np.uint8)
    labels = make_table(["liver"])
    found = Segmentation(mask, Geometry(mask.shape, np.eye(4)), labels, [], (), "liver 1.0")
    with pytest.raises(FrozenInstanceError):
        found.geometry = None
