"""Tests of medseg.datasets.kitti_road: the published layout and colours, sequences, refusals."""

import shutil
from functools import partial
from itertools import chain

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
    written_again,
)
from PIL import Image

from medseg.datasets import kitti_road, prepared
from medseg.datasets.phantom import street
from medseg.datasets.phantom.canvas import Grid

RED, MAGENTA, BLACK, BLUE = (255, 0, 0), (255, 0, 255), (0, 0, 0), (0, 0, 255)
SHAPE = (4, 6)

refusal = partial(refused, kitti_road.prepare)


def publish(root, case, *, truth=None, seed=0):
    """Write a picture and its truth as published; the truth has its left half as road."""
    category, number = case.split("_")
    picture = np.random.default_rng(seed).integers(0, 256, (*SHAPE, 3), np.uint8)
    if truth is None:
        truth = np.full((*SHAPE, 3), RED)
        truth[:, :3] = MAGENTA
    save(picture, root / "training" / "image_2" / f"{case}.png")
    save(truth, root / "training" / "gt_image_2" / f"{category}_road_{number}.png")
    return picture


def publish_all(root, cases):
    for seed, case in enumerate(cases):
        publish(root, case, seed=seed)
    return root


@pytest.fixture
def published(tmp_path):
    """Five sequences of one picture: um 0, 16 and 32, umm 5, uu 97."""
    cases = ("um_000000", "um_000016", "um_000032", "umm_000005", "uu_000097")
    return publish_all(tmp_path / "data_road", cases)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


# ---- prepare


def test_red_is_not_road_magenta_is_road_and_what_has_no_red_does_not_count():
    truth = np.array([[RED, MAGENTA, BLACK, BLUE]], np.uint8)
    assert kitti_road.map_colours(truth).tolist() == [[0, 1, 255, 255]]


def test_a_picture_stays_as_published_and_its_truth_becomes_a_mask(published, out):
    assert kitti_road.prepare(published, out) == 5
    source = published / "training" / "image_2" / "um_000000.png"
    assert (out / "images" / "um_000000.png").read_bytes() == source.read_bytes()
    expected = np.zeros(SHAPE, np.uint8)
    expected[:, :3] = 1
    np.testing.assert_array_equal(read(out, "masks", "um_000000"), expected)
    assert read(out, "masks", "um_000000").dtype == np.uint8


def test_folder_and_archive_give_the_same_files(published, out, tmp_path):
    kitti_road.prepare(published, out)
    archive = pack(published, tmp_path / "data_road.zip", below="data_road")
    assert kitti_road.prepare(archive, tmp_path / "zipped") == 5
    assert contents(tmp_path / "zipped") == contents(out)


def test_the_ego_lane_and_the_pictures_without_truth_are_not_read(published, out):
    training = published / "training" / "gt_image_2"
    save(np.full((*SHAPE, 3), RED), training / "um_lane_000000.png")
    save(np.zeros((*SHAPE, 3)), published / "testing" / "image_2" / "um_000001.png")
    assert kitti_road.prepare(published, out) == 5
    assert read(out, "masks", "um_000000").any()
    assert not (out / "images" / "um_000001.png").exists()


def test_sequences_are_runs_of_sixteen_numbers_of_a_category(tmp_path, out):
    cases = [f"um_{n:06d}" for n in (0, 15, 16, 31, 32)]
    cases += ["umm_000015", "uu_000016", "uu_000097"]
    kitti_road.prepare(publish_all(tmp_path / "s", cases), out)
    patient = {item["case"]: item["patient"] for item in chain(*listed(out))}
    assert list(map(patient.get, cases)) == [
        *("um_00", "um_00", "um_01", "um_01", "um_02"),
        *("umm_00", "uu_01", "uu_06"),
    ]


def test_the_whole_set_has_nineteen_sequences():
    """95 um, 96 umm and 98 uu pictures, numbered from 0 (Fritsch et al., table I)."""
    counts = {"um": 95, "umm": 96, "uu": 98}
    items = [
        kitti_road._make_item(f"{c}_{n:06d}") for c, count in counts.items() for n in range(count)
    ]
    assert len(items) == 289
    assert len({item["patient"] for item in items}) == 6 + 6 + 7


def test_a_second_run_changes_no_picture(published, out):
    assert rerun(kitti_road.prepare, published, out) == 5


def test_a_corrected_truth_or_picture_is_made_again_and_no_other(published, out):
    kitti_road.prepare(published, out)
    case = {"images/um_000016.png", "masks/um_000016.png"}
    save(np.full((*SHAPE, 3), RED), published / "training/gt_image_2/um_road_000016.png")
    assert written_again(kitti_road.prepare, published, out) == case
    assert not read(out, "masks", "um_000016").any()
    picture = np.zeros((*SHAPE, 3), np.uint8)
    save(picture, published / "training/image_2/um_000016.png")
    assert written_again(kitti_road.prepare, published, out) == case
    np.testing.assert_array_equal(read(out, "images", "um_000016"), picture)


