"""Tests of medseg.datasets.own.segment_names."""

import nibabel as nib
import numpy as np
import pytest

from medseg.datasets.own.pair_files import Pair
from medseg.datasets.own.segment_names import name_segments
from medseg.ingest import load

HEADER = (
    "NRRD0004\ntype: unsigned char\ndimension: 3\nspace: left-posterior-superior\n"
    "sizes: 4 4 4\nspace directions: (1,0,0) (0,1,0) (0,0,1)\nkinds: domain domain domain\n"
    "encoding: raw\nspace origin: (0,0,0)\n{keys}\n"
)
LABEL = np.zeros((4, 4, 4), np.uint8)
LABEL[0, 0, 0], LABEL[1:3, 1, 1] = 1, 2


def write(path, names, label=LABEL):
    keys = "".join(
        f"Segment{n}_Name:={name}\nSegment{n}_LabelValue:={value}\nSegment{n}_Layer:=0\n"
        for n, (value, name) in enumerate(names.items())
    )
    path.write_bytes(HEADER.format(keys=keys).encode() + label.tobytes(order="F"))
    return path


def make_pairs(folder, *names):
    return [
        Pair(f"p{n}", (None,), ("",), write(folder / f"p{n}.seg.nrrd", each))
        for n, each in enumerate(names)
    ]


SAME, OTHER = {1: "Kidney", 2: "Tumour"}, {1: "tumour", 2: "kidney"}


def test_names_that_agree_are_the_classes_and_no_file_is_written(tmp_path):
    pairs = make_pairs(tmp_path, SAME, SAME)
    made = name_segments(pairs, tmp_path / "out", declared={})
    assert made.classes == {"kidney": [1], "tumour": [2]}
    assert made.pairs == pairs
    assert not (tmp_path / "out").exists()


def test_a_label_that_exchanges_the_values_gets_those_of_most_others(tmp_path, caplog):
    pairs = make_pairs(tmp_path, SAME, SAME, OTHER)
    made = name_segments(pairs, tmp_path / "out", declared={})
    assert made.classes == {"kidney": [1], "tumour": [2]}
    assert [pair.label for pair in made.pairs[:2]] == [pair.label for pair in pairs[:2]]
    label, grid = load(made.pairs[2].label)
    assert np.argwhere(label == 2).tolist() == [[0, 0, 0]]
    assert (label == 1).sum() == 2
    assert grid.same_grid(load(pairs[2].label)[1])
    assert "1 label was written with other values" in caplog.text
    assert "(p2)" in caplog.text


def test_names_of_one_value_become_classes_of_their_own(tmp_path):
    pairs = make_pairs(tmp_path, {1: "kidney"}, {1: "cyst"})
    pairs = [
        Pair(pair.case, (None,), ("",), write(pair.label, names, np.minimum(LABEL, 1)))
        for pair, names in zip(pairs, ({1: "kidney"}, {1: "cyst"}), strict=True)
    ]
    made = name_segments(pairs, tmp_path / "out", declared={})
    assert made.classes == {"kidney": [1], "cyst": [2]}
    assert [load(pair.label)[0].max() for pair in made.pairs] == [1, 2]


def test_values_that_are_declared_are_not_changed_and_a_name_with_another_is_a_fault(tmp_path):
    pairs = make_pairs(tmp_path, SAME, OTHER)
    made = name_segments(pairs, tmp_path / "out", declared={"Kidney": [1], "Tumour": [2]})
    (fault,) = made.faults
    assert fault.startswith("case p1: its segments say 1 is tumour, 2 is kidney, and the values")
    assert "are 2 is tumour, 1 is kidney: export them with these values" in fault
    joined = name_segments(pairs, tmp_path / "out", declared={"kidney": [1, 2], "tumour": [1, 2]})
    assert not joined.faults


def test_a_label_without_names_among_some_that_contradict_each_other_is_a_fault(tmp_path):
    pairs = make_pairs(tmp_path, SAME, SAME, OTHER)
    plain = tmp_path / "q.nii.gz"
    nib.save(nib.Nifti1Image(LABEL, np.eye(4)), plain)
    pairs.append(Pair("q", (None,), ("",), plain))
    (fault,) = name_segments(pairs, tmp_path / "out", declared={}).faults
    assert fault.startswith("case q: its label q.nii.gz names no segments")
    assert "(case p2: 1 is tumour, 2 is kidney)" in fault


def test_a_value_without_a_name_in_a_label_that_needs_other_values_is_a_fault(tmp_path):
    pairs = make_pairs(tmp_path, SAME, SAME, {1: "tumour"})
    (fault,) = name_segments(pairs, tmp_path / "out", declared={}).faults
    assert fault.startswith("case p2: its label holds the value 2, which has no name")


@pytest.mark.parametrize("name", ["gone.nii.gz", "label.png"])
def test_labels_of_which_no_header_names_segments_stay_as_they_are(name, tmp_path):
    pairs = [Pair("a", (None,), ("",), tmp_path / name), Pair("b", (None,), ("",), None)]
    made = name_segments(pairs, tmp_path / "out", declared={})
    assert made.pairs == pairs
    assert not made.classes


def test_labels_of_readers_get_the_values_of_the_others_too(tmp_path):
    first, second = make_pairs(tmp_path, SAME, OTHER)
    pair = Pair("c", (None,), ("",), first.label, readers={"a": first.label, "b": second.label})
    (made,) = name_segments([pair], tmp_path / "out", declared={}).pairs
    assert made.label == made.readers["a"] == first.label
    assert (load(made.readers["b"])[0] == 1).sum() == 2
