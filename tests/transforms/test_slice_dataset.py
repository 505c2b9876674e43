"""Tests of medseg.transforms.slice_dataset: the copy of a volume, its slices, and when it is
remade."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import DataLoader
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    Lambdad,
    LoadImaged,
    Orientationd,
    RandFlipd,
)

from medseg.ingest.reader import SameGridd, VolumeReader
from medseg.transforms import SliceDataset, copy_untransformed
from medseg.transforms.slice_dataset import choose_slices

KEYS = ["image", "label"]


def load(*, labels=(0, 1, 2), axcodes="RAS"):
    """The liver bundle's `load`."""
    return Compose(
        [
            LoadImaged("image", reader=VolumeReader()),
            LoadImaged("label", reader=VolumeReader(labels=labels)),
            EnsureChannelFirstd(KEYS),
            SameGridd(KEYS),
            Orientationd(KEYS, axcodes=axcodes, labels=None),
        ]
    )


def save(array, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, np.diag([2.0, 2.0, 5.0, 1.0]))
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return str(path)


def make_case(folder, *, name="a", slices=6, labelled=(2, 3), seed=0, dtype=np.int16):
    """A case of random HU, with a labelled square in some slices."""
    hu = np.random.default_rng(seed).integers(-1024, 3071, (5, 4, slices)).astype(dtype)
    label = np.zeros((5, 4, slices), np.uint8)
    label[1:3, 1:3, list(labelled)] = 2
    return {
        "case": name,
        "image": save(hu, folder / f"{name}_image.nii.gz"),
        "label": save(label, folder / f"{name}_label.nii.gz"),
    }


def dataset(cases, folder, **kwargs):
    return SliceDataset(cases, **{"load": load(), "cache_dir": folder / "cache", **kwargs})


def copies(folder):
    """The arrays in the cache, by name, with their time of change."""
    return {p.name: p.stat().st_mtime_ns for p in sorted((folder / "cache").glob("*.npy"))}


class Counting:
    """A `load` that counts; what it counts is no setting."""

    calls: list = []  # noqa: RUF012 - of the class, so that it is not part of the description

    def __call__(self, data):
        self.calls.append(data["case"])
        return load()(data)


@pytest.fixture(autouse=True)
def _forget_calls():
    Counting.calls.clear()


# ---- what an item is


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_every_item_equals_the_slice_of_the_loaded_volume(tmp_path, dtype):
    case = make_case(tmp_path, dtype=dtype)
    volume = load()(case)
    slices = dataset([case], tmp_path, background=10)
    assert [item["slice"] for item in slices] == list(range(6))
    for item in slices:
        for key in KEYS:
            assert torch.equal(item[key], volume[key][..., item["slice"]])
            assert item[key].dtype == torch.float32
            assert item[key].shape == (1, 5, 4)
        assert item["case"] == "a"


def test_every_item_lies_where_the_volume_has_its_slice(tmp_path):
    case = make_case(tmp_path)
    volume = load()(case)
    for _ in range(2):  # a new copy, then the same again
        for item in dataset([case], tmp_path, background=10):
            for key in KEYS:
                moved = item[key].affine @ torch.tensor([2.0, 1, 0, 1], dtype=torch.float64)
                voxel = torch.tensor([2.0, 1, item["slice"], 1], dtype=torch.float64)
                assert torch.equal(moved, volume[key].affine @ voxel)


def test_the_cases_other_entries_reach_the_item(tmp_path):
    case = {**make_case(tmp_path), "patient": "p7"}
    assert dataset([case], tmp_path)[0]["patient"] == "p7"


@pytest.mark.parametrize("axis", [0, 1])
def test_another_axis_gives_its_slices_where_they_lie_and_copies_of_its_own(tmp_path, axis):
    case = make_case(tmp_path)
    volume = load()(case)
    dataset([case], tmp_path)  # its copies are of the last axis
    slices = dataset([case], tmp_path, background=10, axis=axis)
    assert len(slices) == volume["image"].shape[axis + 1]
    for item in slices:
        k = item["slice"]
        for key in ("image", "label"):
            assert torch.equal(item[key], volume[key].select(axis + 1, k))
        voxel = torch.tensor([1.0, 2, 1], dtype=torch.float64).tolist()
        voxel[axis] = float(k)
        pixel = [*(v for a, v in enumerate(voxel) if a != axis), 0, 1]
        expected = volume["image"].affine @ torch.tensor([*voxel, 1], dtype=torch.float64)
        assert torch.allclose(item["image"].affine @ torch.tensor(pixel).double(), expected)


def test_the_transform_sees_the_slice_and_not_the_volume(tmp_path):
    slices = dataset(
        [make_case(tmp_path)], tmp_path, transform=lambda item: tuple(item["image"].shape)
    )
    assert set(slices) == {(1, 5, 4)}


