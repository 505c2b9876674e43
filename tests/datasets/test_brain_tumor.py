"""Tests of medseg.datasets.brain_tumor: .mat files as published, PNG in blocks, no name let out."""

import dataclasses
import hashlib
import io
import logging
import zipfile
from functools import partial
from itertools import chain

import h5py
import numpy as np
import pytest
from datasets.published import (
    contents,
    listed,
    pack,
    read,
    refused,
    rerun,
    save,
    sections,
    written_again,
)
from PIL import Image

from medseg.datasets import brain_tumor
from medseg.datasets.phantom import brain
from medseg.datasets.phantom.canvas import Grid

ARCHIVE = "brainTumorDataPublic_1766.zip"
SIZE = 48

refusal = partial(refused, brain_tumor.prepare)


def phantom(root, *, cases=8):
    brain.write(root, Grid(SIZE, 1, 1.0), cases=cases, test_cases=0, seed=0)
    return root


def draw(number, **changes):
    drawn = brain.draw(np.random.default_rng((0, number)), SIZE, number=number)
    return dataclasses.replace(drawn, **changes)


def loose(root, drawn):
    """Write .mat files that lie loose in a folder: index -> slice."""
    root.mkdir(parents=True, exist_ok=True)
    for index, one in drawn.items():
        (root / f"{index}.mat").write_bytes(brain.encode(one))
    return root


def pictures(root, indices):
    """Write the PNG form, a different picture for every index."""
    for index in indices:
        save(np.random.default_rng(index).integers(0, 256, (6, 8)), root / f"{index}.png")
        mask = np.zeros((6, 8), bool)
        mask[2:4, 2:5] = True
        Image.fromarray(mask).save(root / f"{index}_mask.png")
    return root


def by_case(out):
    return {item["case"]: item for item in chain(*listed(out))}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


# ---- the .mat form


def test_intensities_come_out_as_published_in_16_bits_and_upright(tmp_path, out):
    assert brain_tumor.prepare(phantom(tmp_path / "set"), out) == 8
    for number in range(8):
        case, drawn = f"{number + 1:04d}", draw(number)
        np.testing.assert_array_equal(read(out, "images", case), drawn.image)
        np.testing.assert_array_equal(read(out, "masks", case), drawn.mask * 255)
        assert read(out, "images", case).dtype == np.uint16


def test_the_highest_intensity_of_16_bits_is_kept(tmp_path, out):
    bright = draw(0).image.copy()
    bright[0, :2] = 0, 32767
    loose(tmp_path / "set", {1: draw(0, image=bright), 2: draw(1), 3: draw(2)})
    brain_tumor.prepare(tmp_path / "set", out)
    assert read(out, "images", "0001")[0, :2].tolist() == [0, 32767]


def test_loose_files_archives_and_an_archive_of_archives_give_the_same_files(tmp_path, out):
    source = phantom(tmp_path / "set")
    brain_tumor.prepare(source, out)
    with zipfile.ZipFile(source / ARCHIVE) as archive:
        archive.extractall(tmp_path / "loose" / "brainTumorDataPublic_1766")
    (tmp_path / "loose" / "cvind.mat").write_bytes((source / "cvind.mat").read_bytes())
    brain_tumor.prepare(tmp_path / "loose", tmp_path / "out2")
    brain_tumor.prepare(pack(source, tmp_path / "1512427.zip"), tmp_path / "out3")
    assert contents(out) == contents(tmp_path / "out2") == contents(tmp_path / "out3")
    assert len(contents(out)) == 2 * 8 + 1


def test_slices_of_several_archives_are_one_set(tmp_path, out, monkeypatch):
    monkeypatch.setattr(brain, "_ARCHIVE_ENDS", (3, 6, 9))
    source = phantom(tmp_path / "set")
    assert len(list(source.glob("*.zip"))) == 3
    assert brain_tumor.prepare(source, out) == 8
    assert sorted(by_case(out)) == [f"{index:04d}" for index in range(1, 9)]


def test_the_datalist_tells_tumour_and_published_fold(tmp_path, out):
    brain_tumor.prepare(phantom(tmp_path / "set"), out)
    items = by_case(out)
    told = [(items[c]["tumour"], items[c]["published_fold"]) for c in ("0001", "0002", "0003")]
    assert told == [("meningioma", 1), ("glioma", 2), ("pituitary tumour", 3)]


