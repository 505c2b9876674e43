"""Tests of medseg.datasets.own.structures.tell_apart: by names and by what masks share."""

from pathlib import Path

import numpy as np
import pytest

from medseg.datasets.own.pair_files import Pair
from medseg.datasets.own.structures.overlaps import Mask, Overlaps
from medseg.datasets.own.structures.tell_apart import Kind, tell_kind


def tell(*cases):
    """The kind of cases, each name -> (first, last) pixel of a row of 40."""
    overlaps, pairs = Overlaps(), []
    for number, spans in enumerate(cases):
        masks = {}
        for name, span in spans.items():
            mask = np.zeros((1, 40), np.bool_)
            mask[:, slice(*span)] = True
            masks[name] = Mask.crop(mask)
        overlaps.add(masks)
        readers = {name: Path(f"{name}.png") for name in spans}
        pairs.append(Pair(f"c{number}", (), ("",), None, readers=readers))
    return tell_kind(pairs, overlaps)


def test_the_same_names_side_by_side_are_structures():
    one = {"liver": (0, 20), "spleen": (20, 30), "kidney": (30, 38)}
    assert tell(one, one, {"liver": (0, 20), "kidney": (19, 30)}) is Kind.STRUCTURES


def test_a_structure_may_lie_within_another():
    one = {"liver": (0, 30), "tumour": (3, 8)}
    assert tell(one, {"liver": (5, 30)}, one) is Kind.STRUCTURES


def test_other_names_in_each_case_and_numbers_are_objects():
    assert tell({"ab1": (0, 4), "ff2": (6, 9)}, {"c03": (2, 5), "d": (5, 7)}) is Kind.OBJECTS
    assert tell({"reader_1": (0, 4), "reader_2": (6, 9)}, {"reader_1": (2, 5)}) is Kind.OBJECTS


def test_numbers_in_every_case_are_structures():
    one = {"reader_1": (0, 4), "reader_2": (6, 9)}
    assert tell(one, one) is Kind.STRUCTURES


@pytest.mark.parametrize("names", [("anna", "bob"), ("reader_1", "reader_2"), ("xa", "yb")])
def test_masks_that_share_most_voxels_may_be_of_readers(names):
    one = {names[0]: (0, 20), names[1]: (2, 21)}
    with pytest.raises(ValueError, match=r"share voxels, with a mean Dice of 0.92: .*--readers"):
        tell(one, one)
    with pytest.raises(ValueError, match=r"--labels 'kidney_anna=kidney_anna' --labels"):
        tell(*[{"kidney_anna": (0, 9), "kidney_bob": (1, 9), "spleen_anna": (20, 30)}] * 2)


def test_a_reader_who_marks_less_than_another_is_no_structure_within():
    one = {"dilated": (0, 20), "eroded": (2, 18)}
    with pytest.raises(ValueError, match=r"mean Dice of 0\.89"):
        tell(one, one)


def test_names_of_people_are_never_structures():
    one = {"rater_a": (0, 4), "rater_b": (30, 34)}
    with pytest.raises(ValueError, match="their names are those of people"):
        tell(one, one)


def test_names_that_are_neither_the_same_nor_all_others_are_refused():
    with pytest.raises(ValueError, match=r"the names \(a, b, c, d\) differ from case to case"):
        tell({"a": (0, 4)}, {"a": (0, 4), "b": (8, 9)}, {"b": (0, 4)}, {"c": (0, 2), "d": (3, 4)})