def test_items_do_not_write_into_the_copy(tmp_path):
    slices = dataset([make_case(tmp_path)], tmp_path)
    before = slices[0]["image"].clone()
    slices[0]["image"][:] = 0
    assert torch.equal(slices[0]["image"], before)


def test_several_image_channels_stay_channels(tmp_path):
    case = make_case(tmp_path)
    other = make_case(tmp_path, name="b", seed=1)
    case["image"] = [case["image"], other["image"]]
    item = dataset([case], tmp_path)[0]
    assert item["image"].shape == (2, 5, 4)
    assert item["label"].shape == (1, 5, 4)


def test_a_volume_of_one_slice_gives_one_item(tmp_path):
    slices = dataset([make_case(tmp_path, slices=1, labelled=[0])], tmp_path)
    assert len(slices) == 1
    assert slices[0]["image"].shape == (1, 5, 4)


def test_images_alone_give_all_their_slices(tmp_path):
    case = make_case(tmp_path)
    del case["label"]
    images = Compose([LoadImaged("image", reader=VolumeReader()), EnsureChannelFirstd("image")])
    slices = dataset([case], tmp_path, keys=["image"], load=images)
    assert len(slices) == 6
    assert "label" not in slices[0]


# ---- which slices


@pytest.mark.parametrize(
    ("labelled", "background", "expected"),
    [
        ("001100", 0.5, [0, 2, 3]),
        ("001100", 1.0, [0, 2, 3, 4]),
        ("001100", 0.0, [2, 3]),
        ("001100", 9.0, [0, 1, 2, 3, 4, 5]),
        ("000000", 0.0, [0, 1, 2, 3, 4, 5]),
        ("111111", 0.5, [0, 1, 2, 3, 4, 5]),
        ("1", 0.25, [0]),
        ("0", 0.25, [0]),
        ("", 0.25, []),
    ],
)
def test_labelled_slices_are_kept_and_others_evenly_spaced(labelled, background, expected):
    flags = [flag == "1" for flag in labelled]
    assert choose_slices(flags, background=background) == expected


def test_the_number_of_other_slices_is_rounded_up_and_they_span_the_volume():
    flags = [k >= 90 for k in range(100)]  # 10 labelled, 90 others
    chosen = choose_slices(flags, background=0.25)
    assert [k for k in chosen if k < 90] == [0, 30, 60]


def test_step_takes_every_nth_of_the_chosen_slices(tmp_path):
    slices = dataset([make_case(tmp_path)], tmp_path, background=10, step=4)
    assert [item["slice"] for item in slices] == [0, 4]


# ---- how values are kept


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([0, 255], np.uint8),
        ([7, 7], np.uint8),
        ([-1, 255], np.int16),
        ([-1024, 32767], np.int16),
        ([0, 65535], np.uint16),
        ([-1, 32768], np.float32),
        ([0, 65536], np.float32),
        ([0.0, 0.5], np.float32),
        ([0.0, np.nan], np.float32),
        ([-np.inf, np.inf], np.float32),
    ],
)
def test_the_copy_has_the_smallest_type_that_holds_every_value(tmp_path, values, dtype):
    volume = torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, 2)
    case = {**make_case(tmp_path), "image": make_case(tmp_path)["image"]}
    slices = dataset([case], tmp_path, load=lambda _: {"image": volume, "label": volume * 0})
    stored = np.load(next((tmp_path / "cache").glob("*-image.npy")))
    assert stored.dtype == dtype
    assert stored.shape == (2, 1, 1, 1)
    got = torch.stack([item["image"].flatten()[0] for item in slices])
    torch.testing.assert_close(got.as_tensor(), volume.flatten(), rtol=0, atol=0, equal_nan=True)


# ---- when a copy is made


def test_a_copy_is_made_once_and_used_again(tmp_path):
    case = make_case(tmp_path)
    for _ in range(2):
        dataset([case], tmp_path, load=Counting())
    assert Counting.calls == ["a"]


IN_ANOTHER_PROCESS = """
import json, os, sys
from pathlib import Path
import numpy as np
from transforms.test_slice_dataset import copies, dataset

known, new = json.loads(sys.argv[1])
folder = Path(sys.argv[2])
dataset([known], folder)
print(json.dumps(copies(folder)), flush=True)
np.save = lambda path, array: (path.write_bytes(b"half"), os._exit(9))
dataset([new], folder)
"""


