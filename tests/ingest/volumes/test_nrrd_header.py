"""Tests of medseg.ingest.volumes.nrrd_header: where a NRRD says that its voxels lie, and what it
hides."""

from __future__ import annotations

import bz2
import gzip
import os

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813  # its own idiom
from ingest.volume_writer import AFFINE, edit, itk_image, voxels, write_volume

from medseg.ingest import IngestError, Reason, inspect, load

DIRECTIONS = "space directions: (0,0,-0.75) (-0.4,-0.3,0) (-0.75,1,0)"
HEADER = (
    "NRRD0004\ntype: {type}\ndimension: 3\nspace: {space}\nsizes: 4 6 5\n"
    f"{DIRECTIONS}\nkinds: domain domain domain\nendian: {{endian}}\nencoding: {{encoding}}\n"
    "space origin: (-1,-2,-3)\n{more}\n"
)


def write(path, content=None, *, more="", **values):
    fields = {"type": "short", "space": "left-posterior-superior", "endian": "little"}
    head = HEADER.format(**{"encoding": "raw", **fields, **values}, more=more)
    content = voxels("<i2").tobytes(order="F") if content is None else content
    path.write_bytes(head.encode() + content)
    return path


def refused(path, **choices):
    with pytest.raises(IngestError, match=path.name) as caught:
        load(path, **choices)
    assert "\n" not in str(caught.value)
    return caught.value


def check(path, expected=None):
    array, geometry = load(path)
    np.testing.assert_array_equal(array, voxels() if expected is None else expected)
    np.testing.assert_allclose(geometry.affine, AFFINE, atol=1e-6)


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (1, 1, 1)),
        ("LPS", (1, 1, 1)),
        ("right-anterior-superior", (-1, -1, 1)),
        ("RAS", (-1, -1, 1)),
        ("left-anterior-superior", (1, -1, 1)),
    ],
)
def test_a_space_of_the_patient_is_turned_into_ras_as_simpleitk_does(space, signs, tmp_path):
    path = write(tmp_path / "a.nrrd", space=space)
    _, geometry = load(path)
    to_lps = np.diag([*signs, 1.0])
    np.testing.assert_allclose(geometry.affine_lps, to_lps @ np.diag([-1, -1, 1, 1]) @ AFFINE)
    theirs = sitk.ReadImage(str(path))
    np.testing.assert_allclose(geometry.affine_lps[:3, 3], theirs.GetOrigin())
    direction = np.reshape(theirs.GetDirection(), (3, 3)) * theirs.GetSpacing()
    np.testing.assert_allclose(geometry.affine_lps[:3, :3], direction, atol=1e-9)


@pytest.mark.parametrize("space", ["scanner-xyz", "3D-right-handed", "nonsense"])
def test_a_space_that_is_not_of_the_patient_is_no_orientation(space, tmp_path):
    error = refused(write(tmp_path / "a.nrrd", space=space))
    assert error.code is Reason.NO_ORIENTATION
    assert space.lower() in str(error)


@pytest.mark.parametrize("gone", ["space: left-posterior-superior\n", DIRECTIONS + "\n"])
def test_without_space_or_directions_there_is_no_orientation(gone, tmp_path):
    path = edit(write(tmp_path / "a.nrrd"), (gone, ""))
    assert refused(path).code is Reason.NO_ORIENTATION


def test_spacings_alone_are_no_orientation(tmp_path):
    path = write(tmp_path / "a.nrrd")
    edit(path, ("space: left-posterior-superior\n", ""), (DIRECTIONS, "spacings: 1 1 1"))
    edit(path, ("space origin: (-1,-2,-3)\n", ""))
    assert refused(path).code is Reason.NO_ORIENTATION


def test_four_numbers_of_space_and_time_place_the_first_three(tmp_path):
    path = write(tmp_path / "a.nrrd", space="left-posterior-superior-time")
    edit(path, ("(0,0,-0.75) (-0.4,-0.3,0)", "(0,0,-0.75,0) (-0.4,-0.3,0,0)"))
    edit(path, ("(-0.75,1,0)", "(-0.75,1,0,0)"), ("(-1,-2,-3)", "(-1,-2,-3,0)"))
    check(path)


