"""Tests of medseg.bundles.own.measure_steps."""

import os
from types import SimpleNamespace

import pytest
from planning.test_plan import FOUND

from medseg.bundles.own.measure_steps import _send_cost, measure_steps
from medseg.bundles.own.write_bundle import write_bundle
from medseg.planning.plan import make_plan
from medseg.planning.task import make_task


def make_bundle(folder, classes=None, values=(0, 1), **changes):
    classes = classes or {"a": [1]}
    task = make_task(
        "kidney", make_plan(FOUND), classes=classes, values=values, dataset_dir="data/kidney"
    )
    small = {"image_size": [16, 16, 16], "channels": [4, 8, 16, 32]}
    return write_bundle(folder / "kidney", {**task, **small, **changes})


@pytest.mark.long
def test_a_step_of_the_config_is_timed_in_a_process_of_its_own(tmp_path):
    cost = measure_steps(make_bundle(tmp_path))
    assert 0 < cost.seconds < 60
    assert cost.peak_bytes >= 0


@pytest.mark.long
def test_regions_are_tried_with_a_channel_each(tmp_path):
    regions = {"whole": [1, 2], "core": [2]}
    bundle = make_bundle(tmp_path, classes=regions, values=(0, 1, 2))
    assert measure_steps(bundle).seconds > 0


def end_at_once(_bundle, _sender):
    os._exit(137)  # as the system ends a process where memory runs out


@pytest.mark.long
def test_a_process_that_ends_is_told_as_too_little_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{measure_steps.__module__}._send_cost", end_at_once)
    with pytest.raises(MemoryError, match=r"\(exit 137\): pass --memory .* or --preset small"):
        measure_steps(tmp_path / "kidney")


def run_out_of_memory(_bundle):
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")


def test_memory_that_torch_does_not_get_is_no_other_failure(monkeypatch):
    sent = []
    monkeypatch.setattr(f"{measure_steps.__module__}._run_steps", run_out_of_memory)
    _send_cost(None, SimpleNamespace(send=sent.append))
    assert sent == [None]


@pytest.mark.long
def test_a_network_that_cannot_be_made_is_told_with_its_reason(tmp_path):
    with pytest.raises(ValueError, match=r"tried failed: .*give 3 to 7 channel counts"):
        measure_steps(make_bundle(tmp_path, channels=[4, 8]))
