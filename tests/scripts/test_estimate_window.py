"""Tests of scripts/estimate_window.py."""

import importlib.util

import numpy as np
import pytest


@pytest.fixture
def script(repository):
    path = repository / "scripts" / "estimate_window.py"
    spec = importlib.util.spec_from_file_location("estimate_window", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_window_that_made_the_grey_values_is_found(script):
    hu = np.random.default_rng(0).uniform(-200, 400, (16, 12))
    error, low, high = script.best_window(hu, script.windowed(hu, -20, 180))
    assert (low, high) == (-20, 180)
    assert error == pytest.approx(0)


def test_values_are_clipped_before_they_are_averaged(script):
    hu = np.array([[-1000.0, 100.0], [100.0, 1000.0]])  # in [0, 200]: 0, 100, 100, 200
    assert script.windowed(hu, 0, 200) == pytest.approx(np.array([[127.5]]))
