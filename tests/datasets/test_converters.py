"""Tests of medseg.datasets.converters: every name leads to a converter, every other is refused."""

from importlib.util import find_spec

import pytest

from medseg.datasets import converters, phantom


@pytest.mark.parametrize("module", sorted(set(converters.CONVERTERS.values())))
def test_every_name_has_a_module(module):
    assert find_spec(f"medseg.datasets.{module}") is not None


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="dataset 'spleen' is unknown: choose one of brain_tumor,"):
        converters.converter("spleen")


def test_a_dataset_is_prepared_by_its_name(tmp_path):
    source = phantom.write("microscopy", tmp_path / "published", cases=3, test_cases=1, size=48)
    assert converters.converter("nuclei")(source, tmp_path / "out") == 4