@pytest.mark.parametrize("written", range(6))
def test_a_run_interrupted_anywhere_and_repeated_gives_the_same_files(published, out, written):
    assert run_interrupted(kitti_road.prepare, published, out, written=written) == 5


# ---- the prepared set


def test_no_sequence_is_in_two_folds_or_in_test_and_training(tmp_path, out):
    street.write_road(tmp_path / "s", Grid(32, 1, 1.0), cases=18, test_cases=1, seed=0)
    assert kitti_road.prepare(tmp_path / "s", out) == 18
    held = [prepared.list_cases(out, "validation", fold=fold) for fold in range(5)]
    held.append(prepared.list_cases(out, "test"))
    patients = [{item["patient"] for item in part} for part in held]
    assert sum(len(part) for part in held) == 18
    assert sum(map(len, patients)) == len(set().union(*patients)) == 18


def test_the_phantoms_masks_are_its_truth(tmp_path, out):
    street.write_road(tmp_path / "s", Grid(32, 1, 1.0), cases=6, test_cases=0, seed=3)
    kitti_road.prepare(tmp_path / "s", out)
    for item in chain(prepared.list_cases(out), prepared.list_cases(out, "test")):
        category, number = item["case"].split("_")
        truth = tmp_path / "s" / "training" / "gt_image_2" / f"{category}_road_{number}.png"
        red, _, blue = np.moveaxis(np.asarray(Image.open(truth)), -1, 0)
        made = np.asarray(Image.open(item["label"]))
        np.testing.assert_array_equal(made == 255, red == 0)
        np.testing.assert_array_equal(made == 1, (red > 0) & (blue > 0))
        assert set(np.unique(made)) == {0, 1, 255}


# ---- refusals


def test_a_source_that_is_not_there_or_of_another_dataset_is_refused(tmp_path, out):
    assert "no such file or folder" in refusal(tmp_path / "x.zip", out, error=FileNotFoundError)
    (tmp_path / "y").mkdir()
    told = refusal(tmp_path / "y", out, error=FileNotFoundError)
    assert told.startswith(f"no kitti_road data in {tmp_path / 'y'} (looked for training/")


@pytest.mark.parametrize(
    ("lost", "what"), [("gt_image_2/uu_road_000097", "mask"), ("image_2/uu_000097", "image")]
)
def test_a_picture_without_truth_or_a_truth_without_picture_is_refused(published, out, lost, what):
    (published / "training" / f"{lost}.png").unlink()
    assert refusal(published, out).startswith(f"case uu_000097 in {published} has no {what}: ")
    assert not out.exists()


def test_a_truth_of_another_size_is_refused(published, out):
    save(np.full((6, 4, 3), RED), published / "training" / "gt_image_2" / "umm_road_000005.png")
    told = refusal(published, out)
    assert "gt_image_2/umm_road_000005.png has 4 x 6 pixels and its picture 6 x 4" in told


@pytest.mark.parametrize("colour", [(0, 255, 0), BLACK, (128, 64, 128)])
def test_a_truth_in_other_colours_is_refused(published, out, colour):
    path = published / "training" / "gt_image_2" / "umm_road_000005.png"
    save(np.full((*SHAPE, 3), colour), path)
    told = refusal(published, out)
    assert "gt_image_2/umm_road_000005.png: it is not in red, magenta and black" in told


def test_a_grey_truth_is_refused(published, out):
    save(np.full(SHAPE, 255), published / "training" / "gt_image_2" / "umm_road_000005.png")
    assert "umm_road_000005.png of " in refusal(published, out)
    assert "has grey (8 bits) and not colours (RGB) as published" in refusal(published, out)


@pytest.mark.parametrize("file", ["image_2/umm_000005.png", "gt_image_2/umm_road_000005.png"])
def test_a_damaged_file_is_refused_by_its_name(published, out, file):
    path = published / "training" / file
    path.write_bytes(path.read_bytes()[:40])
    assert f"{file} of {published} cannot be read (" in refusal(published, out)


def test_two_copies_of_a_picture_are_refused(published, out):
    shutil.copytree(published / "training", published / "copy" / "training")
    assert "are both called um_000000: keep one copy" in refusal(published, out)


@pytest.mark.parametrize(
    ("suffix", "name"), [(".jpg", "JPEG"), (".JPEG", "JPEG"), (".tif", "TIFF")]
)
@pytest.mark.parametrize("part", ["image_2", "gt_image_2"])
def test_a_picture_of_another_format_is_refused_by_its_name(part, suffix, name, published, out):
    path = sorted((published / "training" / part).glob("um*"))[0]
    path.rename(path.with_suffix(suffix))
    with pytest.raises(
        ValueError, match=rf"{path.stem}{suffix} of .* has the name of {name}, and medseg reads PNG"
    ):
        kitti_road.prepare(published, out)