def test_without_cvind_there_is_no_published_fold(tmp_path, out):
    source = phantom(tmp_path / "set")
    (source / "cvind.mat").unlink()
    assert brain_tumor.prepare(source, out) == 8
    assert not any("published_fold" in item for item in by_case(out).values())


@pytest.mark.parametrize("fold", range(5))
def test_slices_of_a_patient_stay_together(tmp_path, out, fold):
    """Thirty slices of ten patients, those of a patient far from each other."""
    loose(
        tmp_path / "set",
        {index: draw(index, patient=f"10{index % 10}") for index in range(1, 31)},
    )
    brain_tumor.prepare(tmp_path / "set", out)
    parts = sections(out, fold=fold)
    patients = [{item["patient"] for item in part} for part in parts]
    assert [len(part) for part in patients] in ([6, 2, 2], [7, 1, 2])
    assert len(set().union(*patients)) == 10
    assert [len(part) for part in parts] == [3 * len(part) for part in patients]


def test_the_patient_is_the_hash_of_the_published_name_which_is_nowhere(tmp_path, out, caplog):
    caplog.set_level(logging.DEBUG)
    drawn = {index: draw(index % 3, patient=f"MR0402{index}B") for index in range(1, 7)}  # copies
    brain_tumor.prepare(loose(tmp_path / "set", drawn), out)
    texts = [(out / "datalist.json").read_text(), caplog.text, *map(str, out.rglob("*"))]
    assert caplog.text
    assert not any("MR0402" in text for text in texts)
    assert hashlib.sha256(b"MR04021B").hexdigest()[:12] in texts[0]


def test_a_second_run_changes_no_picture(tmp_path, out):
    source = phantom(tmp_path / "set")
    assert rerun(brain_tumor.prepare, source, out) == 8
    before = contents(out)
    (out / "images" / "0003.png").unlink()
    brain_tumor.prepare(source, out)
    assert contents(out) == before


@pytest.mark.parametrize("zipped", [False, True])
def test_a_corrected_slice_is_made_again_and_no_other(tmp_path, out, zipped):
    drawn = {index: draw(index) for index in (1, 2, 3)}

    def source():
        root = loose(tmp_path / "mat", drawn)
        if not zipped:
            return root
        (tmp_path / "archives").mkdir(exist_ok=True)
        return pack(root, tmp_path / "archives" / ARCHIVE).parent

    brain_tumor.prepare(source(), out)
    drawn[2] = dataclasses.replace(drawn[2], mask=drawn[2].mask[::-1])
    assert written_again(brain_tumor.prepare, source(), out) == {
        "images/0002.png",
        "masks/0002.png",
    }
    np.testing.assert_array_equal(read(out, "masks", "0002"), drawn[2].mask * 255)


@pytest.mark.parametrize("changed", ["26.png", "26_mask.png"])
def test_a_corrected_file_of_the_png_form_makes_its_slice_again(tmp_path, out, changed):
    source = pictures(tmp_path / "set", (0, 26, 51))
    brain_tumor.prepare(source, out)
    save(np.full((6, 8), 255), source / changed)
    assert written_again(brain_tumor.prepare, source, out) == {"images/0026.png", "masks/0026.png"}


def test_slices_of_two_sizes_are_one_set(tmp_path, out):
    small = brain.draw(np.random.default_rng(9), SIZE // 2, number=9)
    loose(tmp_path / "set", {1: draw(0), 2: draw(1), 3: small})
    assert brain_tumor.prepare(tmp_path / "set", out) == 3
    assert read(out, "images", "0003").shape == (SIZE // 2, SIZE // 2)


# ---- refusals of the .mat form


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"label": 4}, "label 4 is not one of 1, 2, 3"),
        ({"image": np.full((SIZE, SIZE), -1, np.int16)}, "intensities are -1 to -1 of int16, not"),
        ({"image": np.ones((SIZE, SIZE))}, "intensities are 1.0 to 1.0 of float64, not integers"),
    ],
)
def test_a_field_out_of_range_is_refused_by_the_name_of_the_file(tmp_path, out, changes, told):
    loose(tmp_path / "set", {1: draw(0), 2: draw(1, **changes)})
    assert refusal(tmp_path / "set", out).startswith(
        f"2.mat of {tmp_path / 'set'} cannot be read ({told}"
    )
    assert sorted(p.name for p in out.rglob("*.png")) == ["0001.png"] * 2


