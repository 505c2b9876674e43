"""Tests of medseg.base.components."""

import numpy as np
import pytest

from medseg.base.components import label_components
from medseg.transforms import label_instances

# three voxels that touch by corners, and two by a face
CORNERS = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0]]) > 0


@pytest.mark.parametrize(
    ("options", "count"),
    [({}, 2), ({"connectivity": 1}, 4), ({"min_size": 3}, 1), ({"min_size": 4}, 0)],
)
def test_pieces_are_numbered_as_the_transform_numbers_them(options, count):
    pieces, found = label_components(CORNERS, **options)
    assert found == count
    assert pieces.tolist() == label_instances(CORNERS, **options).tolist()
