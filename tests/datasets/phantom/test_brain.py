"""Tests of medseg.datasets.phantom.brain: .mat files as figshare 1512427 has them, and exact
masks."""

import io
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image, ImageDraw

from medseg.datasets.phantom import brain
from medseg.datasets.phantom.canvas import Grid

GRID = Grid(64, 1, 1.0)
ARCHIVE = "brainTumorDataPublic_1766.zip"


def publish(root, *, cases=3, test_cases=0, seed=0, grid=GRID):
    brain.write(root, grid, cases=cases, test_cases=test_cases, seed=seed)
    return root


def contents(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def draw(number, size=128):
    return brain.draw(np.random.default_rng((0, number)), size, number=number)


def best_overlap(values, mask):
    """The highest IoU with the mask that a threshold reaches from above."""
    sides = (values > threshold for threshold in np.quantile(values, np.linspace(0, 1, 65)))
    return max((side & mask).sum() / (side | mask).sum() for side in sides)


def test_the_archive_holds_the_slices_and_cvind_the_folds(tmp_path):
    root = publish(tmp_path / "set", cases=5, test_cases=2)
    assert sorted(p.name for p in root.iterdir()) == [ARCHIVE, "cvind.mat"]
    assert list(contents(root / ARCHIVE)) == [f"{index}.mat" for index in range(1, 8)]
    with h5py.File(root / "cvind.mat") as file:
        assert file["cvind"].shape == (1, 7)  # of MATLAB's 7 x 1
        assert file["cvind"][0].tolist() == [1, 2, 3, 4, 5, 1, 2]


def test_slices_go_on_in_the_next_archive(tmp_path, monkeypatch):
    monkeypatch.setattr(brain, "_ARCHIVE_ENDS", (2, 4, 6))
    root = publish(tmp_path / "set", cases=3)
    assert list(contents(root / "brainTumorDataPublic_12.zip")) == ["1.mat", "2.mat"]
    assert list(contents(root / "brainTumorDataPublic_34.zip")) == ["3.mat"]
    assert not (root / "brainTumorDataPublic_56.zip").exists()
    with pytest.raises(ValueError, match=r"^7 slices are more than 6: choose fewer cases$"):
        publish(tmp_path / "more", cases=7)


def test_a_file_is_of_matlab_7_3_with_the_fields_transposed():
    drawn = draw(1, 64)
    content = brain.encode(drawn)
    assert content.startswith(b"MATLAB 7.3 MAT-file")
    assert content[124:128] == b"\x00\x02IM"
    with h5py.File(io.BytesIO(content)) as file:
        data = file["cjdata"]
        assert data.attrs["MATLAB_class"] == b"struct"
        assert {name: data[name].attrs["MATLAB_class"] for name in data} == {
            "PID": b"char",
            "image": b"int16",
            "label": b"double",
            "tumorBorder": b"double",
            "tumorMask": b"logical",
        }
        np.testing.assert_array_equal(data["image"][()], drawn.image.T)
        np.testing.assert_array_equal(data["tumorMask"][()], drawn.mask.T)
        assert (data["PID"].shape, data["PID"].dtype) == ((6, 1), np.uint16)
        assert "".join(chr(letter) for letter in data["PID"][:, 0]) == "PH0001"
        assert data["label"][()].tolist() == [[2.0]]


def test_the_outline_encloses_the_mask():
    """A polygon painted by Pillow differs from the mask by pixels of its edge alone."""
    for number in range(5):
        drawn = draw(number, 256)
        picture = Image.new("1", (256, 256))
        ImageDraw.Draw(picture).polygon(drawn.border.tolist(), fill=1)
        painted = np.asarray(picture)
        assert (painted & drawn.mask).sum() / (painted | drawn.mask).sum() > 0.93


def test_the_same_seed_gives_the_same_archive_and_another_seed_others(tmp_path):
    first, again, other = (
        publish(tmp_path / name, seed=seed) for name, seed in zip("abc", (0, 0, 1), strict=True)
    )
    for name in (ARCHIVE, "cvind.mat"):
        assert (first / name).read_bytes() == (again / name).read_bytes()
    assert not set(contents(first / ARCHIVE).values()) & set(contents(other / ARCHIVE).values())


def test_a_slice_does_not_depend_on_how_many_others_there_are(tmp_path):
    few, many = publish(tmp_path / "few", cases=2), publish(tmp_path / "many", test_cases=1)
    assert contents(few / ARCHIVE).items() < contents(many / ARCHIVE).items()


@pytest.mark.parametrize("size", [48, 512])
def test_every_slice_has_a_tumour_inside_the_head(size):
    for number in range(6):
        drawn = draw(number, size)
        assert 0.002 < drawn.mask.mean() < 0.1
        assert drawn.image.min() >= 0
        assert drawn.image[drawn.mask].mean() > 4 * drawn.image[:4, :4].mean()  # not air


def test_intensities_differ_in_scale_from_slice_to_slice():
    brightest = [np.quantile(draw(number).image, 0.99) for number in range(10)]
    assert max(brightest) > 2 * min(brightest)


def test_no_threshold_finds_the_tumours():
    reached = [best_overlap(drawn.image, drawn.mask) for drawn in map(draw, range(12))]
    assert np.mean(reached) < 0.5


def test_without_h5py_the_remedy_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(brain, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs h5py, not installed: pip install 'medseg\[dat"):
        publish(tmp_path / "set")
