"""Tests of the microscopy phantom."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from medseg.datasets import nuclei, phantom, prepared


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """A phantom of eight pictures, and what `nuclei.prepare` makes of it."""
    root = tmp_path_factory.mktemp("microscopy")
    phantom.write("microscopy", root / "published", cases=7, test_cases=1, size=96, seed=3)
    assert nuclei.prepare(root / "published", root / "out") == 8
    return root / "published", root / "out"


def arrays(out, part):
    return [np.asarray(Image.open(path)) for path in sorted((out / part).iterdir())]


def test_nuclei_do_not_overlap_and_none_is_lost(sets):
    published, out = sets
    folders = sorted(folder for folder in published.iterdir() if folder.is_dir())
    for folder, objects in zip(folders, arrays(out, "instances"), strict=True):
        masks = len(list((folder / "masks").iterdir()))
        assert np.unique(objects).tolist() == list(range(masks + 1))


def test_some_nuclei_touch_so_that_the_mask_has_fewer_pieces(sets):
    _, out = sets
    connected = np.ones((3, 3))
    pieces = [ndimage.label(mask, connected)[1] for mask in arrays(out, "masks")]
    objects = [int(objects.max()) for objects in arrays(out, "instances")]
    assert all(p <= o for p, o in zip(pieces, objects, strict=True))
    assert sum(pieces) < 0.9 * sum(objects)


def test_a_picture_is_opaque_grey_and_nuclei_are_bright(sets):
    published, out = sets
    paths = sorted(published.glob("*/images/*.png"))
    for path, mask in zip(paths, arrays(out, "masks"), strict=True):
        rgba = np.asarray(Image.open(path)).astype(float)
        assert (rgba[..., 3] == 255).all()
        assert (rgba[..., 0] == rgba[..., 2]).all()
        assert rgba[mask > 0, 0].mean() > 2 * rgba[mask == 0, 0].mean()


def test_a_case_does_not_depend_on_how_many_are_written(sets, tmp_path):
    published, _ = sets
    phantom.write("microscopy", tmp_path / "one", cases=1, test_cases=0, size=96, seed=3)
    for path in (tmp_path / "one" / "phantom0000").rglob("*.png"):
        twin = published / path.relative_to(tmp_path / "one")
        assert twin.read_bytes() == path.read_bytes()


def test_the_cases_are_listed_in_sections(sets):
    assert len(prepared.list_cases(sets[1], "test")) == 2
