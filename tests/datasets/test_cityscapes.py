"""Tests of medseg.datasets.cityscapes: the published layout and ids, cities, refusals."""

import shutil
import zipfile
from functools import partial
from pathlib import Path

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

from medseg.datasets import cityscapes, prepared
from medseg.datasets.phantom import street
from medseg.datasets.phantom.canvas import Grid

SHAPE = (4, 8)
SCORED = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
"""Published ids by train id (Cordts et al., table 1 of the supplement; cityscapesScripts)."""
TRAIN = ("aachen", "bochum", "bremen")

refusal = partial(refused, cityscapes.prepare)


def paths(root, split, city, *, number=0):
    name = f"{city}_{number:06d}_000019"
    image = root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png"
    return image, root / "gtFine" / split / city / f"{name}_gtFine_labelIds.png"


def publish(root, split, city, *, number=0, ids=7, seed=0):
    image, labels = paths(root, split, city, number=number)
    save(np.random.default_rng(seed).integers(0, 256, (*SHAPE, 3), np.uint8), image)
    save(np.broadcast_to(ids, SHAPE), labels)


def archive(root, part, path):
    """Pack one of the two folders, with the clutter that is beside it."""
    pack(root / part, path, below=part)
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr("license.txt", "terms")


@pytest.fixture
def published(tmp_path):
    """Two pictures of each of three cities in train, one of a fourth in val."""
    root = tmp_path / "published"
    for seed, city in enumerate(TRAIN):
        for number in range(2):
            publish(root, "train", city, number=number, seed=10 * seed + number)
    publish(root, "val", "lindau", ids=26, seed=99)
    return root


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


# ---- labels


def test_a_mask_holds_the_train_id_plus_one():
    assert cityscapes.map_ids(np.array(SCORED, np.uint8)).tolist() == list(range(1, 20))


def test_void_ids_are_not_scored():
    void = sorted(set(range(34)) - set(SCORED))
    assert len(void) == 15
    assert set(cityscapes.map_ids(np.array(void, np.uint8)).tolist()) == {255}


def test_the_table_has_the_nineteen_classes_in_their_published_order():
    assert [scored.label_id for scored in cityscapes.CLASSES] == SCORED
    assert len({scored.rgb for scored in cityscapes.CLASSES}) == 19
    assert [scored.name for scored in cityscapes.CLASSES][::9] == ["road", "terrain", "bicycle"]
    assert list(cityscapes.LABEL_VALUES) == [*range(1, 20), 255]


@pytest.mark.parametrize("unknown", [34, 255])
def test_an_unknown_id_is_refused(unknown):
    with pytest.raises(ValueError, match=f"id {unknown} is unknown: the published ids are 0 to 33"):
        cityscapes.map_ids(np.array([7, unknown], np.uint8))


# ---- prepare


def test_pictures_stay_as_published_and_ids_become_masks(published, out):
    assert cityscapes.prepare(published, out) == 7
    image, _ = paths(published, "train", "aachen")
    assert (out / "images" / "aachen_000000_000019.png").read_bytes() == image.read_bytes()
    assert set(read(out, "masks", "aachen_000000_000019").ravel()) == {1}
    assert set(read(out, "masks", "lindau_000000_000019").ravel()) == {14}
    assert read(out, "masks", "lindau_000000_000019").dtype == np.uint8


def test_the_two_archives_give_the_same_files_as_the_folders(published, out, tmp_path):
    cityscapes.prepare(published, out)
    (tmp_path / "zips").mkdir()
    for folder, name in cityscapes.ARCHIVES.items():
        archive(published, folder, tmp_path / "zips" / name)
    assert cityscapes.prepare(tmp_path / "zips", tmp_path / "zipped") == 7
    assert contents(tmp_path / "zipped") == contents(out)


@pytest.mark.parametrize("unpacked", [("leftImg8bit",), ("leftImg8bit", "gtFine")])
def test_an_archive_that_is_unpacked_beside_itself_is_left_aside(published, out, unpacked):
    for folder, name in cityscapes.ARCHIVES.items():
        archive(published, folder, published / name)
    for folder in set(cityscapes.ARCHIVES) - set(unpacked):
        shutil.rmtree(published / folder)
    assert cityscapes.prepare(published, out) == 7


def test_test_pictures_and_the_other_truths_are_left_aside(published, out):
    publish(published, "test", "berlin", ids=3)
    _, labels = paths(published, "train", "aachen")
    for other in ("gtFine_color", "gtFine_instanceIds"):
        save(np.zeros(SHAPE), Path(str(labels).replace("gtFine_labelIds", other)))
    labels.with_name(labels.name.replace("labelIds.png", "polygons.json")).write_text("{}")
    assert cityscapes.prepare(published, out) == 7
    assert not (out / "images" / "berlin_000000_000019.png").exists()


def test_a_city_is_a_sequence_and_val_is_the_test_set(published, out):
    cityscapes.prepare(published, out)
    training, testing = listed(out)
    assert {item["case"]: item["patient"] for item in testing} == {"lindau_000000_000019": "lindau"}
    fold_of = {(item["patient"], item["fold"]) for item in training}
    assert sorted(city for city, _ in fold_of) == sorted(TRAIN)  # each in one fold only


