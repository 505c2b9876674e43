"""Tests of medseg.datasets.polyp: three published layouts, one prepared one, folds by sequence."""

import shutil
from collections import Counter
from functools import partial

import numpy as np
import pytest
from datasets.published import (
    contents,
    listed,
    pack,
    read,
    refused,
    rerun,
    run_interrupted,
    save,
    sections,
    written_again,
)
from PIL import Image

from medseg.datasets import polyp, prepared
from medseg.datasets.phantom import endoscopy
from medseg.datasets.phantom.canvas import Grid

SIZE = 48

refusal = partial(refused, polyp.prepare)


def kvasir(root, *, cases=12):
    """A phantom in the layout of Kvasir-SEG; the folder that holds its folder."""
    endoscopy.write(root, Grid(SIZE, 1, 1.0), cases=cases, test_cases=0, seed=0)
    return root


def frame(number):
    """A colour picture and its mask, different for every number."""
    rng = np.random.default_rng(number)
    mask = np.zeros((6, 8), bool)
    mask[1:4, 2 : 3 + number % 5] = True
    return rng.integers(0, 256, (6, 8, 3), np.uint8), mask


def clinic(root, *, numbers=(1, 25, 26, 50, 51, 67, 68, 612), suffix=".tif"):
    """Frames in the layout of CVC-ClinicDB, two of most sequences."""
    for number in numbers:
        image, mask = frame(number)
        save(image, root / "Original" / f"{number}{suffix}")
        save(mask.astype(np.uint8) * 255, root / "Ground Truth" / f"{number}{suffix}")
    return root


def in_parts(root, *, train=6, val=2):
    """A phantom in the two parts of the resized Kvasir-SEG."""
    kvasir(root / "whole", cases=train + val)
    for part in ("images", "masks"):
        for number, file in enumerate(sorted((root / "whole" / "Kvasir-SEG" / part).iterdir())):
            target = root / ("train" if number < train else "val") / part / f"{number}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(file, target)
    shutil.rmtree(root / "whole")
    return root


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


# ---- Kvasir-SEG


def test_a_kvasir_picture_becomes_rgb_and_its_jpeg_mask_0_and_255(tmp_path, out):
    assert polyp.prepare(kvasir(tmp_path / "set"), out) == 12
    for number in range(12):
        _, mask = endoscopy.draw(np.random.default_rng((0, number)), SIZE)
        case = f"phantom{number:04d}"
        np.testing.assert_array_equal(read(out, "masks", case), mask * 255)
        source = tmp_path / "set" / "Kvasir-SEG" / "images" / f"{case}.jpg"
        np.testing.assert_array_equal(read(out, "images", case), np.asarray(Image.open(source)))


def test_a_fifth_of_the_kvasir_pictures_is_held_out_each_for_itself(tmp_path, out):
    polyp.prepare(kvasir(tmp_path / "set"), out)
    training, testing = listed(out)
    assert (len(training), len(testing)) == (10, 2)
    assert all(item["patient"] == item["case"] for item in training + testing)


def test_the_sections_of_the_prepared_set_part_the_pictures(tmp_path, out):
    polyp.prepare(kvasir(tmp_path / "set"), out)
    parts = sections(out, fold=1)
    assert [len(part) for part in parts] == [8, 2, 2]
    assert len({item["case"] for part in parts for item in part}) == 12


def test_folder_archive_and_inner_folder_give_the_same_files(tmp_path, out):
    source = kvasir(tmp_path / "set")
    polyp.prepare(source, out)
    polyp.prepare(source / "Kvasir-SEG", tmp_path / "inner")
    polyp.prepare(pack(source, tmp_path / "kvasir-seg.zip"), tmp_path / "zipped")
    assert contents(out) == contents(tmp_path / "inner") == contents(tmp_path / "zipped")
    assert len(contents(out)) == 2 * 12 + 1


def test_a_second_run_changes_no_picture(tmp_path, out):
    assert rerun(polyp.prepare, kvasir(tmp_path / "set"), out) == 12


@pytest.mark.parametrize("part", ["images", "masks"])
def test_a_corrected_picture_or_mask_is_made_again_and_no_other(tmp_path, out, part):
    source = kvasir(tmp_path / "set")
    polyp.prepare(source, out)
    file = source / "Kvasir-SEG" / part / "phantom0003.jpg"
    save(np.asarray(Image.open(file))[:, ::-1], file)
    made = written_again(polyp.prepare, source, out)
    assert made == {"images/phantom0003.png", "masks/phantom0003.png"}
    values = np.asarray(Image.open(file))
    expected = (values > 127) * 255 if part == "masks" else values
    np.testing.assert_array_equal(read(out, part, "phantom0003"), expected)


