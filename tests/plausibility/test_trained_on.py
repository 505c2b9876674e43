"""Tests of medseg.plausibility.trained_on: ranges belong to exactly the weights they name."""

import json
import shutil
from dataclasses import asdict

import pytest
import torch

from medseg.plausibility import (
    TrainedOn,
    carry_trained_on,
    check_settings,
    copy_trained_on,
    explain_not_used,
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


LIVER = TrainedOn({"fold": 0}, 3, "CT", 3, settings={"classes": {"liver": [1]}})


@pytest.fixture
def carrying(tmp_path):
    """Weights that carry their ranges, with nothing beside them."""
    path = tmp_path / "carrying.pt"
    torch.save(carry_trained_on(torch.nn.BatchNorm2d(2).state_dict(), LIVER), path)
    return path


def test_weights_alone_say_what_they_were_trained_on(carrying):
    found = read_trained_on(carrying)
    assert (found.about, found.settings) == (LIVER.about, LIVER.settings)
    assert found.is_of(carrying)
    assert read_ranges(carrying) == found
    with pytest.raises(ValueError, match="classes: trained with liver, used with spleen"):
        check_settings(carrying, {"classes": {"spleen": [1]}})


def test_weights_that_carry_ranges_are_a_flat_state_dict_to_whatever_loads_them(carrying):
    state = torch.load(carrying, weights_only=True)
    norm = torch.nn.BatchNorm2d(2)
    assert state.keys() == norm.state_dict().keys()
    assert all(map(torch.is_tensor, state.values()))
    assert state._metadata[""] == norm.state_dict()._metadata[""]
    norm.load_state_dict(state)
    norm.load_state_dict(dict(state))
    torch.nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")


def test_the_same_weights_with_the_same_ranges_are_the_same_bytes(carrying):
    again = carrying.with_name("again")
    again.mkdir()
    torch.save(carry_trained_on(torch.nn.BatchNorm2d(2).state_dict(), LIVER), again / "carrying.pt")
    assert (again / "carrying.pt").read_bytes() == carrying.read_bytes()


def test_a_plain_state_dict_a_checkpoint_and_safetensors_carry_nothing(tmp_path):
    norm = torch.nn.BatchNorm2d(2)
    torch.save(norm.state_dict(), tmp_path / "a.pt")
    torch.save(dict(norm.state_dict()), tmp_path / "b.pt")
    torch.save({"state_dict": norm.state_dict()}, tmp_path / "c.pt")
    torch.save(norm.state_dict(), tmp_path / "d.pt", _use_new_zipfile_serialization=False)
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file(norm.state_dict(), tmp_path / "e.safetensors")
    (tmp_path / "f.pt").write_bytes((tmp_path / "a.pt").read_bytes()[:-30])
    assert [read_trained_on(path) for path in sorted(tmp_path.iterdir())] == [None] * 6


def test_ranges_beside_the_weights_count_where_they_agree(carrying):
    """As where they were measured again on more cases."""
    write_trained_on(TrainedOn({}, 9, "CT", 3, settings=LIVER.settings), carrying)
    assert read_ranges(carrying).cases == 9
    assert explain_not_used(carrying) == ""


def test_where_the_file_beside_weights_is_of_others_what_they_carry_counts(carrying, caplog):
    """As where weights are put in the place of another bundle's."""
    other = carrying.with_name("other.pt")
    other.write_bytes(b"of the bundle before")
    write_trained_on(OTHER, other)
    find_path_beside(other).replace(find_path_beside(carrying))
    assert read_ranges(carrying).settings == LIVER.settings
    assert "was written for other weights than carrying.pt: what carrying.pt itself" in caplog.text


def test_a_file_beside_weights_cannot_say_that_they_were_trained_for_something_else(carrying):
    write_trained_on(TrainedOn({}, 9, "CT", 3, settings={"classes": {"a": [1]}}), carrying)
    with pytest.raises(ValueError, match="classes: trained with liver, used with a"):
        check_settings(carrying, {"classes": {"a": [1]}})
    assert "trained with other settings than they say themselves" in explain_not_used(carrying)
    find_path_beside(carrying).write_text("{")
    assert read_trained_on(carrying).settings == LIVER.settings
    assert "cannot be read" in explain_not_used(carrying)


def test_what_weights_carry_is_written_beside_a_copy(carrying, tmp_path):
    (tmp_path / "part.pt").write_bytes(b"a part of it")
    copy_trained_on(carrying, tmp_path / "part.pt")
    assert read_ranges(tmp_path / "part.pt").settings == LIVER.settings


def test_weights_that_carry_what_only_a_later_version_reads_are_refused(tmp_path):
    later = carry_trained_on({}, TrainedOn({}, 3, "CT", 3, version=3))
    torch.save(later, tmp_path / "later.pt")
    with pytest.raises(ValueError, match=r"later.pt is of version 3, this medseg reads"):
        read_trained_on(tmp_path / "later.pt")
