"""Tests of scripts/compare_confidence.py."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest


def test_it_prints_the_means_and_the_rank_correlation(repository, monkeypatch, capsys):
    monkeypatch.syspath_prepend(repository / "scripts")
    import compare_confidence as script

    pairs = [(0.9, 0.8), (0.8, 0.6), (0.7, 0.4)]
    monkeypatch.setattr(script, "measure", lambda data, bundle: iter(pairs))
    monkeypatch.setattr(sys, "argv", ["compare_confidence.py", "data"])
    script.main()
    said = capsys.readouterr().out
    assert said == "3 structures: mean confidence 0.800, mean Dice 0.600, rank correlation 1.00\n"


def test_the_dice_is_that_of_each_structure_with_its_label(repository, monkeypatch):
    monkeypatch.syspath_prepend(repository / "scripts")
    import compare_confidence as script

    mask = np.array([1, 1, 2, 0])
    found = [SimpleNamespace(value=1, confidence=0.9), SimpleNamespace(value=2, confidence=None)]
    case = {"image": "a", "label": "b"}
    parts = {"read_cases": lambda *_, **__: [case], "fold": 0, "folds": 5, "split_seed": 0}

    class Parser(dict):
        def get_parsed_content(self, key):
            return parts[key]

    monkeypatch.setattr(script, "ConfigParser", lambda config: Parser())
    monkeypatch.setattr(script, "read_workflow", lambda *_: {})
    monkeypatch.setattr(script, "load", lambda path: (np.array([1, 0, 0, 0]), None))
    segmented = SimpleNamespace(mask=mask, measurements=found)
    monkeypatch.setattr(script.medseg, "segment", lambda *_, **__: segmented, raising=False)
    assert list(script.measure("data", "hippocampus")) == [(0.9, pytest.approx(2 / 3))]
