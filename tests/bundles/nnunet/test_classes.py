"""Classes: labels and regions of dataset.json in the order of the network's channels."""

import pytest

from medseg.bundles.nnunet.classes import read_labels


def read(labels, **dataset):
    return read_labels({"labels": labels, **dataset})


def test_labels_are_classes_in_the_order_of_their_values():
    found = read({"tumour": 2, "background": 0, "liver": 1})
    assert list(found.classes.items()) == [("liver", [1]), ("tumour", [2])]
    assert (found.regions, found.channels, found.notes) == (False, 3, ())


def test_regions_are_classes_in_the_order_of_their_channels():
    found = read({"background": 0, "whole": [1, 2], "core": [2]}, regions_class_order=[1, 2])
    assert found.classes == {"whole": [1, 2], "core": [2]}
    assert (found.regions, found.channels) == (True, 2)


def test_a_region_whose_value_changes_is_told():
    found = read({"background": 0, "whole": [1, 2], "core": 2}, regions_class_order=[2, 1])
    assert found.notes[0] == "whole has the value 1 in label maps, 2 in nnU-Net's"


def test_what_is_ignored_is_no_class():
    found = read({"background": 0, "liver": 1, "ignore": 2})
    assert list(found.classes) == ["liver"]
    assert found.channels == 2
    assert "ignore" in found.notes[0]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"liver": 1}, "no labels with names to values and a background"),
        ({"background": 0, "liver": 1, "tumour": 3}, "values 1, 3: nnU-Net counts from 1"),
        ({"background": 0}, "nothing to find"),
        ({"background": 1, "liver": 2}, "it must be 0"),
        ({"background": 0, "liver": "one"}, "'liver' with 'one'"),
        ({"0": "background", "1": "liver"}, "nnU-Net v2"),
    ],
)
def test_labels_of_another_kind_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        read(labels)


@pytest.mark.parametrize(
    ("labels", "order", "message"),
    [
        ({"a": [1, 2], "b": [2]}, None, "2 regions and regions_class_order None"),
        ({"a": [1, 2], "b": [2, 3]}, [1, 2], "the second does not lie within the first"),
        ({"a": [1, 2], "b": 3}, [1, 2], "no region of dataset.json lies in another"),
    ],
)
def test_regions_that_do_not_nest_are_refused(labels, order, message):
    with pytest.raises(ValueError, match=message):
        read({"background": 0, **labels}, regions_class_order=order)


def test_more_labels_than_a_label_map_holds_are_refused():
    labels = {"background": 0, **{f"l{value}": value for value in range(1, 256)}}
    with pytest.raises(ValueError, match="255 classes are more than 254"):
        read_labels({"labels": labels})
