"""Tests of medseg.engines.foreground: cases that cannot be learnt from or judged by are refused."""

import logging

import pytest
import torch

from medseg.engines import check_foreground

CLASSES = {"liver": [1, 2], "tumour": [2]}


class Cases(list):
    """Labels of cases, one value each; counts how many are read."""

    def __init__(self, *values):
        super().__init__({"label": torch.tensor([[0, value]])} for value in values)
        self.read = 0

    def __getitem__(self, index):
        self.read += 1
        return super().__getitem__(index)


def check(training, validation, classes=CLASSES):
    check_foreground(training, validation, classes=classes, fold=3)


def test_cases_with_every_class_pass_without_a_word(caplog):
    check(Cases(1, 2), Cases(2))
    assert caplog.text == ""


def test_a_validation_fold_without_foreground_is_refused():
    with pytest.raises(
        ValueError,
        match=r"the 2 validation cases of fold 3 contains class liver or tumour: .*val_slice_step",
    ):
        check(Cases(1, 2), Cases(0, 7))


def test_a_side_without_cases_is_refused_as_such():
    with pytest.raises(ValueError, match="there are no validation cases of fold 3: choose"):
        check(Cases(1, 2), Cases())
    with pytest.raises(ValueError, match="there are no training cases"):
        check(Cases(), Cases(1, 2))


def test_a_validation_fold_that_is_ignored_as_a_whole_is_refused():
    with pytest.raises(ValueError, match="contains class liver or tumour"):
        check(Cases(1, 2), Cases(255, 255))


def test_training_cases_without_foreground_are_refused():
    with pytest.raises(ValueError, match=r"no image of the 1 training cases contains class liver"):
        check(Cases(0), Cases(2))


def test_a_class_that_one_side_lacks_is_named(caplog):
    check(Cases(1), Cases(2))
    assert (
        "no image of the 1 training cases contains class tumour, which is not learnt" in caplog.text
    )
    caplog.clear()
    check(Cases(2), Cases(0, 1))
    assert (
        "no image of the 2 validation cases of fold 3 contains class tumour, "
        "which is not scored" in caplog.text
    )


def test_reading_stops_once_every_class_is_found():
    training, validation = Cases(1, 2, 1, 1), Cases(2, 1)
    check(training, validation)
    assert (training.read, validation.read) == (2, 1)


def test_classes_that_overlap_are_said_to_be_regions(caplog):
    with caplog.at_level(logging.INFO):
        check(Cases(1, 2), Cases(2))
    assert "the classes liver, tumour are regions, which overlap" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO):
        check(Cases(1, 2), Cases(1, 2), {"liver": [1], "tumour": [2]})
    assert caplog.text == ""
