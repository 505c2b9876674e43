"""Tests of medseg.transforms.loaded_dataset: cases are read once, and transformed each time."""

import numpy as np
import pytest
import torch
from monai.transforms import Transform

from medseg.base.errors import find_root_cause
from medseg.transforms import LoadedDataset, copy_untransformed, loaded_dataset

CASES = [{"image": "a.nii.gz"}, {"image": "b.nii.gz", "case": "second"}]


class Load(Transform):
    """Counts how often it reads."""

    def __init__(self):
        self.count = 0

    def __call__(self, case):
        self.count += 1
        return {**case, "image": torch.ones(2)}


@pytest.mark.parametrize(("cache", "reads"), [("memory", 2), ("disk", 2), ("none", 6)])
def test_a_kept_case_is_read_once(tmp_path, cache, reads):
    load = Load()
    dataset = LoadedDataset(CASES, load, cache=cache, cache_dir=tmp_path)
    for _ in range(3):
        assert [dataset[index]["image"].sum() for index in range(len(dataset))] == [2, 2]
    assert load.count == reads


def test_each_item_is_transformed_anew_and_can_be_had_as_it_was_read():
    steps = iter(range(10))
    dataset = LoadedDataset(CASES, Load(), lambda item: {**item, "step": next(steps)})
    assert [dataset[0]["step"], dataset[0]["step"]] == [0, 1]
    plain = copy_untransformed(dataset)
    assert "step" not in plain[0]
    assert dataset[0]["step"] == 2


def test_a_case_without_a_name_has_that_of_its_image():
    dataset = LoadedDataset(CASES, cache="none")
    assert [item["case"] for item in dataset.data] == ["a", "second"]
    assert dataset[0] == {"image": "a.nii.gz", "case": "a"}


@pytest.mark.parametrize("choice", [{"cache": "ram"}, {"cache": "disk"}])
def test_another_word_and_a_missing_folder_are_refused(choice):
    with pytest.raises(ValueError, match=r"cache is '\w+', with cache_dir None: pass memory"):
        LoadedDataset(CASES, Load(), **choice)


@pytest.mark.parametrize("cache", ["disk", "none"])
def test_a_check_reads_every_case_and_names_all_that_cannot_be_used(tmp_path, cache):
    def load(case):
        if case["case"] != "a":
            raise ValueError("no label")
        return case

    cases = [{"image": "a.nii.gz"}, {"image": "b.nii.gz"}, {"image": "c.nii.gz"}]
    dataset = LoadedDataset(cases, load, cache=cache, cache_dir=tmp_path)
    with pytest.raises(ValueError, match=r"2 of 3 .*: case b: no label; case c: no label"):
        dataset.check()
    LoadedDataset(cases[:1], load, cache=cache, cache_dir=tmp_path).check()


def test_large_cases_at_the_start_do_not_refuse_what_fits(monkeypatch):
    monkeypatch.setattr(loaded_dataset, "find_available_bytes", lambda: 1000)
    sizes = iter([300, 300, 8, 8, 8, 8, 8])

    def load(case):
        return {"image": np.zeros(next(sizes), np.uint8)}

    LoadedDataset([{"image": f"{n}.nii"} for n in range(7)], load)


@pytest.mark.parametrize(("free", "fits"), [(9 * 8, True), (9 * 8 - 1, False), (None, True)])
def test_cases_that_do_not_fit_into_memory_are_refused_by_the_first_of_them(
    monkeypatch, free, fits
):
    monkeypatch.setattr(loaded_dataset, "find_available_bytes", lambda: free)
    load = Load()  # 8 bytes a case
    if fits:
        LoadedDataset(CASES[:1] * 9, load)
        assert load.count == 9
        return
    with pytest.raises(RuntimeError) as refused:
        LoadedDataset(CASES[:1] * 9, load)
    assert "9 cases take at least" in str(find_root_cause(refused.value))
    assert "--cache disk" in str(find_root_cause(refused.value))
    assert load.count == 3
