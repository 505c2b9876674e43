"""Tests of medseg.plausibility.trained_on: ranges belong to exactly the weights they name."""

import json
import shutil
from dataclasses import asdict

import pytest

from medseg.plausibility import (
    TrainedOn,
    copy_trained_on,
    find_path_beside,
    read_ranges,
    read_trained_on,
    write_trained_on,
)

RANGES = TrainedOn({"fold": 0}, 3, "CT", 3, {"longest_mm": [300.0, 400.0]}, {})
OTHER = TrainedOn({"fold": 1}, 3, "CT", 3, {"longest_mm": [200.0, 400.0]}, {})


@pytest.fixture
def weights(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"first")
    write_trained_on(RANGES, tmp_path / "model.pt")
    return tmp_path / "model.pt"


def written(weights, content, found):
    """New weights that have not yet taken the place of the old ones, beside their ranges."""
    partial = weights.with_name("partial")
    partial.write_bytes(content)
    write_trained_on(found, weights, partial=partial)
    return partial


def test_ranges_are_of_the_weights_they_were_written_for_and_of_a_copy(weights, tmp_path):
    found = read_trained_on(weights)
    assert found.is_of(weights)
    assert found.is_of(shutil.copy(weights, tmp_path / "copy.pt"))
    weights.write_bytes(b"fine-tuned by hand")
    assert not found.is_of(weights)


def test_within_a_run_both_the_old_and_the_new_weights_have_ranges(weights):
    """So that a process that is killed between the two files leaves no weights without them."""
    partial = written(weights, b"second", RANGES)
    assert read_ranges(weights) is not None
    partial.replace(weights)
    assert read_ranges(weights) is not None
    written(weights, b"third", RANGES).replace(weights)
    assert read_ranges(weights) is not None
    assert len(read_trained_on(weights).weights) == 2


def test_weights_of_an_earlier_run_are_never_beside_ranges_that_pass_for_theirs(weights, caplog):
    partial = written(weights, b"of another run", OTHER)
    assert read_ranges(weights) is None
    assert "model.trained_on.json was written for other weights than model.pt" in caplog.text
    partial.replace(weights)
    assert read_ranges(weights).image == OTHER.image


def test_a_training_starts_where_ranges_lie_without_weights(weights, caplog):
    weights.unlink()
    assert read_ranges(weights) is None
    assert caplog.text == ""
    written(weights, b"second", RANGES).replace(weights)
    assert read_ranges(weights) is not None


def test_ranges_go_along_with_a_copy_only_if_they_are_of_the_weights(weights, tmp_path):
    small = tmp_path / "small.pt"
    small.write_bytes(b"a part of it")
    copy_trained_on(weights, small)
    assert read_ranges(small).image == RANGES.image
    weights.write_bytes(b"other")
    find_path_beside(small).unlink()
    copy_trained_on(weights, small)
    assert not find_path_beside(small).exists()


def test_damaged_ranges_neither_stop_a_training_nor_go_along(weights, tmp_path, caplog):
    find_path_beside(weights).write_text("{")
    (tmp_path / "copy.pt").write_bytes(b"first")
    copy_trained_on(weights, tmp_path / "copy.pt")
    assert not find_path_beside(tmp_path / "copy.pt").exists()
    assert "model.trained_on.json does not say what" in caplog.text
    written(weights, b"second", RANGES)
    assert len(read_trained_on(weights).weights) == 1


def test_a_file_of_another_version_is_refused(weights):
    find_path_beside(weights).write_text(json.dumps({**asdict(RANGES), "version": 3}))
    with pytest.raises(
        ValueError, match=r"is of version 3, this medseg reads versions 1 and 2: restore"
    ):
        read_trained_on(weights)


def test_weights_without_ranges_have_none_and_a_damaged_file_is_refused(tmp_path):
    assert read_trained_on(tmp_path / "model.pt") is None
    for text in ("{", json.dumps({"cases": 1})):
        (tmp_path / "model.trained_on.json").write_text(text)
        with pytest.raises(ValueError, match="does not say what the weights were trained on"):
            read_trained_on(tmp_path / "model.pt")
