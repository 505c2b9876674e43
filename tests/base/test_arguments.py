"""Flags."""

import pytest

from medseg.base.arguments import require_bool


@pytest.mark.parametrize("value", [True, False])
def test_a_bool_passes_as_it_is(value):
    assert require_bool(value, "resume") is value


@pytest.mark.parametrize("value", ["false", "true", 0, 1, None])
def test_what_only_looks_like_a_bool_is_refused_with_the_way_to_write_it(value):
    with pytest.raises(TypeError, match=r"resume must be True or False, got .*: write it so"):
        require_bool(value, "resume")
