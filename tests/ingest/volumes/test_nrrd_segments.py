"""Tests of medseg.ingest.volumes.nrrd_segments: segmentations of 3D Slicer as label maps."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from medseg.ingest import IngestError, Reason, Verdict, inspect, load

WHOLE = (8, 9, 7)
HEADER = (
    "NRRD0004\ntype: unsigned char\ndimension: {dimension}\nspace: left-posterior-superior\n"
    "sizes: {sizes}\nspace directions: {directions}\nkinds: {kinds}\nencoding: raw\n"
    "space origin: {origin}\n{keys}\n"
)
GRID = "2;0;0;-10;0;2;0;-20;0;0;3;30;0;0;0;1;0;7;0;8;0;6;"
"""The image that was segmented: 8 x 9 x 7 voxels of 2 x 2 x 3 mm, its first voxel in LPS."""


def write(path, layers, *, segments, first=(0, 0, 0), reference=GRID):
    """A segmentation of layers (I, J, K), each segment (name, value, layer)."""
    many = len(layers) > 1
    array = np.stack(layers) if many else layers[0]
    keys = [
        f"Segment{n}_{field}:={value}\n"
        for n, segment in enumerate(segments)
        for field, value in zip(("Name", "LabelValue", "Layer"), segment, strict=False)
        if value is not None
    ]
    if reference:
        text = f"Collapse labelmaps|1|Merge&Reference image geometry|{reference}|of the image&"
        keys.append(f"Segmentation_ConversionParameters:={text}\n")
    origin = np.add((-10, -20, 30), np.multiply(first, (2, 2, 3)))
    head = HEADER.format(
        dimension=array.ndim,
        sizes=" ".join(map(str, array.shape)),
        directions="none " * many + "(2,0,0) (0,2,0) (0,0,3)",
        kinds="list " * many + "domain domain domain",
        origin=f"({','.join(map(str, origin))})",
        keys="".join(keys),
    )
    path.write_bytes(head.encode() + array.astype("u1").tobytes(order="F"))
    return path


def block(value, *, at, shape=(4, 4, 4)):
    made = np.zeros(shape, np.uint8)
    made[at] = value
    return made


def test_segments_of_one_layer_keep_their_values_and_are_named(tmp_path, caplog):
    layer = block(1, at=(0, 0, 0)) + block(5, at=(3, 3, 3))
    path = write(tmp_path / "a.seg.nrrd", [layer], segments=[("liver", 1, 0), ("cyst", 5, 0)])
    with caplog.at_level(logging.WARNING):
        load(path)
    assert "1 is liver, 5 is cyst" in caplog.text
    (row,) = inspect(path)
    assert (row.verdict, row.reason) == (Verdict.ACCEPT, Reason.SEGMENTS)


def test_names_of_segments_are_told_once_for_all_files_that_share_them(tmp_path, caplog):
    for name in "ab":
        path = tmp_path / f"{name}.seg.nrrd"
        load(write(path, [block(3, at=(0, 0, 0))], segments=[("spleen told once", 3, 0)]))
    assert caplog.text.count("3 is spleen told once") == 1


@pytest.mark.parametrize("world", ["LPS", "RAS"])
def test_a_cropped_segmentation_lies_on_the_grid_of_its_image(world, tmp_path):
    layer = block(1, at=(0, 1, 2))
    in_ras = GRID.replace("2;0;0;-10;0;2;0;-20", "-2;0;0;10;0;-2;0;20")
    text = GRID if world == "LPS" else in_ras
    path = write(
        tmp_path / "a.seg.nrrd",
        [layer],
        segments=[("liver", 1, 0)],
        first=(2, 3, 1),
        reference=text,
    )
    array, geometry = load(path)
    assert array.shape == geometry.shape == WHOLE
    assert np.argwhere(array).tolist() == [[2, 4, 3]]
    np.testing.assert_allclose(geometry.affine_lps[:3, 3], (-10, -20, 30))


@pytest.mark.parametrize("reference", ["", "1;2;3;", GRID.replace("-10", "-11"), "x" * 9])
def test_without_the_grid_of_the_image_the_segmentation_keeps_its_own(reference, tmp_path):
    path = write(
        tmp_path / "a.seg.nrrd",
        [block(1, at=(0, 1, 2))],
        segments=[("liver", 1, 0)],
        first=(2, 3, 1),
        reference=reference,
    )
    array, geometry = load(path)
    assert array.shape == (4, 4, 4)
    np.testing.assert_allclose(geometry.affine_lps[:3, 3], (-6, -14, 33))


def test_layers_that_do_not_meet_are_joined(tmp_path):
    layers = [block(1, at=(0, 0, 0)), block(2, at=(1, 1, 1))]
    path = write(tmp_path / "a.seg.nrrd", layers, segments=[("a", 1, 0), ("b", 2, 1)])
    array, _ = load(path)
    assert array.shape == WHOLE
    assert (array[0, 0, 0], array[1, 1, 1], np.count_nonzero(array)) == (1, 2, 2)
    assert inspect(path)[0].is_usable
    layer, grid = load(path, volume=1)
    assert layer.shape == grid.shape == inspect(path, volume=1)[0].size == WHOLE
    assert np.argwhere(layer).tolist() == [[1, 1, 1]]


def test_segments_of_an_older_version_get_values_in_their_order(tmp_path):
    layers = [block(1, at=(0, 0, 0)), block(1, at=(1, 1, 1))]
    path = write(tmp_path / "a.seg.nrrd", layers, segments=[("a", None, None), ("b", None, None)])
    array, _ = load(path)
    assert (array[0, 0, 0], array[1, 1, 1]) == (1, 2)


@pytest.mark.parametrize(
    ("values", "at", "words"),
    [((1, 2), (0, 0, 0), "overlap in 1 voxels"), ((1, 1), (1, 1, 1), "both have the value 1")],
)
def test_layers_that_share_a_voxel_or_a_value_are_refused(values, at, words, tmp_path):
    layers = [block(values[0], at=(0, 0, 0)), block(values[1], at=at)]
    segments = [("a", values[0], 0), ("b", values[1], 1)]
    path = write(tmp_path / "a.seg.nrrd", layers, segments=segments)
    with pytest.raises(IngestError, match=words) as caught:
        load(path)
    assert caught.value.code is Reason.OVERLAPPING_SEGMENTS


def test_a_value_that_is_no_number_and_a_layer_that_is_not_there_are_refused(tmp_path):
    for segment in (("a", "one", 0), ("a", 1, 7)):
        path = write(tmp_path / "a.seg.nrrd", [block(1, at=(0, 0, 0))], segments=[segment])
        with pytest.raises(IngestError) as caught:
            load(path)
        assert caught.value.code is Reason.UNREADABLE


def test_a_name_cannot_write_on_the_terminal(tmp_path, caplog):
    path = write(tmp_path / "a.seg.nrrd", [block(1, at=(0, 0, 0))], segments=[("\x1b[2Jx", 1, 0)])
    with caplog.at_level(logging.WARNING):
        load(path)
    assert "\x1b" not in caplog.text