@pytest.mark.parametrize(
    ("units", "code"),
    [('"mm" "mm" "mm"', None), ('"um" "um" "um"', "not-millimetres"), ('"" "" ""', None)],
)
def test_units_are_judged_as_those_of_nifti(units, code, tmp_path):
    path = write(tmp_path / "a.nrrd", more=f"space units: {units}\n")
    if code is None:
        check(path)
        return
    assert refused(path).code == code
    assert load(path, units="stated")[1].spacing_mm == pytest.approx((75e-5, 5e-4, 125e-5))
    assert load(path, units="mm")[1].spacing_mm == pytest.approx((0.75, 0.5, 1.25))


def test_sheared_and_zero_directions_are_refused(tmp_path):
    path = edit(write(tmp_path / "a.nrrd"), ("(-0.75,1,0)", "(-0.75,1,0.5)"))
    assert refused(path).code is Reason.SHEARED_AFFINE
    path = edit(write(tmp_path / "a.nrrd"), ("(-0.75,1,0)", "(0,0,0)"))
    assert refused(path).code is Reason.NOT_3D


@pytest.mark.parametrize("axis", [0, 3])
def test_an_axis_without_a_place_is_volumes_to_choose_from(axis, tmp_path):
    made = [voxels(), voxels() + 200]
    array = np.stack(made, axis=axis)
    path = write(tmp_path / "a.nrrd", array.astype("<i2").tobytes(order="F"))
    sizes, kinds = ["4", "6", "5"], ["domain"] * 3
    places = ["(0,0,-0.75)", "(-0.4,-0.3,0)", "(-0.75,1,0)"]
    for entries, new in ((sizes, "2"), (kinds, "vector"), (places, "none")):
        entries.insert(axis, new)
    edit(path, ("dimension: 3", "dimension: 4"), ("4 6 5", " ".join(sizes)))
    edit(path, ("domain domain domain", " ".join(kinds)))
    edit(path, (DIRECTIONS, "space directions: " + " ".join(places)))
    assert refused(path).code is Reason.NOT_3D
    assert refused(path, volume=2).code is Reason.UNKNOWN_VOLUME
    for index in range(2):
        array, geometry = load(path, volume=index)
        np.testing.assert_array_equal(array, made[index])
        np.testing.assert_allclose(geometry.affine, AFFINE, atol=1e-6)


@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize(
    ("name", "code"),
    [("uchar", "u1"), ("signed char", "i1"), ("unsigned short", "u2"), ("int", "i4")],
)
def test_types_and_byte_orders_are_those_of_simpleitk(endian, name, code, tmp_path):
    order = "<" if endian == "little" else ">"
    content = voxels(order + code).tobytes(order="F")
    path = write(tmp_path / "a.nrrd", content, type=name, endian=endian)
    check(path)
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert theirs.dtype == load(path)[0].dtype == np.dtype(code)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("raw", bytes),
        ("gzip", gzip.compress),
        ("gz", gzip.compress),
        ("bzip2", bz2.compress),
        ("ascii", lambda _: " ".join(map(str, voxels().ravel(order="F"))).encode()),
        ("text", lambda _: ", ".join(map(str, voxels().ravel(order="F"))).encode()),
        ("txt", lambda _: " ,\n".join(map(str, voxels().ravel(order="F"))).encode() + b"\n"),
        ("hex", lambda content: content.hex().encode()),
        ("hex", lambda content: content.hex(" ", 2).upper().encode() + b"\n"),
    ],
)
def test_every_encoding_is_read(encoding, pack, tmp_path):
    content = pack(voxels("<i2").tobytes(order="F"))
    check(write(tmp_path / "a.nrrd", content, encoding=encoding))
    (tmp_path / "a.bin").write_bytes(content)
    check(write(tmp_path / "a.nhdr", b"", encoding=encoding, more="data file: a.bin\n"))


@pytest.mark.parametrize("encoding", ["gzip", "bzip2", "ascii", "raw", "hex"])
def test_every_encoding_cut_short_is_refused(encoding, tmp_path):
    pack = {
        **{"gzip": gzip.compress, "bzip2": bz2.compress, "raw": bytes},
        "hex": lambda content: content.hex().encode(),
    }.get(encoding, lambda _: b"1 2 3")
    content = pack(voxels("<i2").tobytes(order="F"))[:-1]
    error = refused(write(tmp_path / "a.nrrd", content, encoding=encoding))
    assert error.code in (Reason.TRUNCATED, Reason.UNREADABLE)


