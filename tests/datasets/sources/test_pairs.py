"""Tests of medseg.datasets.sources.pairs: each picture has its mask, and both are written whole."""

import numpy as np
import pytest
from PIL import Image

from medseg.datasets.sources import pairs as _pairs

MASK = np.eye(3, 4, dtype=bool)


def read(path):
    return np.asarray(Image.open(path))


def load():
    return MASK.astype(np.uint8), MASK


def never():
    raise AssertionError("loaded again")


@pytest.mark.parametrize(
    ("shape", "kind"), [((3, 4), np.uint8), ((3, 4), np.uint16), ((3, 4, 3), np.uint8)]
)
def test_picture_and_mask_come_back_as_they_were(tmp_path, shape, kind):
    image = np.random.default_rng(0).integers(0, np.iinfo(kind).max, shape, kind)
    _pairs.write_pair(tmp_path, "a", stamp="1", load=lambda: (image, MASK))
    np.testing.assert_array_equal(read(tmp_path / "images" / "a.png"), image)
    np.testing.assert_array_equal(read(tmp_path / "masks" / "a.png"), MASK * 255)
    assert read(tmp_path / "images" / "a.png").dtype == kind


def test_an_item_names_the_files_that_are_written(tmp_path):
    _pairs.write_pair(tmp_path, "a", stamp="1", load=load)
    item = _pairs.make_item("a", "p", tumour="glioma")
    assert (item["case"], item["patient"], item["tumour"]) == ("a", "p", "glioma")
    assert all((tmp_path / item[key]).is_file() for key in ("image", "label"))


def test_a_pair_that_is_there_is_not_loaded_again_and_half_a_pair_is(tmp_path):
    _pairs.write_pair(tmp_path, "a", stamp="1", load=load)
    _pairs.write_pair(tmp_path, "a", stamp="1", load=never)
    (tmp_path / "masks" / "a.png").unlink()
    with pytest.raises(AssertionError, match="loaded again"):
        _pairs.write_pair(tmp_path, "a", stamp="1", load=never)


def test_a_pair_of_another_stamp_or_of_none_is_written_again(tmp_path):
    _pairs.write_pair(tmp_path, "a", stamp="1", load=load)
    _pairs.write_pair(tmp_path, "a", stamp="2", load=lambda: (MASK.astype(np.uint8), ~MASK))
    np.testing.assert_array_equal(read(tmp_path / "masks" / "a.png"), ~MASK * 255)
    _pairs.save(MASK, tmp_path / "masks" / "a.png")  # as before there were stamps
    with pytest.raises(AssertionError, match="loaded again"):
        _pairs.write_pair(tmp_path, "a", stamp="2", load=never)


def test_an_interrupted_correction_leaves_no_new_picture_beside_an_old_mask(tmp_path, monkeypatch):
    _pairs.write_pair(tmp_path, "a", stamp="1", load=load)
    save = _pairs.save

    def interrupted(array, path, **options):
        save(array, path, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(_pairs, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _pairs.write_pair(tmp_path, "a", stamp="2", load=load)
    assert [path.parent.name for path in tmp_path.rglob("*.png")] == ["images"]


def test_a_case_that_is_refused_after_a_change_leaves_the_earlier_pair(tmp_path):
    _pairs.write_pair(tmp_path, "a", stamp="1", load=load)
    with pytest.raises(ValueError, match="is empty"):
        _pairs.write_pair(
            tmp_path, "a", stamp="2", load=lambda: (MASK.astype(np.uint8), MASK & False)
        )
    _pairs.write_pair(tmp_path, "a", stamp="1", load=never)


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        (MASK.T, r"^the mask of case a has 3 x 4 pixels and its image 4 x 3 pixels: download"),
        (MASK & False, r"^the mask of case a is empty: download"),
    ],
)
def test_a_mask_of_another_size_or_an_empty_one_is_refused_and_nothing_written(
    tmp_path, mask, told
):
    with pytest.raises(ValueError, match=told):
        _pairs.write_pair(tmp_path, "a", stamp="1", load=lambda: (MASK.astype(np.uint8), mask))
    assert not list(tmp_path.rglob("*.png"))


def test_images_and_masks_are_paired_by_case():
    pairs = _pairs.pair_by_name({"b": "i/b", "a": "i/a"}, {"a": "m/a", "b": "m/b"}, name="set")
    assert pairs == {"b": ("i/b", "m/b"), "a": ("i/a", "m/a")}
    assert list(pairs) == ["b", "a"]


@pytest.mark.parametrize(
    ("images", "masks", "lacking"), [({"a": ""}, {}, "mask"), ({}, {"a": ""}, "image")]
)
def test_one_without_the_other_is_refused(images, masks, lacking):
    with pytest.raises(ValueError, match=f"^case a in set has no {lacking}: download or unpack"):
        _pairs.pair_by_name(images, masks, name="set")


def test_a_mask_that_was_corrected_with_another_program_is_kept(tmp_path, caplog):
    """Another program leaves the stamp out; the masks of an earlier source have theirs."""
    mask = tmp_path / "masks" / "a.png"
    for stamp in ("1", "2"):
        _pairs.write_pair(tmp_path, "a", stamp=stamp, load=load)
    assert list(mask.parent.iterdir()) == [mask]
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(mask)
    _pairs.write_pair(tmp_path, "a", stamp="2", load=load)
    np.testing.assert_array_equal(read(mask), MASK * 255)
    (kept,) = {*mask.parent.iterdir()} - {mask}
    assert not read(kept).any()
    assert f"kept as {kept}" in caplog.text