@pytest.fixture(scope="module")
def other_process(tmp_path_factory, repository):
    """Two cases of which the first is copied; a process opens it and is killed in the second."""
    folder = tmp_path_factory.mktemp("shared")
    cases = [make_case(folder, name=name) for name in ("known", "new")]
    dataset(cases[:1], folder)
    before = copies(folder)
    env = {**os.environ, "PYTHONPATH": str(repository / "tests"), "PYTHONHASHSEED": "3"}
    command = [sys.executable, "-W", "ignore", "-c", IN_ANOTHER_PROCESS]
    command += [json.dumps(cases), str(folder)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    return {"folder": folder, "cases": cases, "before": before, "done": done}


@pytest.mark.long
def test_a_second_process_finds_the_copy_again(other_process):
    assert json.loads(other_process["done"].stdout) == other_process["before"]


def test_a_process_killed_while_copying_leaves_nothing_that_counts(other_process):
    folder, case = other_process["folder"], other_process["cases"][1]
    assert other_process["done"].returncode == 9, other_process["done"].stderr
    left = list((folder / "cache").glob(".medseg-*/*"))
    assert [path.read_bytes() for path in left] == [b"half"]
    volume = load()(case)["image"]
    for item in dataset([case], folder):
        assert torch.equal(item["image"], volume[..., item["slice"]])
    assert not left[0].parent.exists()


def test_the_name_of_a_case_may_be_as_long_as_that_of_a_file(tmp_path):
    case = make_case(tmp_path)
    dataset([{**case, "case": "é" * 120}], tmp_path)
    assert copies(tmp_path)
    assert all(len(os.fsencode(name)) < 150 for name in copies(tmp_path))


@pytest.mark.parametrize("key", KEYS)
def test_a_changed_source_file_makes_a_new_copy(tmp_path, key):
    case = make_case(tmp_path)
    dataset([case], tmp_path)
    shutil.copy(make_case(tmp_path / "new", seed=1, labelled=[3, 4])[key], case[key])
    volume = load()(case)[key]
    for item in dataset([case], tmp_path):
        assert torch.equal(item[key], volume[..., item["slice"]])
    assert len(copies(tmp_path)) == 4


def test_another_loading_transform_makes_a_new_copy(tmp_path):
    case = make_case(tmp_path)
    ras = dataset([case], tmp_path)[0]["image"]
    lps = dataset([case], tmp_path, load=load(axcodes="LPS"))[0]["image"]
    assert torch.equal(lps.flip(1, 2), ras)


def test_declaring_fewer_label_values_reads_again_and_refuses(tmp_path):
    case = make_case(tmp_path)
    dataset([case], tmp_path)
    with pytest.raises(ValueError, match="declare the value"):
        dataset([case], tmp_path, load=load(labels=(0, 1)))


@pytest.mark.parametrize("lost", ["image.npy", "label.npy", ".json"])
def test_a_copy_that_is_not_whole_is_made_again(tmp_path, lost):
    case = make_case(tmp_path)
    dataset([case], tmp_path)
    next((tmp_path / "cache").glob(f"*{lost}")).unlink()
    slices = dataset([case], tmp_path, load=load())
    assert torch.equal(slices[0]["image"], load()(case)["image"][..., slices[0]["slice"]])


def test_cases_of_one_name_in_two_folders_do_not_share_a_copy(tmp_path):
    cases = [make_case(tmp_path / f"{seed}", seed=seed) for seed in range(2)]
    slices = dataset(cases, tmp_path)
    assert len(copies(tmp_path)) == 4
    assert not torch.equal(slices[0]["image"], slices[len(slices) // 2]["image"])


def test_one_case_listed_twice_is_whole_in_both_places(tmp_path):
    case = make_case(tmp_path)
    slices = dataset([case] * 4, tmp_path, num_workers=4)
    assert len(copies(tmp_path)) == 2
    for n in range(3):
        assert torch.equal(slices[n]["image"], slices[n + 9]["image"])


def test_a_case_name_may_hold_any_character(tmp_path):
    case = {**make_case(tmp_path), "case": "site 1/ä:b"}
    assert dataset([case], tmp_path)[0]["case"] == "site 1/ä:b"


# ---- workers


def test_threads_prepare_the_same_volumes_as_one(tmp_path):
    cases = [make_case(tmp_path, name=f"c{n}", seed=n) for n in range(8)]
    one = dataset(cases, tmp_path / "one", num_workers=1)
    many = dataset(cases, tmp_path / "many", num_workers=8)
    assert [item["case"] for item in one] == [item["case"] for item in many]
    assert all(torch.equal(a["image"], b["image"]) for a, b in zip(one, many, strict=True))


def test_data_loader_workers_read_what_the_process_itself_reads(tmp_path):
    slices = dataset([make_case(tmp_path)], tmp_path)
    loader = DataLoader(slices, batch_size=2, num_workers=1)
    batches = list(loader)
    assert [batch["image"].shape for batch in batches] == [(2, 1, 5, 4), (1, 1, 5, 4)]
    got = torch.cat([batch["image"] for batch in batches])
    assert torch.equal(got, torch.stack([item["image"] for item in slices]))


def test_the_dataset_goes_to_a_spawned_process_without_its_voxels(tmp_path):
    slices = dataset([make_case(tmp_path)], tmp_path)
    packed = pickle.dumps(slices)
    assert len(packed) < 2000
    assert torch.equal(pickle.loads(packed)[0]["image"], slices[0]["image"])


# ---- refusals


def test_all_refused_cases_are_named_at_once_in_one_line(tmp_path):
    good, absent, unlabelled = (make_case(tmp_path, name=name) for name in ("a", "b", "c"))
    absent["image"] = str(tmp_path / "absent.nii.gz")
    del unlabelled["label"]
    values = make_case(tmp_path, name="d")
    values["label"] = values["image"]
    cut = make_case(tmp_path, name="e")
    Path(cut["image"]).write_bytes(Path(cut["image"]).read_bytes()[:-20])
    with pytest.raises(ValueError, match="4 of 5 cases refused, correct them") as refusal:
        dataset([good, absent, unlabelled, values, cut], tmp_path)
    assert "\n" not in str(refusal.value)
    reasons = re.split(r"(?:: |; )case ", str(refusal.value))[1:]
    assert [reason[0] for reason in reasons] == list("bcde")
    assert "absent.nii.gz" in reasons[0]
    assert "names no label" in reasons[1]
    assert reasons[3].endswith("e_image.nii.gz ends early: copy or download the file again")


def test_image_and_label_of_different_shape_are_refused(tmp_path):
    def unlike(_):
        return {"image": np.zeros((1, 4, 4, 3)), "label": np.zeros((1, 4, 4, 2))}

    with pytest.raises(ValueError, match="image and label differ in shape"):
        dataset([make_case(tmp_path)], tmp_path, load=unlike)


def test_a_random_load_is_refused(tmp_path):
    random = Compose([load(), RandFlipd(KEYS, prob=0.5)])
    with pytest.raises(ValueError, match="cannot be random, got RandFlipd"):
        dataset([make_case(tmp_path)], tmp_path, load=random)


@pytest.mark.parametrize("kwargs", [{"background": -0.1}, {"step": 0}])
def test_numbers_out_of_range_are_refused(tmp_path, kwargs):
    with pytest.raises(ValueError, match="background must be >= 0 and step >= 1"):
        dataset([make_case(tmp_path)], tmp_path, **kwargs)


def test_no_case_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one case"):
        dataset([], tmp_path)


def test_a_lambda_in_the_loading_transform_counts_too(tmp_path):
    case = make_case(tmp_path)
    for factor in (1, 2):
        scaled = Compose([load(), Lambdad("image", lambda x, f=factor: x * f)])
        slices = dataset([case], tmp_path, load=scaled)
        volume = load()(case)["image"] * factor
        assert torch.equal(slices[0]["image"], volume[..., slices[0]["slice"]])


def test_training_and_validation_may_share_the_loading_transform(tmp_path):
    cases, shared = [make_case(tmp_path, name=f"c{n}") for n in range(4)], load()
    dataset(cases[:2], tmp_path, load=shared)
    dataset(cases[2:], tmp_path, load=shared)
    before = copies(tmp_path)
    dataset(cases, tmp_path)
    assert copies(tmp_path) == before


# ---- what is foreground


def test_only_slices_with_a_value_of_a_class_are_foreground(tmp_path):
    case = make_case(tmp_path, labelled=[0, 1, 2])  # value 2
    label = nib.load(case["label"])
    values = np.asarray(label.dataobj).copy()
    values[..., 2] = 0
    values[0, 0, 2] = 1
    nib.save(nib.Nifti1Image(values, label.affine), case["label"])
    for foreground, expected in (([1], [2]), ([2], [0, 1]), (None, [0, 1, 2]), ([1, 2], [0, 1, 2])):
        slices = dataset([case], tmp_path, background=0, foreground=foreground)
        assert [k for _, k in slices.index] == expected


def test_a_side_file_of_an_earlier_version_is_made_anew(tmp_path):
    case = make_case(tmp_path)
    before = dataset([case], tmp_path).index
    [side] = (tmp_path / "cache").glob("*.json")
    side.write_text('{"labelled": [false, false, true, true, false, false]}')
    assert dataset([case], tmp_path).index == before


def test_slices_can_be_had_as_they_are_stored(tmp_path):
    slices = dataset([make_case(tmp_path)], tmp_path, transform=lambda item: "changed")
    assert slices[0] == "changed"
    assert copy_untransformed(slices)[1]["label"].max() == 2
    assert slices[0] == "changed"