def test_text_and_hexadecimal_digits_are_those_of_simpleitk(tmp_path):
    numbers = ", ".join(map(str, voxels().ravel(order="F"))).encode()
    digits = voxels(">i2").tobytes(order="F").hex(" ").encode()
    for encoding, content in (("text", numbers), ("hex", digits)):
        path = write(tmp_path / "a.nrrd", content, encoding=encoding, endian="big")
        theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).T
        np.testing.assert_array_equal(theirs, voxels())
        check(path)


@pytest.mark.parametrize("bad", [b"zz", b"", b"1,2"])
def test_damaged_text_and_digits_are_refused(bad, tmp_path):
    digits = voxels("<i2").tobytes(order="F").hex().encode()
    numbers = " ".join(map(str, voxels().ravel(order="F"))).encode()
    for encoding, content in (("text", numbers[:-3] + bad), ("hex", digits[:-3] + bad[:2])):
        error = refused(write(tmp_path / "a.nrrd", content, encoding=encoding))
        assert error.code in (Reason.UNREADABLE, Reason.TRUNCATED)


def test_text_of_fewer_bytes_than_numbers_is_refused_from_its_header(tmp_path):
    content = b"1 2 3 4 5"
    path = write(tmp_path / "a.nrrd", content, encoding="text")
    error = refused(edit(path, ("4 6 5", "9000 9000 9000")))
    assert error.code is Reason.TRUNCATED
    assert "holds at most" in str(error)


def test_text_longer_than_one_part_is_read(tmp_path):
    array = voxels(np.int32, (40, 60, 50))
    content = " ".join(map(str, array.ravel(order="F"))).encode()
    path = write(tmp_path / "a.nrrd", content, encoding="text", type="int")
    check(edit(path, ("4 6 5", "40 60 50")), array)


@pytest.mark.parametrize("encoding", ["gzip", "bzip2"])
def test_packed_bytes_before_the_voxels_are_bounded(encoding, tmp_path):
    pack = {"gzip": gzip.compress, "bzip2": bz2.compress}[encoding]
    voxel_bytes = voxels("<i2").tobytes(order="F")
    check(
        write(
            tmp_path / "a.nrrd",
            pack(b"x" * 99 + voxel_bytes),
            encoding=encoding,
            more="byte skip: 99\n",
        )
    )
    content = pack(bytes(2**25))
    path = write(tmp_path / "b.nrrd", content, encoding=encoding, more="byte skip: 33000000\n")
    assert refused(path).code is Reason.TOO_LARGE


def test_bzip2_of_more_than_it_can_hold_is_truncated(tmp_path):
    path = write(tmp_path / "a.nrrd", bz2.compress(bytes(240)), encoding="bzip2")
    assert refused(edit(path, ("4 6 5", "9000 9000 9000"))).code is Reason.TRUNCATED


def test_blocks_are_refused_by_name(tmp_path):
    assert refused(write(tmp_path / "b.nrrd", type="block")).code is Reason.VOXEL_TYPE


def test_skipped_lines_and_bytes_come_before_the_voxels(tmp_path):
    content = voxels("<i2").tobytes(order="F")
    (tmp_path / "a.raw").write_bytes(b"one\ntwo\nxyz" + content)
    more = "line skip: 2\nbyte skip: 3\ndata file: a.raw\n"
    check(write(tmp_path / "a.nhdr", b"", more=more))
    check(write(tmp_path / "b.nhdr", b"", more="byte skip: -1\ndata file: a.raw\n"))


def test_slices_of_a_list_or_a_pattern_are_joined_in_order(tmp_path):
    for k in range(5):
        plane = voxels("<i2")[..., k].tobytes(order="F")
        (tmp_path / f"s{k + 1:03d}.raw").write_bytes(plane)
    names = "\n".join(f"s{k + 1:03d}.raw" for k in range(5))
    listed = write(tmp_path / "a.nhdr", b"", more=f"data file: LIST\n{names}")
    check(listed)
    check(write(tmp_path / "b.nhdr", b"", more="data file: s%03d.raw 1 5 1\n"))
    check(write(tmp_path / "c.nhdr", b"", more="data file: s%03d.raw 1 5 1 2\n"))
    check(write(tmp_path / "d.nhdr", b"", more=f"data file: LIST 2\n{names}"))
    for k in range(5):
        (tmp_path / f"x {k} y.raw").write_bytes((tmp_path / f"s{k + 1:03d}.raw").read_bytes())
    check(write(tmp_path / "e.nhdr", b"", more="data file: x %d y.raw 0 4 1\n"))
    (tmp_path / "s003.raw").write_bytes(b"x")
    assert refused_of(listed).code is Reason.TRUNCATED


