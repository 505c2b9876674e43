"""Tests of medseg.datasets.sources.layouts: every converter, given the folder of every other
dataset."""

import json
from pathlib import Path

import numpy as np
import pytest
from datasets.published import pack, save

from medseg.datasets.prepare import MODULES, prepare
from medseg.datasets.sources.layouts import LAYOUTS as KNOWN_LAYOUTS
from medseg.datasets.sources.layouts import find_layouts, make_not_found_error

GREY, COLOUR = np.zeros((8, 8), np.uint8), np.full((8, 8, 3), 9, np.uint8)
CITY = "city_000000_000019"
LAYOUTS = {
    "brain_tumor-mat": ("brain_tumor", ["1.mat", "2.mat", "cvind.mat"]),
    "brain_tumor-zip": ("brain_tumor", ["brainTumorDataPublic_1766.zip"]),
    "brain_tumor-png": ("brain_tumor", ["0.png", "0_mask.png", "1.png", "1_mask.png"]),
    "cityscapes": (
        "cityscapes",
        [
            f"{part}/{split}/city/{CITY}_{end}.png"
            for split in ("train", "val")
            for part, end in (("leftImg8bit", "leftImg8bit"), ("gtFine", "gtFine_labelIds"))
        ],
    ),
    "em_membrane": ("em_membrane", ["train-volume.tif", "train-labels.tif", "test-volume.tif"]),
    "em_membrane-png": ("em_membrane", ["train/image/0.png", "train/label/0.png"]),
    "hippocampus": (
        "hippocampus",
        ["dataset.json", *(f"{p}Tr/hippocampus_001.nii.gz" for p in ("images", "labels"))],
    ),
    "kitti_road": (
        "kitti_road",
        ["training/image_2/um_000000.png", "training/gt_image_2/um_road_000000.png"],
    ),
    "liver-msd": ("liver", ["dataset.json", "imagesTr/liver_0.nii", "labelsTr/liver_0.nii"]),
    "liver-lits": (
        "liver",
        ["Training Batch 1/volume-0.nii", "Training Batch 1/segmentation-0.nii"],
    ),
    "liver_slices": ("liver_slices", ["images/000_001.png", "masks/000_001.png"]),
    "lung_nodule": ("lung_nodule", ["LIDC-IDRI-0001/1/2/a.dcm", "LIDC-IDRI-0001/1/2/069.xml"]),
    "nuclei": ("nuclei", ["0a7e/images/0a7e.png", "0a7e/masks/07a9.png", "0a7e/masks/1b2c.png"]),
    "nuclei-one-mask": ("nuclei", ["0a7e/images/0a7e.png", "0a7e/masks/0a7e.png"]),
    "polyp-kvasir": ("polyp", ["images/cju0.jpg", "masks/cju0.jpg", "kavsir_bboxes.json"]),
    "polyp-below": ("polyp", ["Kvasir-SEG/images/cju0.jpg", "Kvasir-SEG/masks/cju0.jpg"]),
    "polyp-parts": ("polyp", ["train/images/a.jpg", "train/masks/a.jpg", "val/images/b.jpg"]),
    "polyp-clinic": ("polyp", ["Original/1.tif", "Ground Truth/1.tif"]),
}


def lay(folder: Path, files: list[str]) -> Path:
    """Write files of a layout: pictures are pictures, and all others are empty."""
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".png", ".jpg", ".tif"):
            save(COLOUR if "images" in name and "_" not in path.name else GREY, path)
        elif path.name == "dataset.json":
            path.write_text("{}")
        else:
            path.touch()
    return folder


PAIRS = [
    (name, layout) for name in MODULES for layout, (owner, _) in LAYOUTS.items() if owner != name
]


def test_every_dataset_has_a_layout():
    assert KNOWN_LAYOUTS.keys() == MODULES.keys()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_known_by_its_dataset_alone(layout):
    owner, files = LAYOUTS[layout]
    assert find_layouts(files) == [owner]
    assert find_layouts([f"a/b/{file}" for file in files]) == [owner]


@pytest.mark.parametrize(("name", "layout"), PAIRS)
def test_the_folder_of_another_dataset_is_refused_by_what_it_is(name, layout, tmp_path):
    owner, files = LAYOUTS[layout]
    source = lay(tmp_path / "source", files)
    with pytest.raises(FileNotFoundError) as caught:
        prepare(name, source, tmp_path / "out")
    said = str(caught.value)
    assert said.startswith(f"no {name} data in {source} (looked for ")
    assert f"; it has the layout of {owner}: run `medseg prepare {owner}`, or give " in said
    assert "--source" in said
    assert "\n" not in said
    assert not (tmp_path / "out" / "datalist.json").exists()


PACKED = ("nuclei", "polyp-kvasir", "em_membrane-png", "kitti_road")
UNPACKING = ("nuclei", "polyp", "brain_tumor", "em_membrane", "kitti_road")


@pytest.mark.parametrize(
    ("name", "layout"), [p for p in PAIRS if p[0] in UNPACKING and p[1] in PACKED]
)
def test_the_archive_of_another_dataset_is_refused_alike(name, layout, tmp_path):
    owner, files = LAYOUTS[layout]
    source = pack(lay(tmp_path / "source", files), tmp_path / "source.zip")
    with pytest.raises(FileNotFoundError, match=f"it has the layout of {owner}: run"):
        prepare(name, source, tmp_path / "out")


@pytest.mark.parametrize("name", MODULES)
def test_a_folder_of_no_known_dataset_is_refused_with_what_was_looked_for(name, tmp_path):
    source = lay(tmp_path / "source", ["reports/a.txt", "pictures/1.jpg"])
    with pytest.raises(FileNotFoundError, match=rf"^no {name} data in .* \(looked for .*\): give"):
        prepare(name, source, tmp_path / "out")


def test_nuclei_without_any_masks_are_the_part_for_testing_and_no_fault_of_a_picture(tmp_path):
    source = lay(tmp_path / "stage1_test", ["0a/images/0a.png", "0b/images/0b.png"])
    with pytest.raises(FileNotFoundError, match=r"looked for .* and <id>/masks/\*\.png\): give"):
        prepare("nuclei", source, tmp_path / "out")


@pytest.mark.parametrize("name", ["polyp", "liver_slices", "nuclei", "hippocampus", "liver"])
def test_a_folder_that_was_prepared_is_no_source(name, tmp_path):
    source = lay(tmp_path / "source", ["images/a_1.png", "masks/a_1.png", "instances/a_1.png"])
    (source / "datalist.json").write_text(json.dumps({"name": "nuclei"}))
    with pytest.raises(ValueError, match=r"was prepared from nuclei already.* --dataset_dir$"):
        prepare(name, source, tmp_path / "out")


def test_own_pictures_of_an_endoscope_are_taken_whatever_their_names(tmp_path):
    source = tmp_path / "source"
    for number in range(10):
        save(COLOUR + number, source / "images" / f"p{number}_01.png")
        save(GREY + 255, source / "masks" / f"p{number}_01.png")
    assert prepare("polyp", source, tmp_path / "out").text.startswith("10 cases")


def test_a_folder_that_is_not_there_is_said_to_be_missing(tmp_path):
    told = make_not_found_error("liver", tmp_path / "no", looked_for="files", remedy="give some")
    assert str(told) == (f"no liver data found, {tmp_path / 'no'} does not exist: give some")
    told = make_not_found_error("liver", tmp_path, looked_for="files", remedy="give some")
    assert str(told) == f"no liver data in {tmp_path} (looked for files): give some"
