"""Tests of scripts/split_nodule_readers.py."""

import numpy as np
from PIL import Image


def write(folder, name, bits):
    """A nodule whose grey value is the number of the slice."""
    slices = np.concatenate([np.full((128, 128), n, np.uint8) for n in range(len(bits) // 128)])
    for part, array in (("images", slices), ("readers", bits)):
        (folder / part).mkdir(exist_ok=True)
        Image.fromarray(array).save(folder / part / name)


def test_the_slice_that_is_marked_most_has_a_mask_of_each_reader_of_the_nodule(script, tmp_path):
    bits = np.zeros((3 * 128, 128), np.uint8)
    bits[5, 5] = 8  # reader 3 marked the first slice alone
    bits[2 * 128 + 9, :4] = [1, 3, 2, 1]
    write(tmp_path, "LIDC-IDRI-0007_00.png", bits)
    write(tmp_path, "LIDC-IDRI-0007_01.png", np.where(bits == 8, 0, bits // 2))  # reader 0 alone
    write(tmp_path, "LIDC-IDRI-0314_00.png", bits)
    script("split_nodule_readers").main([str(tmp_path), str(tmp_path / "out")])
    masks = {
        str(path.relative_to(tmp_path / "out")): np.asarray(Image.open(path))
        for path in (tmp_path / "out").rglob("*.png")
    }
    name = "LIDC-IDRI-0007_00.png"
    assert masks.keys() == {
        f"images/{name}",
        *(f"reader_{j}/masks/{name}" for j in (0, 1, 3)),
    }
    assert (masks[f"images/{name}"] == 2).all()
    assert masks[f"reader_0/masks/{name}"][9, :5].tolist() == [1, 1, 0, 1, 0]
    assert masks[f"reader_1/masks/{name}"][9, :5].tolist() == [0, 1, 1, 0, 0]
    assert not masks[f"reader_3/masks/{name}"].any()