def refused_of(path):
    with pytest.raises(IngestError) as caught:
        load(path)
    return caught.value


@pytest.mark.parametrize("name", ["../a.raw", "{out}/a.raw", "sub/../../a.raw", "/etc/hostname"])
def test_voxels_outside_the_folder_of_the_header_are_refused(name, tmp_path):
    content = voxels("<i2").tobytes(order="F")
    (tmp_path / "a.raw").write_bytes(content)
    (tmp_path / "in" / "sub").mkdir(parents=True)
    more = f"data file: {name.format(out=tmp_path)}\n"
    error = refused(write(tmp_path / "in" / "a.nhdr", b"", more=more))
    assert error.code is Reason.UNSAFE_PATH


def test_voxels_in_the_folder_or_below_are_read_however_they_are_named(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.raw").write_bytes(voxels("<i2").tobytes(order="F"))
    for name in ("sub/a.raw", "sub/../sub/a.raw", f"{tmp_path}/sub/a.raw"):
        check(write(tmp_path / "a.nhdr", b"", more=f"data file: {name}\n"))
    os.symlink(tmp_path / "sub" / "a.raw", tmp_path / "link.raw")
    check(write(tmp_path / "b.nhdr", b"", more="data file: link.raw\n"))


def test_voxels_that_are_not_there_are_named(tmp_path):
    error = refused(write(tmp_path / "a.nhdr", b"", more="data file: gone.raw\n"))
    assert error.code is Reason.NOT_FOUND
    assert "gone.raw" in str(error)


@pytest.mark.parametrize("field", ["type: short\n", "sizes: 4 6 5\n", "endian: little\n"])
def test_a_header_that_lacks_a_field_is_refused(field, tmp_path):
    error = refused(edit(write(tmp_path / "a.nrrd"), (field, "")))
    assert error.code is Reason.UNREADABLE
    assert field.split(":")[0] in str(error)


@pytest.mark.parametrize("content", [b"", b"NRRD", b"x" * 1000, b"NRRD0004\n", b"NRRD0009\n\n"])
def test_what_is_no_nrrd_is_refused(content, tmp_path):
    (tmp_path / "a.nrrd").write_bytes(content)
    assert refused(tmp_path / "a.nrrd").code in (Reason.UNREADABLE, Reason.TRUNCATED)


@pytest.mark.parametrize("sizes", ["4 6", "4 6 0", "4 -6 5", "4 6 x", "1e9 1e9 1e9"])
def test_sizes_that_make_no_volume_of_this_file_are_refused(sizes, tmp_path):
    error = refused(edit(write(tmp_path / "a.nrrd"), ("4 6 5", sizes)))
    assert error.code in (Reason.NOT_3D, Reason.UNREADABLE, Reason.TRUNCATED)


def test_quantised_values_are_refused(tmp_path):
    path = write(tmp_path / "a.nrrd", more="old min: -1024\nold max: 3071\n")
    assert refused(path).code is Reason.INVALID_RESCALE


def test_a_header_of_windows_lines_is_read(tmp_path):
    path = write(tmp_path / "a.nhdr", b"", more="data file: a.raw\n")
    (tmp_path / "a.raw").write_bytes(voxels("<i2").tobytes(order="F"))
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    check(path)


def test_what_simpleitk_writes_is_read_with_several_components(tmp_path):
    vector = sitk.Compose(itk_image(voxels()), itk_image(voxels() + 500))
    sitk.WriteImage(vector, str(tmp_path / "v.nrrd"))
    check_second = load(tmp_path / "v.nrrd", volume=1)
    np.testing.assert_array_equal(check_second[0], voxels() + 500)
    write_volume(tmp_path / "a.nrrd")
    check(tmp_path / "a.nrrd")


def test_keys_with_colons_and_values_with_them_are_passed_over(tmp_path):
    check(
        write(tmp_path / "a.nrrd", more="a:b:=c: d\nurl:=http://x: y\ncontent: ct: one\nlabels:\n")
    )


def test_without_a_space_origin_it_is_that_of_itk_and_a_note_says_so(tmp_path):
    path = edit(write(tmp_path / "a.nrrd"), ("space origin: (-1,-2,-3)\n", ""))
    (row,) = inspect(path)
    assert row.reason is Reason.ASSUMED_ORIENTATION
    np.testing.assert_array_equal(load(path)[1].origin_mm, (0, 0, 0))
