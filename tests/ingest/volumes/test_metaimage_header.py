"""Tests of medseg.ingest.volumes.metaimage_header: MetaImages are read as ITK reads them, or
refused."""

from __future__ import annotations

import gzip
import logging
import zlib

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813  # its own idiom
from ingest.volume_writer import AFFINE, SPACING, edit, itk_image, voxels, write_volume

from medseg.ingest import IngestError, Reason, Verdict, inspect, load

MATRIX = "TransformMatrix = 0 0 -1 -0.8 -0.6 0 -0.6 0.8 0\n"
HEADER = (
    "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = {msb}\n"
    "CompressedData = {packed}\n{matrix}Offset = -1 -2 -3\n{more}"
    "ElementSpacing = 0.75 0.5 1.25\nDimSize = 4 6 5\nElementType = {type}\n"
    "ElementDataFile = {file}\n"
)


def write(path, content=None, *, more="", **values):
    fields = {"msb": False, "packed": False, "type": "MET_SHORT", "file": "LOCAL"}
    head = HEADER.format(**{**fields, "matrix": MATRIX, **values}, more=more)
    content = voxels("<i2").tobytes(order="F") if content is None else content
    path.write_bytes(head.encode() + content)
    return path


def refused(path, **choices):
    with pytest.raises(IngestError) as caught:
        load(path, **choices)
    return caught.value


def check(path):
    array, geometry = load(path)
    np.testing.assert_array_equal(array, voxels())
    np.testing.assert_allclose(geometry.affine, AFFINE, atol=1e-6)


def test_a_written_header_is_read_as_simpleitk_reads_it(tmp_path):
    path = write(tmp_path / "a.mha")
    check(path)
    theirs = sitk.ReadImage(str(path))
    _, geometry = load(path)
    np.testing.assert_allclose(geometry.affine_lps[:3, 3], theirs.GetOrigin())
    direction = np.reshape(theirs.GetDirection(), (3, 3)) * theirs.GetSpacing()
    np.testing.assert_allclose(geometry.affine_lps[:3, :3], direction, atol=1e-9)


@pytest.mark.parametrize("msb", [False, True])
@pytest.mark.parametrize(
    ("name", "code"),
    [
        *[("MET_CHAR", "i1"), ("MET_UCHAR", "u1"), ("MET_USHORT", "u2"), ("MET_INT", "i4")],
        *[("MET_LONG", "i4"), ("MET_ULONG", "u4"), ("MET_LONG_LONG", "i8")],
    ],
)
def test_types_and_byte_orders_are_those_of_simpleitk(msb, name, code, tmp_path):
    content = voxels((">" if msb else "<") + code).tobytes(order="F")
    path = write(tmp_path / "a.mha", content, type=name, msb=msb)
    check(path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).T, voxels())


@pytest.mark.parametrize("name", ["Position", "Origin"])
def test_other_names_of_a_field_are_known(name, tmp_path):
    check(edit(write(tmp_path / "a.mha"), ("Offset =", f"{name} =")))
    check(edit(write(tmp_path / "a.mha"), ("TransformMatrix", "Orientation")))
    check(edit(write(tmp_path / "a.mha"), ("ElementSpacing", "ElementSize")))


def test_without_a_matrix_the_axes_are_those_of_itk_and_noted(tmp_path, caplog):
    path = write(tmp_path / "a.mha", matrix="")
    with caplog.at_level(logging.WARNING):
        _, geometry = load(path)
    np.testing.assert_allclose(geometry.affine_lps[:3, :3], np.diag(SPACING))
    assert sitk.ReadImage(str(path)).GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert "states no TransformMatrix" in caplog.text
    assert inspect(path)[0].verdict is Verdict.REPAIR


def test_a_code_of_orientation_that_no_matrix_confirms_is_refused(tmp_path):
    code = "AnatomicalOrientation = LPI\n"
    error = refused(write(tmp_path / "a.mha", matrix="", more=code))
    assert error.code is Reason.CONFLICTING_ORIENTATION
    load(write(tmp_path / "a.mha", matrix="", more="AnatomicalOrientation = RAI\n"))
    check(write(tmp_path / "a.mha", more="AnatomicalOrientation = ???\n"))


