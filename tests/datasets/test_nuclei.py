"""Tests of medseg.datasets.nuclei: the published layout, the prepared one, and its sections."""

import io
import shutil
import zipfile
from functools import partial
from itertools import chain

import numpy as np
import pytest
from datasets.published import (
    contents,
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

from medseg.datasets import nuclei

SHAPE = (6, 8)  # rows, columns
PARTS = ("images", "masks", "instances")

refusal = partial(refused, nuclei.prepare)


def mask(*, rows, columns, shape=SHAPE):
    array = np.zeros(shape, np.uint8)
    array[rows, columns] = 255
    return array


LEFT, RIGHT = (mask(rows=slice(1, 4), columns=c) for c in (slice(0, 3), slice(5, 8)))


def publish(root, name, masks, *, shape=SHAPE, seed=0):
    """Write a picture and its masks as published; the files of the masks are 0.png, 1.png, ..."""
    rgba = np.random.default_rng(seed).integers(0, 256, (*shape, 4), np.uint8)
    rgba[..., 3] = 255
    save(rgba, root / name / "images" / f"{name}.png")
    for number, array in enumerate(masks):
        save(array, root / name / "masks" / f"{number}.png")
    return rgba[..., :3]


@pytest.fixture
def published(tmp_path):
    """Two pictures of two nuclei each, "a" and "b", in a folder."""
    for seed, name in enumerate("ab"):
        publish(tmp_path / "source", name, [LEFT, RIGHT], seed=seed)
    return tmp_path / "source"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


# ---- prepare


def test_a_picture_becomes_rgb_a_mask_and_numbered_nuclei(tmp_path, out):
    rgb = publish(tmp_path / "source", "a", [LEFT, RIGHT])
    assert nuclei.prepare(tmp_path / "source", out) == 1
    np.testing.assert_array_equal(read(out, "images", "a"), rgb)
    np.testing.assert_array_equal(read(out, "masks", "a"), LEFT | RIGHT)
    expected = (LEFT > 0) * 1 + (RIGHT > 0) * 2
    np.testing.assert_array_equal(read(out, "instances", "a"), expected)
    assert read(out, "masks", "a").dtype == np.uint8
    assert Image.open(out / "instances" / "a.png").mode == "I;16"


def test_folder_and_archive_give_the_same_files(published, tmp_path, out):
    nuclei.prepare(published, out)
    nuclei.prepare(pack(published, tmp_path / "stage1_train.zip"), tmp_path / "zipped")
    assert contents(out) == contents(tmp_path / "zipped")
    assert len(contents(out)) == 7  # three of each picture, and the datalist


def test_the_archive_is_found_in_a_folder_of_downloads(published, tmp_path, out):
    (tmp_path / "downloads").mkdir()
    pack(published, tmp_path / "downloads" / nuclei.ARCHIVE)
    assert nuclei.prepare(tmp_path / "downloads", out) == 2


def test_nuclei_are_numbered_in_the_order_of_their_files_whatever_the_archives(published, out):
    path = pack(published, published.parent / "s.zip")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(path.with_name("r.zip"), "w") as turned:
        for name in reversed(archive.namelist()):
            turned.writestr(name, archive.read(name))
    nuclei.prepare(path.with_name("r.zip"), out)
    assert read(out, "instances", "a")[2, [0, 7]].tolist() == [1, 2]


def test_more_than_255_nuclei_keep_their_numbers(tmp_path, out):
    shape = (20, 20)
    dots = [mask(rows=n // 20, columns=n % 20, shape=shape) for n in range(300)]
    publish(tmp_path / "source", "a", dots, shape=shape)
    nuclei.prepare(tmp_path / "source", out)
    by_name = sorted(range(300), key=lambda n: f"{n}.png")
    expected = np.zeros(400, int)
    expected[by_name] = range(1, 301)
    np.testing.assert_array_equal(read(out, "instances", "a").ravel(), expected)


def test_where_masks_overlap_the_first_file_keeps_the_pixels_and_a_warning_says_so(
    tmp_path, out, caplog
):
    first = mask(rows=slice(0, 4), columns=slice(0, 4))
    second = mask(rows=slice(0, 4), columns=slice(3, 6))  # 4 pixels of the first
    publish(tmp_path / "source", "a", [first, second])
    nuclei.prepare(tmp_path / "source", out)
    assert read(out, "instances", "a")[0].tolist() == [1, 1, 1, 1, 2, 2, 0, 0]
    assert "masks of picture a overlap in 4 pixels: the first in order keeps them" in caplog.text


def test_one_pixel_of_overlap_is_one_pixel(tmp_path, out, caplog):
    masks = [mask(rows=slice(0, 1), columns=slice(n, n + 2)) for n in (0, 1)]
    publish(tmp_path / "source", "a", masks)
    nuclei.prepare(tmp_path / "source", out)
    assert "masks of picture a overlap in 1 pixel: the first" in caplog.text


def test_a_nucleus_that_another_one_covers_leaves_its_number_out(tmp_path, out):
    dot = mask(rows=2, columns=1)
    publish(tmp_path / "source", "a", [LEFT, dot, RIGHT])
    nuclei.prepare(tmp_path / "source", out)
    assert np.unique(read(out, "instances", "a")).tolist() == [0, 1, 3]


def test_masks_that_touch_do_not_overlap(tmp_path, out, caplog):
    masks = [mask(rows=slice(0, 6), columns=slice(4 * k, 4 * k + 4)) for k in range(2)]
    publish(tmp_path / "source", "a", masks)
    nuclei.prepare(tmp_path / "source", out)
    assert "overlap" not in caplog.text


def test_a_second_run_changes_no_file(published, out):
    assert rerun(nuclei.prepare, published, out) == 2


@pytest.mark.parametrize("part", ["masks/0.png", "images/a.png"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_corrected_file_makes_its_picture_again_and_no_other(published, out, part, zipped):
    def source():
        return pack(published, published.parent / "s.zip") if zipped else published

    nuclei.prepare(source(), out)
    file = published / "a" / part
    save(np.asarray(Image.open(file))[:, ::-1], file)
    made = written_again(nuclei.prepare, source(), out)
    assert made == {f"{folder}/a.png" for folder in PARTS}
    before = contents(out)
    shutil.rmtree(out)
    nuclei.prepare(published, out)
    assert contents(out) == before


def test_a_mask_that_is_added_or_taken_away_makes_its_picture_again(published, out):
    nuclei.prepare(published, out)
    save(mask(rows=5, columns=0), published / "b" / "masks" / "2.png")
    assert "masks/b.png" in written_again(nuclei.prepare, published, out)
    assert read(out, "instances", "b").max() == 3
    (published / "b" / "masks" / "2.png").unlink()
    assert "masks/b.png" in written_again(nuclei.prepare, published, out)
    assert read(out, "instances", "b").max() == 2


def test_a_picture_prepared_before_there_were_stamps_is_made_again(published, out):
    nuclei.prepare(published, out)
    before = contents(out)
    Image.open(out / "masks" / "a.png").save(out / "masks" / "a.png")
    made = written_again(nuclei.prepare, published, out)
    (kept,) = made - {f"{part}/a.png" for part in PARTS}
    assert kept.startswith("masks/a-")  # it may as well have been changed by a user
    (out / kept).unlink()
    assert contents(out) == before


@pytest.mark.parametrize("written", range(6))
def test_a_run_interrupted_anywhere_and_repeated_gives_the_same_files(published, out, written):
    method = Image.Image, "save"
    assert run_interrupted(nuclei.prepare, published, out, written=written, method=method) == 2


def test_the_clutter_of_an_archive_is_passed_over(published, out):
    (published / "a" / "masks" / "._0.png").write_bytes(b"twin")
    (published / "a" / "masks" / "notes.txt").touch()
    (published / "__MACOSX" / "a" / "masks").mkdir(parents=True)
    (published / "__MACOSX" / "a" / "masks" / "._0.png").touch()
    (published / "stage1_train_labels.csv").touch()
    assert nuclei.prepare(published, out) == 2


# ---- refusals of prepare


def test_a_source_that_is_not_there_or_no_archive_is_refused(tmp_path, out):
    assert "no such file or folder" in refusal(tmp_path / "x.zip", out, error=FileNotFoundError)
    (tmp_path / "x.zip").write_bytes(b"text")
    told = "x.zip is incomplete or no zip archive (4 bytes): download it again, or give the folder"
    assert told in refusal(tmp_path / "x.zip", out)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_source_without_pictures_is_refused(tmp_path, out, zipped):
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "a.png").touch()
    source = pack(source, tmp_path / "s.zip") if zipped else source
    told = refusal(source, out, error=FileNotFoundError)
    assert told.startswith(f"no nuclei data in {source} (looked for <id>/images/<id>.png and")


@pytest.mark.parametrize(("lost", "what"), [("masks", "masks"), ("images", "image")])
def test_a_picture_without_masks_or_image_is_refused_before_anything_is_written(
    published, out, lost, what
):
    shutil.rmtree(published / "b" / lost)
    told = refusal(published, out)
    assert told.startswith(f"picture b in {published} has no {what}: unpack the archive again, or")
    assert not out.exists()


def test_a_mask_of_another_size_is_refused(published, out):
    Image.fromarray(LEFT.T).save(published / "b" / "masks" / "1.png")
    told = refusal(published, out)
    assert told.startswith("mask b/masks/1.png has 6 x 8 pixels and its picture 8 x 6 pixels: ")
    assert sorted(p.name for p in out.rglob("*.png")) == ["a.png"] * 3


def test_an_empty_mask_is_refused(published, out):
    Image.fromarray(LEFT * 0).save(published / "b" / "masks" / "1.png")
    assert refusal(published, out).startswith("mask b/masks/1.png is empty: unpack the archive")


@pytest.mark.parametrize("file", ["b/images/b.png", "b/masks/0.png"])
@pytest.mark.parametrize("content", [b"", b"text", "cut", "no header"])
def test_an_unreadable_file_is_refused_by_its_name(published, out, file, content):
    whole = (published / file).read_bytes()
    damaged = {"cut": whole[: len(whole) // 2], "no header": whole[:8] + whole[33:]}
    (published / file).write_bytes(damaged.get(content, content))
    told = refusal(published, out)
    assert told.startswith(f"{file} cannot be read (")
    assert told.endswith("): unpack the archive again")


def test_an_archive_that_is_damaged_within_is_refused_by_the_name_of_the_file(published, out):
    path = pack(published, published.parent / "s.zip")
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("b/masks/1.png")
    content = bytearray(path.read_bytes())
    content[info.header_offset + 30 + len(info.filename) + 20] ^= 0xFF
    path.write_bytes(content)
    assert refusal(path, out).startswith("b/masks/1.png cannot be read (")


def test_a_file_that_inflates_beyond_measure_is_refused_unread(published, out):
    path = pack(published, published.parent / "s.zip")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b/masks/2.png", bytes(2**26 + 1))
    assert f"b/masks/2.png cannot be read (it inflates to {2**26 + 1} bytes" in refusal(path, out)


def test_a_picture_of_more_pixels_than_pillow_decodes_is_refused(published, out):
    content = io.BytesIO()
    Image.new("1", (20000, 10000)).save(content, format="PNG")  # 200 million pixels, 25 kB
    (published / "b" / "masks" / "1.png").write_bytes(content.getvalue())
    assert refusal(published, out).startswith("b/masks/1.png cannot be read (Image size (200000000")


# ---- the prepared set


def test_the_prepared_set_lists_every_picture_with_its_numbered_nuclei(published, out):
    for seed, name in enumerate("cdefgh"):
        publish(published, name, [LEFT], seed=10 + seed)
    nuclei.prepare(published, out)
    parts = sections(out, folds=3)
    assert [len(part) for part in parts] == [4, 2, 2]  # 2 of 8 held out, 3 folds of 2
    items = list(chain(*parts))
    assert sorted(item["case"] for item in items) == list("abcdefgh")
    for item in items:
        files = [str(out / part / f"{item['case']}.png") for part in PARTS]
        assert [item["image"], item["label"], item["instances"]] == files


@pytest.mark.realdata
def test_the_real_archive_holds_one_mask_per_nucleus(data_root, tmp_path):
    """The first three pictures of the archive, and one whose masks overlap."""
    source = data_root / "nuclei" / "stage1_train.zip"
    with zipfile.ZipFile(source) as archive:
        folders = sorted({name.partition("/")[0] for name in archive.namelist()})
        chosen = [*folders[:3], next(n for n in folders if n.startswith("0a7d30b252359a10"))]
        files = [name for name in archive.namelist() if name.partition("/")[0] in chosen]
        archive.extractall(tmp_path / "some", files)
    assert len(folders) == 598
    assert nuclei.prepare(tmp_path / "some", tmp_path / "out") == 4
    for name in chosen:
        instances = read(tmp_path / "out", "instances", name)
        masks = list((tmp_path / "some" / name / "masks").iterdir())
        assert np.unique(instances).tolist() == list(range(len(masks) + 1))
        np.testing.assert_array_equal(read(tmp_path / "out", "masks", name) == 255, instances > 0)
        assert read(tmp_path / "out", "images", name).shape == (*instances.shape, 3)


def convert(path, suffix):
    with Image.open(path) as picture:
        picture.convert("RGB").save(path.with_suffix(suffix))
    path.unlink()


@pytest.mark.parametrize(
    ("part", "suffix"), [("images", ".jpeg"), ("images", ".PNG"), ("masks", ".TIF")]
)
def test_pictures_of_another_usual_suffix_are_read(part, suffix, published, out):
    count = nuclei.prepare(published, out.with_name("before"))
    (folder, *_) = sorted(published.glob(f"**/{part}"))
    for path in list(folder.iterdir()):
        convert(path, suffix)
    assert nuclei.prepare(published, out) == count
    for name in sorted((out.with_name("before") / "instances").iterdir()):
        with Image.open(name) as before, Image.open(out / "instances" / name.name) as after:
            np.testing.assert_array_equal(np.asarray(before), np.asarray(after))


def test_a_mask_in_jpeg_is_refused_by_its_name(published, out):
    (folder, *_) = sorted(published.glob("**/masks"))
    path = sorted(folder.iterdir())[0]
    convert(path, ".jpg")
    with pytest.raises(
        ValueError, match=rf"{path.stem}\.jpg of .* has the name of JPEG, and medseg reads PNG or"
    ):
        nuclei.prepare(published, out)