@pytest.mark.parametrize("written", [0, 1, 5, 11])
def test_a_run_interrupted_anywhere_and_repeated_gives_the_same_files(tmp_path, out, written):
    source, method = kvasir(tmp_path / "set", cases=6), (Image.Image, "save")
    assert run_interrupted(polyp.prepare, source, out, written=written, method=method) == 6


# ---- Kvasir-SEG in two parts


def test_the_part_val_is_the_test_set_and_no_fold_has_it(tmp_path, out):
    assert polyp.prepare(in_parts(tmp_path / "set"), out) == 8
    training, testing = listed(out)
    assert [item["case"] for item in testing] == ["val_6", "val_7"]
    assert [item["case"] for item in training] == [f"train_{number}" for number in range(6)]
    assert prepared.list_cases(out, "test", seed=1) == prepared.list_cases(out, "test", seed=2)


def test_a_training_picture_that_is_a_test_picture_too_is_left_out(tmp_path, out):
    source = in_parts(tmp_path / "set")
    for part in ("images", "masks"):
        shutil.copy(source / "val" / part / "6.jpg", source / "train" / part / "3.jpg")
    assert polyp.prepare(source, out) == 8
    assert "train_3" not in {item["case"] for item in listed(out)[0]}


# ---- CVC-ClinicDB


def test_the_sequences_are_29_of_612_frames_in_all():
    """The lengths follow from the frame ranges that the page of CVC-ClinicDB lists."""
    sizes = Counter(polyp.find_sequence(number) for number in range(1, 613))
    lengths = (
        *(25, 25, 17, 11, 25, 23, 25, 26, 22, 6, 22, 25, 25, 20, 20),
        *(25, 21, 20, 25, 20, 19, 19, 12, 25, 25, 18, 25, 20, 21),
    )
    assert sizes == dict(enumerate(lengths, start=1))
    assert sizes.total() == 612


@pytest.mark.parametrize("number", [0, 613])
def test_a_frame_outside_of_every_sequence_is_refused(number):
    with pytest.raises(ValueError, match=f"^CVC-ClinicDB has frames 1 to 612, not {number}: use"):
        polyp.find_sequence(number)


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_a_clinic_frame_belongs_to_its_sequence(tmp_path, out, suffix):
    assert polyp.prepare(clinic(tmp_path / "set", suffix=suffix), out) == 8
    patients = {item["case"]: item["patient"] for part in listed(out) for item in part}
    assert patients == {
        "frame_001": "sequence_01",
        "frame_025": "sequence_01",
        "frame_026": "sequence_02",
        "frame_050": "sequence_02",
        "frame_051": "sequence_03",
        "frame_067": "sequence_03",
        "frame_068": "sequence_04",
        "frame_612": "sequence_29",
    }
    image, mask = frame(51)
    np.testing.assert_array_equal(read(out, "images", "frame_051"), image)
    np.testing.assert_array_equal(read(out, "masks", "frame_051"), mask * 255)


@pytest.mark.parametrize("fold", range(5))
def test_no_sequence_is_in_two_sections(tmp_path, out, fold):
    numbers = [number for end in polyp.SEQUENCE_ENDS[:12] for number in (end - 1, end)]
    polyp.prepare(clinic(tmp_path / "set", numbers=numbers), out)
    patients = [{item["patient"] for item in part} for part in sections(out, fold=fold)]
    assert sum(map(len, patients)) == len(set().union(*patients)) == 12


def test_the_tiff_files_are_read_where_both_are_there(tmp_path, out):
    clinic(tmp_path / "set" / "TIF")
    clinic(tmp_path / "set" / "PNG", numbers=(1, 2), suffix=".png")
    assert polyp.prepare(tmp_path / "set", out) == 8


@pytest.mark.parametrize(
    ("name", "told"),
    [("613", "CVC-ClinicDB has frames 1 to 612, not 613"), ("x1", "Original/x1.tif of ")],
)
def test_a_frame_that_clinic_db_has_not_is_refused_before_anything_is_written(
    tmp_path, out, name, told
):
    source = clinic(tmp_path / "set")
    for folder in ("Original", "Ground Truth"):
        (source / folder / "612.tif").rename(source / folder / f"{name}.tif")
    assert refusal(source, out).startswith(told)
    assert not out.exists()


# ---- refusals