def test_a_centre_of_rotation_is_refused_where_it_would_move_the_image(tmp_path):
    more = "CenterOfRotation = 5 0 0\n"
    assert refused(write(tmp_path / "a.mha", more=more)).code is Reason.INVALID_GEOMETRY
    upright = "TransformMatrix = 1 0 0 0 1 0 0 0 1\n"
    load(write(tmp_path / "a.mha", more=more, matrix=upright))
    check(write(tmp_path / "a.mha", more="CenterOfRotation = 0 0 0\n"))


def test_packed_voxels_are_read_to_their_checksum(tmp_path):
    content = zlib.compress(voxels("<i2").tobytes(order="F"))
    check(write(tmp_path / "a.mha", content, packed=True))
    (tmp_path / "a.zraw").write_bytes(content)
    check(write(tmp_path / "a.mhd", b"", packed=True, file="a.zraw"))
    for spoilt in (content[:-1], content[:-1] + bytes([content[-1] ^ 1])):
        error = refused(write(tmp_path / "a.mha", spoilt, packed=True))
        assert error.code in (Reason.TRUNCATED, Reason.UNREADABLE)


@pytest.mark.parametrize("size", [0, 7, -1])
def test_a_header_of_the_voxels_is_passed_over(size, tmp_path):
    content = voxels("<i2").tobytes(order="F")
    (tmp_path / "a.raw").write_bytes(b"x" * (7 if size else 0) + content)
    check(write(tmp_path / "a.mhd", b"", more=f"HeaderSize = {size}\n", file="a.raw"))


def test_a_header_size_of_minus_two_is_refused(tmp_path):
    assert refused(write(tmp_path / "a.mha", more="HeaderSize = -2\n")).code is Reason.UNREADABLE


def test_slices_of_a_list_or_a_pattern_are_joined_in_order(tmp_path):
    for k in range(5):
        plane = voxels("<i2")[..., k].tobytes(order="F")
        (tmp_path / f"s{k + 1:02d}.raw").write_bytes(plane)
    names = "\n".join(f"s{k + 1:02d}.raw" for k in range(5))
    path = write(tmp_path / "a.mhd", names.encode(), file="LIST")
    check(path)
    write(path, f"{names}\n".encode(), file="LIST")  # else ITK leaves the last slice unread
    check(path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).T, voxels())
    check(write(tmp_path / "b.mhd", b"", file="s%02d.raw 1 5 1"))


def test_text_is_read(tmp_path):
    content = " ".join(map(str, voxels().ravel(order="F"))).encode()
    path = write(tmp_path / "a.mha", content)
    check(edit(path, ("BinaryData = True", "BinaryData = False")))
    path.write_bytes(path.read_bytes().removesuffix(b" 119"))
    assert refused(path).code is Reason.TRUNCATED


@pytest.mark.parametrize("name", ["../a.raw", "/etc/hostname", "x/../../a.raw"])
def test_voxels_outside_the_folder_of_the_header_are_refused(name, tmp_path):
    (tmp_path / "a.raw").write_bytes(voxels("<i2").tobytes(order="F"))
    (tmp_path / "in").mkdir()
    error = refused(write(tmp_path / "in" / "a.mhd", b"", file=name))
    assert error.code is Reason.UNSAFE_PATH
    listed = write(tmp_path / "in" / "b.mhd", name.encode(), file="LIST")
    assert refused(listed).code is Reason.UNSAFE_PATH


def test_channels_and_a_fourth_axis_are_volumes_to_choose_from(tmp_path):
    vector = sitk.Compose(itk_image(voxels()), itk_image(voxels() + 500))
    sitk.WriteImage(vector, str(tmp_path / "v.mha"))
    four = np.stack([voxels(), voxels() + 500], axis=-1).astype("<i2").tobytes(order="F")
    path = write(tmp_path / "t.mha", four)
    edit(path, ("NDims = 3", "NDims = 4"), ("4 6 5", "4 6 5 2"), ("-1 -2 -3", "-1 -2 -3 0"))
    edit(path, ("0.75 0.5 1.25", "0.75 0.5 1.25 1"))
    edit(path, (MATRIX[18:-1], "0 0 -1 0 -0.8 -0.6 0 0 -0.6 0.8 0 0 0 0 0 1"))
    for name in ("v.mha", "t.mha"):
        assert refused(tmp_path / name).code is Reason.NOT_3D
        array, geometry = load(tmp_path / name, volume=1)
        np.testing.assert_array_equal(array, voxels() + 500)
        np.testing.assert_allclose(geometry.affine, AFFINE, atol=1e-6)


