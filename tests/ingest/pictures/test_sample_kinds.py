"""Tests of medseg.ingest.pictures.sample_kinds: a person learns what a picture holds, in words."""

import pytest
from PIL import Image

from medseg.ingest.pictures.sample_kinds import describe_samples


@pytest.mark.parametrize("mode", Image.MODES)
def test_every_mode_of_pillow_has_words(mode):
    words = describe_samples(mode)
    assert words.startswith(("grey", "colours", "black and white"))
    assert ";" not in words


def test_a_kind_that_is_not_known_is_named_as_it_is():
    assert describe_samples("BGR;15") == "samples of the kind BGR;15"