@pytest.mark.parametrize("field", ["label", "PID", "image", "tumorMask"])
def test_a_missing_field_is_refused_by_the_name_of_the_file(tmp_path, out, field):
    content = io.BytesIO(brain.encode(draw(0)))
    with h5py.File(content, "r+") as file:
        del file["cjdata"][field]
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "1.mat").write_bytes(content.getvalue())
    told = refusal(tmp_path / "set", out)
    assert told.startswith("1.mat of ")
    assert field in told


@pytest.mark.parametrize("content", [b"", b"text", "cut"])
def test_an_unreadable_file_is_refused_by_its_name(tmp_path, out, content):
    sound = brain.encode(draw(0))
    (tmp_path / "set").mkdir()
    damaged = sound[: len(sound) // 2] if content == "cut" else content
    (tmp_path / "set" / "1.mat").write_bytes(damaged)
    assert refusal(tmp_path / "set", out).startswith("1.mat of ")


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        (np.zeros((SIZE, SIZE), bool), "the mask of case 0002 is empty"),
        (np.ones((SIZE, SIZE // 2), bool), "the mask of case 0002 has 24 x 48 pixels and its"),
    ],
)
def test_an_empty_mask_or_one_of_another_size_is_refused(tmp_path, out, mask, told):
    loose(tmp_path / "set", {1: draw(0), 2: draw(1, mask=mask)})
    assert refusal(tmp_path / "set", out).startswith(told)


def test_a_slice_that_is_there_twice_is_refused(tmp_path, out):
    source = phantom(tmp_path / "set")
    loose(source / "unpacked", {3: draw(2)})
    first, second = source / "unpacked" / "3.mat", source / ARCHIVE / "3.mat"
    told = f"{first} and {second} are both slice 3: give the folder of one dataset, or keep one"
    assert refusal(source, out).startswith(told)


def test_an_archive_that_is_missing_is_told_by_the_folds(tmp_path, out, monkeypatch):
    monkeypatch.setattr(brain, "_ARCHIVE_ENDS", (5, 10))
    source = phantom(tmp_path / "set")
    (source / "brainTumorDataPublic_610.zip").unlink()
    assert refusal(source, out).endswith(
        "lists 8 slices and 5 are there: add the archives that are missing, or remove that file"
    )


def test_a_damaged_archive_is_refused_by_its_name(tmp_path, out):
    source = phantom(tmp_path / "set")
    (source / ARCHIVE).write_bytes(b"text")
    assert refusal(source, out).startswith(f"{ARCHIVE} of {source} cannot be read (")


def test_without_h5py_the_remedy_is_told(tmp_path, out, monkeypatch):
    monkeypatch.setattr(brain_tumor, "find_spec", lambda name: None)
    told = refusal(phantom(tmp_path / "set"), out)
    assert told == "1.mat needs h5py, not installed: pip install 'medseg[datasets]'"


def test_an_empty_folder_is_refused(tmp_path, out):
    (tmp_path / "set").mkdir()
    told = refusal(tmp_path / "set", out, error=FileNotFoundError)
    assert told.startswith(f"no brain_tumor data in {tmp_path}/set (looked for <i>.mat, ")


# ---- the PNG form


def test_pictures_and_their_masks_come_out_as_they_were(tmp_path, out):
    source = pictures(tmp_path / "set", range(0, 100, 5))
    brain_tumor.prepare(source, out)
    for index in (0, 5, 30):
        np.testing.assert_array_equal(
            read(out, "images", f"{index:04d}"), np.asarray(Image.open(source / f"{index}.png"))
        )
        assert np.unique(read(out, "masks", f"{index:04d}")).tolist() == [0, 255]
        assert read(out, "masks", f"{index:04d}").sum() == 6 * 255


def test_the_end_of_each_block_is_left_out(tmp_path, out):
    """Blocks of 25 indices, of which the last 8 are the gap: 17 and 17 and 5 of 55."""
    assert brain_tumor.prepare(pictures(tmp_path / "set", range(55)), out) == 17 + 17 + 5
    kept = sorted(int(case) for case in by_case(out))
    assert kept == [*range(17), *range(25, 42), *range(50, 55)]
    assert {item["patient"] for item in by_case(out).values()} == {
        "block_000",
        "block_001",
        "block_002",
    }


@pytest.mark.parametrize("fold", range(5))
def test_neighbours_are_never_on_both_sides_of_a_split(tmp_path, out, fold):
    """The indices of the real folder: 0 to 99 and 1000 to 1079."""
    brain_tumor.prepare(pictures(tmp_path / "set", [*range(100), *range(1000, 1080)]), out)
    parts = [np.array([int(item["case"]) for item in part]) for part in sections(out, fold=fold)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        distance = np.abs(parts[one][:, None] - parts[other])
        assert distance.min() > brain_tumor.GAP


@pytest.mark.parametrize(("lost", "lacking"), [("5_mask.png", "mask"), ("5.png", "image")])
def test_a_picture_without_its_mask_is_refused_before_anything_is_written(
    tmp_path, out, lost, lacking
):
    source = pictures(tmp_path / "set", range(10))
    (source / lost).unlink()
    assert refusal(source, out).startswith(f"case 0005 in {source} has no {lacking}: ")
    assert not out.exists()


def test_a_picture_that_is_there_twice_is_refused(tmp_path, out):
    pictures(tmp_path / "set" / "one", [5])
    pictures(tmp_path / "set" / "two", [5])
    first, second = (tmp_path / "set" / part / "5.png" for part in ("one", "two"))
    assert refusal(tmp_path / "set", out).startswith(f"{first} and {second} are both slice 5: give")


def test_a_picture_of_16_bits_is_refused_rather_than_cut_to_8(tmp_path, out):
    source = pictures(tmp_path / "set", range(10))
    Image.new("I;16", (8, 6)).save(source / "5.png")
    assert "5.png" in (told := refusal(source, out))
    assert told.endswith("has grey (16 bits), not 8 bits: take the .mat files")


@pytest.mark.long
@pytest.mark.realdata
def test_the_real_pictures_keep_124_slices_of_8_blocks(data_root, tmp_path):
    """Of 0 to 99, 4 blocks of 17; of 1000 to 1079, 3 of 17 and 5."""
    source = data_root / "brain_tumor" / "png"
    assert brain_tumor.prepare(source, tmp_path / "out") == 7 * 17 + 5
    items = by_case(tmp_path / "out")
    assert len({item["patient"] for item in items.values()}) == 8
    for case in ("0000", "1000"):
        original = np.asarray(Image.open(source / f"{int(case)}.png"))
        np.testing.assert_array_equal(read(tmp_path / "out", "images", case), original)


def test_a_field_that_claims_billions_of_values_is_refused_unread(tmp_path, out):
    content = io.BytesIO(brain.encode(draw(1)))
    with h5py.File(content, "r+") as file:
        del file["cjdata/image"]
        file.create_dataset("cjdata/image", (2**20, 2**20), "u2", chunks=(2**10, 2**10))
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "1.mat").write_bytes(content.getvalue())
    assert f"(image claims {2**40} values, at most" in refusal(tmp_path / "set", out)


@pytest.mark.parametrize(("file", "said"), [("5.jpg", "JPEG"), ("5_mask.tif", "TIFF")])
def test_a_picture_of_another_format_is_refused_by_its_name(file, said, tmp_path, out):
    source = tmp_path / "source"
    pictures(source, range(10))
    path = source / file
    path.with_suffix(".png").rename(path)
    with pytest.raises(
        ValueError, match=rf"^{file} of .* has the name of {said}, and medseg reads PNG"
    ):
        brain_tumor.prepare(source, out)


def test_a_suffix_in_capitals_is_a_png(tmp_path, out):
    source = tmp_path / "source"
    pictures(source, range(60))
    before = brain_tumor.prepare(source, tmp_path / "before")
    for path in sorted(source.iterdir()):
        path.rename(path.with_suffix(".PNG"))
    assert brain_tumor.prepare(source, out) == before