def test_two_axes_are_no_volume(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 5), np.uint8)), str(tmp_path / "a.mha"))
    assert refused(tmp_path / "a.mha").code is Reason.NOT_3D


@pytest.mark.parametrize("spacing", ["0 0.5 1.25", "-0.75 0.5 1.25", "nan 0.5 1.25"])
def test_a_spacing_that_is_not_above_zero_is_refused(spacing, tmp_path):
    path = edit(write(tmp_path / "a.mha"), ("0.75 0.5 1.25", spacing))
    assert refused(path).code is Reason.INVALID_GEOMETRY


def test_a_scaling_that_itk_leaves_out_is_refused(tmp_path):
    more = "ElementToIntensityFunctionSlope = 2\n"
    assert refused(write(tmp_path / "a.mha", more=more)).code is Reason.INVALID_RESCALE
    check(write(tmp_path / "a.mha", more="ElementToIntensityFunctionSlope = 1\n"))


@pytest.mark.parametrize("unit", ["um", "cm"])
def test_units_are_judged_as_those_of_nifti(unit, tmp_path):
    path = write(tmp_path / "a.mha", more=f"DistanceUnits = {unit}\n")
    assert refused(path).code is Reason.NOT_MILLIMETRES
    factor = {"um": 1e-3, "cm": 10}[unit]
    assert load(path, units="stated")[1].spacing_mm[0] == pytest.approx(0.75 * factor)


@pytest.mark.parametrize("content", [b"", b"x" * 99, b"NDims = 3\n", b"\xff\xfe" * 500])
def test_what_is_no_metaimage_is_refused(content, tmp_path):
    (tmp_path / "a.mha").write_bytes(content)
    assert refused(tmp_path / "a.mha").code in (Reason.UNREADABLE, Reason.TRUNCATED)


def test_what_simpleitk_writes_is_read(tmp_path):
    check(write_volume(tmp_path / "a.mha"))
    check(write_volume(tmp_path / "a.mhd", packed=True))


def test_what_itk_adds_of_its_own_is_passed_over(tmp_path):
    """SimpleITK copies the metadata of a NIfTI or DICOM file, under names of any kind."""
    image = itk_image(voxels())
    for name in ("dim[0]", "0008|0060", "ITK_original_spacing[0]", "intent_name", "a b"):
        image.SetMetaData(name, "3")
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    sitk.WriteImage(image, str(tmp_path / "a.mhd"))
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
    for name in ("a.mha", "a.mhd", "a.nrrd"):
        check(tmp_path / name)


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
def test_packed_voxels_are_zlib_or_gzip_as_itk_reads_them(pack, tmp_path):
    content = pack(voxels("<i2").tobytes(order="F"))
    size = f"CompressedDataSize = {len(content)}\n"
    path = write(tmp_path / "a.mha", content, packed=True, more=size)
    check(path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).T, voxels())


def test_without_a_spacing_there_is_no_size_of_a_voxel(tmp_path):
    path = edit(write(tmp_path / "a.mha"), ("ElementSpacing = 0.75 0.5 1.25\n", ""))
    assert refused(path).code is Reason.MISSING_GEOMETRY


def test_without_an_offset_the_origin_is_that_of_itk_and_a_note_says_so(tmp_path):
    path = edit(write(tmp_path / "a.mha"), ("Offset = -1 -2 -3\n", ""))
    (row,) = inspect(path)
    assert row.reason is Reason.ASSUMED_ORIENTATION
    np.testing.assert_array_equal(load(path)[1].origin_mm, (0, 0, 0))
    np.testing.assert_array_equal(sitk.ReadImage(str(path)).GetOrigin(), (0, 0, 0))
