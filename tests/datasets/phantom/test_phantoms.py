"""Tests of medseg.datasets.phantom."""

import pytest
from datasets.phantom.written_files import find_files

from medseg.datasets import phantom
from medseg.datasets.phantom import liver_ct


def test_an_unknown_kind_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="phantom kind 'pet' is unknown: choose one of ct"):
        phantom.write("pet", tmp_path / "new", cases=1, seed=0)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cases": 0}, "cases is 0: choose 1 to 100000"),
        ({"test_cases": -1}, "test_cases is -1: choose 0 to 100000"),
        ({"seed": -1}, "seed is -1: choose 0 to 4294967295"),
        ({"size": 32}, "size is 32: choose 48 to 2048"),
        ({"slices": 0}, "slices is 0: choose 1 to 2048"),
        ({"slices": 4000}, "slices is 4000: choose 1 to 2048"),
        ({"cases": 99999999999}, "cases is 99999999999: choose 1 to 100000"),
        ({"size": 100000}, "size is 100000: choose 48 to 2048"),
        ({"thickness_mm": 0.0}, r"thickness_mm is 0\.0: choose 0\.5 to 10"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        phantom.write("ct", tmp_path / "new", **arguments)


def test_an_empty_folder_is_filled_and_a_full_one_refused_untouched(tmp_path):
    phantom.write("ct", tmp_path / "empty" / "ct", cases=1, test_cases=0, size=48, slices=2)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match="full exists and is not a phantom"):
            phantom.write("ct", tmp_path / "full", cases=1, overwrite=overwrite)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_a_phantom_is_replaced_whole_but_only_when_asked(tmp_path):
    small = {"test_cases": 0, "size": 48, "slices": 2}
    out = tmp_path / "ct"
    out.mkdir()
    phantom.write("ct", out, cases=2, **small)
    with pytest.raises(FileExistsError, match=r"holds a phantom already: .* or pass --overwrite"):
        phantom.write("ct", out, cases=1, **small)
    assert len(find_files(out, "images")) == 2
    phantom.write("ct", out, cases=1, overwrite=True, **small)
    assert len(find_files(out, "images")) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["ct"]


def test_a_failure_on_the_way_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*_args, **_kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(liver_ct, "write_ct_series", fail)
    with pytest.raises(OSError, match="disk full"):
        phantom.write("ct", tmp_path / "ct", cases=1, size=48, slices=2)
    assert list(tmp_path.iterdir()) == []
