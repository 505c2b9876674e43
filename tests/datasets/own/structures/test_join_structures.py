"""Tests of medseg.datasets.own.structures.join_structures: files of structures become one map."""

import numpy as np
import pytest
from datasets.own.readers.test_join_readers import AFFINE, save
from PIL import Image

from medseg.datasets.own.find_cases import find_cases
from medseg.ingest import load

SHAPE = (12, 10, 8)


def box(start, stop, value=1):
    mask = np.zeros(SHAPE, np.uint8)
    mask[start:stop, 2:7, 2:6] = value
    return mask


def write(root, case, **masks):
    """A case as TotalSegmentator writes it."""
    folder = root / case / "segmentations"
    folder.mkdir(parents=True)
    image = np.random.default_rng(len(case)).integers(0, 99, SHAPE).astype(np.int16)
    save(root / case / "ct.nii.gz", image)
    for name, mask in masks.items():
        save(folder / f"{name}.nii.gz", mask)


@pytest.fixture
def scans(tmp_path):
    root = tmp_path / "scans"
    for number in range(4):
        one = {"liver": box(0, 6), "spleen": box(6, 8, 255), "kidney_left": box(8, 9)}
        if number == 3:
            del one["spleen"]
        write(root, f"s{number}", **one)
    return root


def test_files_of_the_same_names_are_a_class_each(scans, tmp_path, caplog):
    found = find_cases(scans, out=tmp_path / "out")
    assert not found.faults
    assert found.classes == {"liver": [1], "spleen": [2], "kidney_left": [3]}
    label, grid = load(found.pairs[0].label)
    assert found.pairs[0].label == tmp_path / "out" / "labels" / "s0.nii.gz"
    np.testing.assert_array_equal(label, box(0, 6) + 2 * box(6, 8) + 3 * box(8, 9))
    np.testing.assert_array_equal(grid.affine, AFFINE)
    assert all(not pair.readers for pair in found.pairs)
    assert "each label file of a case is a structure: liver, spleen, kidney_left" in caplog.text


def test_a_file_that_is_missing_is_empty_and_said(scans, tmp_path, caplog):
    found = find_cases(scans, out=tmp_path / "out")
    label, _ = load(found.pairs[3].label)
    np.testing.assert_array_equal(label, box(0, 6) + 3 * box(8, 9))
    assert "without a file, which counts as empty: spleen in 1 of 4 cases" in caplog.text


def test_the_smaller_of_two_that_share_voxels_has_them(scans, tmp_path, caplog):
    for number in range(4):
        save(scans / f"s{number}" / "segmentations" / "kidney_left.nii.gz", box(5, 9))
    (scans / "s0" / "segmentations" / "spleen.nii.gz").unlink()
    (scans / "s1" / "segmentations" / "spleen.nii.gz").unlink()
    save(scans / "s2" / "segmentations" / "spleen.nii.gz", box(10, 12))
    found = find_cases(scans, out=tmp_path / "out", labels=["liver=liver", "kidney*=kidney"])
    assert found.classes == {"liver": [1], "kidney": [2]}
    label, _ = load(found.pairs[0].label)
    np.testing.assert_array_equal(label, box(0, 5) + 2 * box(5, 9))
    assert (
        "liver and kidney share 80 voxels in 4 cases: kidney, which is smaller over all cases, "
        "has them"
    ) in caplog.text


def test_a_structure_within_another_is_a_region_of_it(scans, tmp_path, caplog):
    save(scans / "s1" / "segmentations" / "tumour.nii.gz", box(2, 4))
    save(scans / "s2" / "segmentations" / "tumour.nii.gz", box(1, 3))
    found = find_cases(scans, out=tmp_path / "out")
    assert found.classes == {"liver": [1, 4], "spleen": [2], "kidney_left": [3], "tumour": [4]}
    label, _ = load(found.pairs[1].label)
    np.testing.assert_array_equal(np.isin(label, [1, 4]), box(0, 6) > 0)
    np.testing.assert_array_equal(label == 4, box(2, 4) > 0)
    assert "tumour lies within liver, which has its voxels too" in caplog.text


def test_rules_join_structures_and_leave_others_out(scans, tmp_path, caplog):
    rules = ["spleen=organ", "kidney*=organ"]
    found = find_cases(scans, out=tmp_path / "out", labels=rules)
    assert found.classes == {"organ": [1]}
    label, _ = load(found.pairs[0].label)
    np.testing.assert_array_equal(label, box(6, 9))
    assert "left out, without a rule of --labels: liver" in caplog.text
    with pytest.raises(ValueError, match=r"'heart=heart' .* no name: these are kidney_left, liver"):
        find_cases(scans, out=tmp_path / "out", labels=["heart=heart"])