def test_a_second_run_changes_no_picture(published, out):
    assert rerun(cityscapes.prepare, published, out) == 7


def test_corrected_labels_in_the_archive_are_made_again_and_no_other(published, out, tmp_path):
    downloads = tmp_path / "downloads"
    downloads.mkdir()

    def source():
        for part, name in cityscapes.ARCHIVES.items():
            archive(published, part, downloads / name)
        return downloads

    cityscapes.prepare(source(), out)
    publish(published, "val", "lindau", ids=33, seed=99)
    case = "lindau_000000_000019"
    made = written_again(cityscapes.prepare, source(), out)
    assert made == {f"images/{case}.png", f"masks/{case}.png"}
    assert np.unique(read(out, "masks", case)).tolist() == [19]


@pytest.mark.parametrize("written", [0, 1, 6, 13, 14])
def test_a_run_interrupted_anywhere_and_repeated_gives_the_same_files(published, out, written):
    assert run_interrupted(cityscapes.prepare, published, out, written=written) == 7


def test_the_phantom_gives_five_folds_and_every_label_value(tmp_path, out):
    street.write_city(tmp_path / "s", Grid(48, 1, 1.0), cases=7, test_cases=3, seed=0)
    assert cityscapes.prepare(tmp_path / "s", out) == 10
    held = [prepared.list_cases(out, "validation", fold=fold) for fold in range(5)]
    assert [len(part) for part in held] == [2, 2, 1, 1, 1]
    values = {v for part in held for i in part for v in np.unique(Image.open(i["label"]))}
    assert values == set(cityscapes.LABEL_VALUES)
    assert len(prepared.list_cases(out, "test")) == 3


# ---- refusals


def test_a_source_that_is_not_there_or_of_another_dataset_is_refused(tmp_path, out):
    assert "no such file or folder" in refusal(tmp_path / "x", out, error=FileNotFoundError)
    (tmp_path / "y").mkdir()
    told = refusal(tmp_path / "y", out, error=FileNotFoundError)
    assert f"no cityscapes data in {tmp_path / 'y'} (looked for leftImg8bit/train/<city>/" in told
    assert "the folder of leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip" in told


def test_a_set_without_val_is_refused(published, out):
    for folder in cityscapes.ARCHIVES:
        shutil.rmtree(published / folder / "val")
    assert "looked for leftImg8bit/val/" in refusal(published, out, error=FileNotFoundError)


@pytest.mark.parametrize(("lost", "what"), [(0, "leftImg8bit.png"), (1, "gtFine_labelIds.png")])
def test_a_picture_without_labels_or_labels_without_a_picture_are_refused(
    published, out, lost, what
):
    paths(published, "train", "bremen", number=1)[lost].unlink()
    told = refusal(published, out)
    assert told.startswith(f"case bremen_000001_000019 in {published} has no {what}: ")
    assert not out.exists()


def test_labels_of_another_size_are_refused(published, out):
    _, labels = paths(published, "train", "bremen")
    save(np.full((8, 4), 7), labels)
    assert f"{labels.name} has 4 x 8 pixels and its picture 8 x 4 pixels" in refusal(published, out)


def test_ids_that_are_not_published_are_refused_with_the_file(published, out):
    """Such as a file of train ids, where 255 is void."""
    _, labels = paths(published, "train", "bremen")
    save(np.full(SHAPE, 255), labels)
    assert f"{labels.name}: id 255 is unknown: the published ids are 0 to 33" in refusal(
        published, out
    )


def test_labels_in_colour_are_refused(published, out):
    _, labels = paths(published, "train", "bremen")
    save(np.full((*SHAPE, 3), 128), labels)
    assert "has colours (RGB) and not grey (8 bits) as published" in refusal(published, out)


@pytest.mark.parametrize("which", [0, 1])
def test_a_damaged_file_is_refused_by_its_name(published, out, which):
    path = paths(published, "train", "bremen")[which]
    path.write_bytes(path.read_bytes()[:40])
    told = refusal(published, out)
    assert f"{path.relative_to(published).as_posix()} of {published} cannot be read (" in told


def test_two_copies_of_a_picture_are_refused(published, out):
    shutil.copytree(published / "gtFine", published / "copy" / "gtFine")
    assert "are the same file of the dataset: keep one copy" in refusal(published, out)


@pytest.mark.parametrize("part", ["leftImg8bit", "gtFine"])
def test_a_picture_of_another_format_is_refused_by_its_name(part, published, out):
    path = sorted((published / part / "train").glob("*/*leftImg8bit.png"))
    path = (path or sorted((published / part / "train").glob("*/*labelIds.png")))[0]
    path.rename(path.with_suffix(".jpg"))
    with pytest.raises(
        ValueError, match=rf"{path.stem}\.jpg of .* has the name of JPEG, and medseg reads PNG"
    ):
        cityscapes.prepare(published, out)
