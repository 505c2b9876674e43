"""Tests of medseg.bundles.own.measure_steps."""

import pytest
from planning.test_plan import FOUND

from medseg.bundles.own.measure_steps import measure_steps
from medseg.bundles.own.write_bundle import write_bundle
from medseg.planning.plan import make_plan
from medseg.planning.task import make_task


def make_bundle(folder, **changes):
    task = make_task(
        "kidney", make_plan(FOUND), classes={"a": [1]}, values=(0, 1), dataset_dir="data/kidney"
    )
    small = {"image_size": [16, 16, 16], "channels": [4, 8, 16, 32]}
    return write_bundle(folder / "kidney", {**task, **small, **changes})


@pytest.mark.long
def test_a_step_of_the_config_is_timed_in_a_process_of_its_own(tmp_path):
    cost = measure_steps(make_bundle(tmp_path))
    assert 0 < cost.seconds < 60
    assert cost.peak_bytes >= 0


@pytest.mark.long
def test_a_process_that_ends_is_told_as_too_little_memory(tmp_path):
    with pytest.raises(MemoryError, match="choose a smaller preset"):
        measure_steps(make_bundle(tmp_path, channels=[4, 8]))  # which does not fit its strides