def test_a_structure_without_a_voxel_in_any_case_is_no_class(scans, tmp_path, caplog):
    for number in range(4):
        save(scans / f"s{number}" / "segmentations" / "heart.nii.gz", box(0, 0))
    assert "heart" not in find_cases(scans, out=tmp_path / "out").classes
    assert "left out, without a voxel in any case: heart" in caplog.text


def test_a_file_of_several_values_and_one_on_another_grid_are_faults(scans, tmp_path):
    save(scans / "s1" / "segmentations" / "liver.nii.gz", box(0, 3) + box(1, 2))
    wide = np.diag([2, 1, 2, 1.0])
    save(scans / "s2" / "segmentations" / "liver.nii.gz", box(0, 3), wide)
    grid, values = find_cases(scans, out=tmp_path / "out").faults
    assert "case s2: the labels kidney_left and liver lie on different grids" in grid
    assert values.startswith(
        "1 case has several labels, one of which holds more than one value, such as s1 "
        "(liver.nii.gz holds 1, 2): "
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("several_values", [False, True])
def test_a_stray_label_is_a_fault_of_its_case_alone(tmp_path, several_values):
    for number in range(4):
        write(tmp_path / "scans", f"s{number}", liver=box(0, 6) + several_values * box(1, 2))
    old = tmp_path / "scans" / "s2" / "segmentations" / "liver_old.nii.gz"
    save(old, box(1, 6) + several_values * box(2, 3))
    (fault,) = find_cases(tmp_path / "scans", out=tmp_path / "out").faults
    assert fault.startswith(
        "case s2 has 2 labels: liver.nii.gz, liver_old.nii.gz: remove one, or, where they are of "
        "several readers, pass --readers consensus, staple or mean"
    )
    assert ("where each is a structure" in fault) != several_values


def test_label_files_of_one_name_are_told_by_their_paths_in_the_data(tmp_path):
    for case in ("p1", "p2"):
        for folder in ("images", "anna_seg", "bob_seg"):
            (tmp_path / "cells" / folder).mkdir(parents=True, exist_ok=True)
            square = np.zeros((20, 20), np.uint8)
            square[2:9, 3:9] = 1
            Image.fromarray(square).save(tmp_path / "cells" / folder / f"{case}.png")
    (fault,) = find_cases(tmp_path / "cells", out=tmp_path / "out").faults
    assert "such as p1 (anna_seg/p1.png, bob_seg/p1.png)" in fault


def test_labels_of_readers_are_a_fault_with_both_remedies(tmp_path):
    for number in range(3):
        write(tmp_path / "scans", f"s{number}", anna=box(0, 6), bob=box(1, 7))
    (fault,) = find_cases(tmp_path / "scans", out=tmp_path / "out").faults
    assert "3 cases have several labels, such as s0 (anna.nii.gz, bob.nii.gz)" in fault
    assert "pass --readers consensus, staple or mean; where each is a structure" in fault
    rules = ["anna=a", "bob=b"]
    assert not find_cases(tmp_path / "scans", out=tmp_path / "out", labels=rules).faults


def test_objects_of_other_names_in_each_case_are_one_class(tmp_path, caplog):
    for case, masks in {"n1": ["a7", "b8", "c9"], "n2": ["d1"], "n3": ["e2", "f4"]}.items():
        for folder in ("images", "masks"):
            (tmp_path / "cells" / case / folder).mkdir(parents=True)
        image = np.arange(400, dtype=np.uint16).reshape(20, 20).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / "cells" / case / "images" / f"{case}.png")
        for number, name in enumerate(masks):
            mask = np.zeros((20, 20), np.uint8)
            mask[2 + 5 * number : 5 + 5 * number, 4:9] = 255
            Image.fromarray(mask).save(tmp_path / "cells" / case / "masks" / f"{name}.png")
    found = find_cases(tmp_path / "cells", out=tmp_path / "out")
    assert (found.faults, found.classes) == ([], None)
    label = np.asarray(Image.open(found.pairs[0].label))
    expected = np.zeros((20, 20), np.uint8)
    for number in range(3):
        expected[2 + 5 * number : 5 + 5 * number, 4:9] = 1
    np.testing.assert_array_equal(label, expected)
    assert "6 label files of 3 cases are of single objects: one class together" in caplog.text


def test_a_column_of_a_table_for_each_structure_is_read_likewise(scans, tmp_path):
    names = ("liver", "spleen")
    rows = [
        ",".join(
            [f"s{n}/ct.nii.gz", *(f"s{n}/segmentations/{name}.nii.gz" for name in names), f"c{n}"]
        )
        for n in range(3)
    ]
    table = scans / "cases.csv"
    table.write_text("\n".join(["image,label_liver,label_spleen,case", *rows]))
    found = find_cases(table, out=tmp_path / "out")
    assert (found.faults, found.classes) == ([], {"liver": [1], "spleen": [2]})
    np.testing.assert_array_equal(load(found.pairs[0].label)[0], box(0, 6) + 2 * box(6, 8))