def test_a_source_that_holds_no_layout_is_refused(tmp_path, out):
    save(frame(0)[0], tmp_path / "set" / "pictures" / "1.jpg")
    told = refusal(tmp_path / "set", out, error=FileNotFoundError)
    assert told.startswith(f"no polyp data in {tmp_path}/set (looked for images/*.jpg with ")
    assert told.endswith("or zip archive of Kvasir-SEG or CVC-ClinicDB, with --source")


@pytest.mark.parametrize(("lost", "lacking"), [("masks", "mask"), ("images", "image")])
def test_a_picture_without_its_mask_is_refused_before_anything_is_written(
    tmp_path, out, lost, lacking
):
    source = kvasir(tmp_path / "set")
    (source / "Kvasir-SEG" / lost / "phantom0003.jpg").unlink()
    assert refusal(source, out).startswith(f"case phantom0003 in {source} has no {lacking}: ")
    assert not out.exists()


def test_a_clinic_folder_without_its_masks_is_refused(tmp_path, out):
    source = clinic(tmp_path / "set")
    shutil.rmtree(source / "Ground Truth")
    assert refusal(source, out).startswith(f"case 1 in {source} has no mask: ")


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        (np.zeros((SIZE, SIZE), np.uint8), "the mask of case phantom0003 is empty: "),
        (np.full((9, 7), 255, np.uint8), "the mask of case phantom0003 has 7 x 9 pixels and its"),
    ],
)
def test_an_empty_mask_or_one_of_another_size_is_refused(tmp_path, out, mask, told):
    source = kvasir(tmp_path / "set")
    save(mask, source / "Kvasir-SEG" / "masks" / "phantom0003.jpg")
    assert refusal(source, out).startswith(told)
    assert len(list(out.rglob("*.png"))) == 2 * 3  # those before it


def test_an_unreadable_picture_is_refused_by_its_name(tmp_path, out):
    source = kvasir(tmp_path / "set")
    (source / "Kvasir-SEG" / "images" / "phantom0003.jpg").write_bytes(b"text")
    assert refusal(source, out).startswith("Kvasir-SEG/images/phantom0003.jpg of ")


@pytest.mark.realdata
def test_the_real_parts_become_400_cases_and_100_test_cases(data_root, tmp_path):
    """Eight pictures of each part; the masks are JPEG with values between 0 and 255."""
    for part in ("train", "val"):
        names = sorted(p.name for p in (data_root / "polyp" / part / "images").iterdir())
        assert len(names) == {"train": 400, "val": 100}[part]
        for folder in ("images", "masks"):
            (tmp_path / "some" / part / folder).mkdir(parents=True)
            for name in names[:8]:
                source = data_root / "polyp" / part / folder / name
                (tmp_path / "some" / part / folder / name).symlink_to(source.resolve())
    assert polyp.prepare(tmp_path / "some", tmp_path / "out") == 16
    training, testing = listed(tmp_path / "out")
    assert (len(training), len(testing)) == (8, 8)
    for item in training + testing:
        mask = np.asarray(Image.open(item["label"]))
        assert np.asarray(Image.open(item["image"])).shape == (*mask.shape, 3) == (352, 352, 3)
        assert np.unique(mask).tolist() == [0, 255]


def convert(path, suffix):
    with Image.open(path) as picture:
        picture.save(path.with_suffix(suffix))
    path.unlink()


@pytest.mark.parametrize("suffix", [".jpeg", ".JPG", ".JPEG", ".tif", ".TIFF", ".png", ".bmp"])
@pytest.mark.parametrize("part", ["images", "masks"])
def test_pictures_of_another_usual_suffix_are_read(part, suffix, tmp_path, out):
    kvasir(tmp_path / "set", cases=6)
    files = sorted((tmp_path / "set" / "Kvasir-SEG" / part).iterdir())
    for path in files[:2]:
        convert(path, suffix)
    assert polyp.prepare(tmp_path / "set", out) == 6


def test_a_picture_of_a_format_that_is_not_read_is_named(tmp_path, out):
    kvasir(tmp_path / "set", cases=6)
    first = sorted((tmp_path / "set" / "Kvasir-SEG" / "images").iterdir())[0]
    convert(first, ".gif")
    said = refusal(tmp_path / "set", out)
    assert f"case {first.stem} in" in said
    assert f"has no image, and Kvasir-SEG/images/{first.stem}.gif is in an unsupported" in said


def test_frames_of_which_only_the_masks_are_tiff_are_read(tmp_path, out):
    clinic(tmp_path / "set", suffix=".png")
    for path in list((tmp_path / "set" / "Ground Truth").iterdir()):
        convert(path, ".tiff")
    assert polyp.prepare(tmp_path / "set", out) == 8
