"""Tests of medseg.datasets.own.readers.name_readers, by the names that people give to files."""

import pytest
from datasets.own.test_pair_files import make

from medseg.datasets.own.pair_files import pair_files

SCHEMES = {
    "behind the case": ("images/c{n}.nii.gz", "labels/c{n}_{r}.nii.gz"),
    "a folder for each": ("images/c{n}.nii.gz", "labels_{r}/c{n}.nii.gz"),
    "below a folder": ("images/c{n}.nii.gz", "seg/{r}/c{n}.nii.gz"),
    "side by side": ("c{n}_ct.nii.gz", "c{n}_seg_{r}.nii.gz"),
    "a folder for each case": ("c{n}/ct.nii.gz", "c{n}/{r}/mask.nii.gz"),
    "nnU-Net": ("imagesTr/k_{n}_0000.nii.gz", "labelsTr/k_{n}_{r}.nii.gz"),
    "pictures": ("images/k{n}.png", "masks/{r}/k{n}.png"),
}


def found(root, **options):
    """case -> reader -> label."""
    pairs, faults = pair_files(root, several_readers=True, **options)
    assert faults == []
    return {
        pair.case: {r: str(p.relative_to(root)) for r, p in pair.readers.items()} for pair in pairs
    }


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("readers", [("anna", "bob"), ("1", "2"), ("reader1", "reader2")])
def test_a_reader_is_what_differs_in_the_names_of_labels(tmp_path, scheme, readers):
    image, label = SCHEMES[scheme]
    for n in (1, 2, 3):
        names = [label.format(n=n, r=reader) for reader in readers]
        make(tmp_path, " ".join([image.format(n=n), *names]))
    shown = {r: f"reader_{r}" if r.isdigit() else r for r in readers}
    expected = [{shown[r]: label.format(n=n, r=r) for r in readers} for n in (1, 2, 3)]
    assert list(found(tmp_path).values()) == expected


def test_a_case_has_the_readers_that_drew_it(tmp_path):
    make(tmp_path, "images/a.nii images/b.nii labels/a_x.nii labels/a_y.nii labels/b_y.nii")
    assert {case: list(readers) for case, readers in found(tmp_path).items()} == {
        "a": ["x", "y"],
        "b": ["y"],
    }


def test_folders_of_two_words_for_labels_are_two_readers(tmp_path):
    make(tmp_path, "images/c.nii mask/c.nii seg/c.nii images/d.nii mask/d.nii seg/d.nii")
    assert found(tmp_path)["c"] == {"mask": "mask/c.nii", "seg": "seg/c.nii"}


def test_readers_and_channels_are_told_apart(tmp_path):
    make(tmp_path, "images/a_t1.nii images/a_t2.nii labels/a_anna.nii labels/a_bob.nii")
    make(tmp_path, "images/b_t1.nii images/b_t2.nii labels/b_anna.nii labels/b_bob.nii")
    pairs, faults = pair_files(tmp_path, several_readers=True)
    assert faults == []
    assert [(pair.channels, list(pair.readers)) for pair in pairs] == 2 * [
        (("t1", "t2"), ["anna", "bob"])
    ]


def test_a_label_of_a_case_without_an_image_is_no_readers(tmp_path):
    make(tmp_path, "images/case7.nii images/case6.nii labels/case6_anna.nii labels/case7_anna.nii")
    make(tmp_path, "labels/case8_anna.nii")
    _, faults = pair_files(tmp_path, several_readers=True)
    assert faults == ["label labels/case8_anna.nii has no image: add its image, or take it out"]


def test_two_labels_of_one_reader_are_a_fault(tmp_path):
    make(tmp_path, "images/a.nii images/b.nii x/seg/a.nii x/seg/b.nii x_seg/a.nii y/seg/a.nii")
    _, faults = pair_files(tmp_path, several_readers=True)
    assert faults == [
        "case a has 3 labels of one reader by their names: x/seg/a.nii, x_seg/a.nii, y/seg/a.nii: "
        "keep one"
    ]
