"""Tests of medseg.datasets.em_membrane: stacks and slices give one set, in blocks of neighbours."""

from functools import partial

import numpy as np
import pytest
from datasets.published import contents, listed, pack, refused, rerun, save, sections, written_again
from datasets.published import read as read_case
from PIL import Image, ImageSequence

from medseg.datasets import em_membrane, prepared
from medseg.datasets.phantom import membrane
from medseg.datasets.phantom.canvas import Grid

refusal = partial(refused, em_membrane.prepare)


def stacks(root, *, cases=30, test_cases=0):
    membrane.write(root, Grid(48, 1, 1.0), cases=cases, test_cases=test_cases, seed=0)
    return root


def pages(path):
    with Image.open(path) as image:
        return np.stack([np.asarray(page) for page in ImageSequence.Iterator(image)])


def slices(root, source):
    """The PNG form of the stacks, numbered from 0."""
    for folder, name in (("image", "train-volume.tif"), ("label", "train-labels.tif")):
        for number, page in enumerate(pages(source / name)):
            save(page, root / "train" / folder / f"{number}.png")
    return root


def save_stack(array, path):
    first, *rest = (Image.fromarray(page) for page in array)
    first.save(path, format="TIFF", save_all=True, append_images=rest)


def read(out, part, number):
    return read_case(out, part, f"slice_{number:02d}")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Thirty labelled slices and two of the test stack; not to be changed."""
    return stacks(tmp_path_factory.mktemp("published") / "set", test_cases=2)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_every_slice_and_its_label_come_out_as_published(published, out):
    assert em_membrane.prepare(published, out) == 30
    images, labels = (pages(published / f"train-{name}.tif") for name in ("volume", "labels"))
    for number in range(30):
        np.testing.assert_array_equal(read(out, "images", number), images[number])
        np.testing.assert_array_equal(read(out, "masks", number), labels[number])


def test_the_test_stack_is_written_apart_and_is_no_case(published, out):
    em_membrane.prepare(published, out)
    expected = pages(published / "test-volume.tif")
    np.testing.assert_array_equal([read(out, "test", number) for number in range(2)], expected)
    assert "test/" not in (out / "datalist.json").read_text()


def test_stacks_slices_and_archive_give_the_same_cases(published, tmp_path, out):
    em_membrane.prepare(published, out)
    em_membrane.prepare(slices(tmp_path / "png", published), tmp_path / "out2")
    em_membrane.prepare(pack(published, tmp_path / "set.zip", below="isbi"), tmp_path / "out3")
    assert contents(tmp_path / "out3") == contents(out)
    without_test = {path: v for path, v in contents(out).items() if path.parts[0] != "test"}
    assert contents(tmp_path / "out2") == without_test
    assert len(without_test) == 2 * 30 + 1


def test_slices_are_sorted_by_number_not_by_name(published, tmp_path, out):
    em_membrane.prepare(slices(tmp_path / "png", published), out)
    np.testing.assert_array_equal(read(out, "images", 2), pages(published / "train-volume.tif")[2])


def test_thirty_slices_are_six_blocks_of_five_neighbours(published, out):
    em_membrane.prepare(published, out)
    training, testing = listed(out)
    items = sorted(training + testing, key=lambda item: item["case"])
    assert [item["patient"] for item in items] == [f"block_{n // 5}" for n in range(30)]
    assert len(testing) == 5


@pytest.mark.parametrize(("number", "lengths"), [(6, {1}), (7, {1, 2}), (30, {5}), (32, {5, 6})])
def test_blocks_are_contiguous_and_of_nearly_one_length(number, lengths):
    blocks = em_membrane._assign_blocks(number)
    assert blocks == sorted(blocks)
    assert sorted(set(blocks)) == list(range(6))
    assert {blocks.count(block) for block in range(6)} == lengths


@pytest.mark.parametrize("fold", range(5))
def test_every_fold_is_one_block_and_so_is_the_test_set(published, out, fold):
    em_membrane.prepare(published, out)
    patients = [{item["patient"] for item in part} for part in sections(out, fold=fold)]
    assert [len(part) for part in patients] == [4, 1, 1]
    assert len(set().union(*patients)) == 6


def test_a_second_run_changes_no_picture(published, out):
    assert rerun(em_membrane.prepare, published, out) == 30


def test_a_lost_file_is_made_again(published, out):
    em_membrane.prepare(published, out)
    before = contents(out)
    (out / "masks" / "slice_07.png").unlink()
    (out / "test" / "slice_01.png").unlink()
    em_membrane.prepare(published, out)
    assert contents(out) == before


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("train-labels.tif", {"images/slice_04.png", "masks/slice_04.png"}),
        ("train-volume.tif", {"images/slice_04.png", "masks/slice_04.png"}),
        ("test-volume.tif", {"test/slice_04.png"}),
    ],
)
def test_a_corrected_page_makes_its_slice_again_and_no_other(tmp_path, out, name, made):
    source = stacks(tmp_path / "set", cases=6, test_cases=6)
    em_membrane.prepare(source, out)
    array = pages(source / name)
    array[4] = array[4, ::-1]
    save_stack(array, source / name)
    assert written_again(em_membrane.prepare, source, out) == made
    part = "test" if "test" in name else "masks" if "labels" in name else "images"
    np.testing.assert_array_equal(read(out, part, 4), array[4])


def test_labels_of_one_bit_are_0_and_255_too(tmp_path, out):
    root = slices(tmp_path / "png", stacks(tmp_path / "set", cases=6))
    before = Image.open(root / "train" / "label" / "3.png")
    before.convert("1", dither=Image.Dither.NONE).save(root / "train" / "label" / "3.png")
    em_membrane.prepare(root, out)
    np.testing.assert_array_equal(read(out, "masks", 3), np.asarray(before))


# ---- refusals


def test_a_source_without_stacks_or_slices_is_refused(tmp_path, out):
    (tmp_path / "set").mkdir()
    told = refusal(tmp_path / "set", out, error=FileNotFoundError)
    assert told.startswith(f"no em_membrane data in {tmp_path}/set (looked for train-volume.tif")


@pytest.mark.parametrize("lost", ["train-volume.tif", "train-labels.tif"])
def test_one_stack_without_the_other_is_refused(tmp_path, out, lost):
    (stacks(tmp_path / "set", cases=6) / lost).unlink()
    assert f" without {lost}: download" in refusal(tmp_path / "set", out)


def test_stacks_of_different_length_are_refused(tmp_path, out):
    source = stacks(tmp_path / "set", cases=6)
    save_stack(pages(source / "train-labels.tif")[:5], source / "train-labels.tif")
    assert "train-volume.tif of" in (told := refusal(source, out))
    assert "has 6 slices and train-labels.tif 5: download them again" in told
    assert not out.exists()


def test_a_slice_without_its_label_is_refused(tmp_path, out):
    root = slices(tmp_path / "png", stacks(tmp_path / "set", cases=6))
    (root / "train" / "label" / "3.png").unlink()
    assert refusal(root, out).startswith(f"case 3 in {root} has no mask: ")
    assert not out.exists()


def test_a_label_with_another_value_is_refused_by_its_slice(tmp_path, out):
    source = stacks(tmp_path / "set", cases=6)
    labels = pages(source / "train-labels.tif")
    labels[4, 0, 0] = 128
    save_stack(labels, source / "train-labels.tif")
    told = refusal(source, out)
    assert told.startswith("the label of case slice_04 has the value 128, not only 0 (membrane)")


def test_a_picture_that_is_not_8_bit_grey_is_refused(tmp_path, out):
    root = slices(tmp_path / "png", stacks(tmp_path / "set", cases=6))
    Image.new("I;16", (48, 48)).save(root / "train" / "image" / "3.png")
    assert refusal(root, out).startswith("train/image/3.png has grey (16 bits), not")


def test_two_copies_of_a_stack_are_refused(tmp_path, out):
    stacks(tmp_path / "set" / "one", cases=6)
    stacks(tmp_path / "set" / "two", cases=6)
    told = refusal(tmp_path / "set", out)
    assert told.startswith("one/train-volume.tif and two/train-volume.tif of ")


@pytest.mark.realdata
def test_the_real_slices_are_thirty_in_six_blocks(data_root, tmp_path):
    source = data_root / "em_membrane"
    assert em_membrane.prepare(source, tmp_path / "out") == 30
    for number in (0, 2, 10, 29):
        for part, folder in (("images", "image"), ("masks", "label")):
            original = np.asarray(Image.open(source / "train" / folder / f"{number}.png"))
            np.testing.assert_array_equal(read(tmp_path / "out", part, number), original)
    assert len(prepared.list_cases(tmp_path / "out", "test")) == 5
