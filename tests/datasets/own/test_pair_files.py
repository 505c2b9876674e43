"""Tests of medseg.datasets.own.pair_files: the naming conventions of public and private sets."""

import pytest

from medseg.datasets.own.pair_files import pair_files


def make(root, text):
    """Make empty files of these names."""
    for name in text.split():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def found(root, **options):
    """case -> images and label, by name."""
    pairs, faults = pair_files(root, **options)
    assert faults == []
    return {
        pair.case: (
            [str(p.relative_to(root)) for p in pair.images],
            pair.label and str(pair.label.relative_to(root)),
        )
        for pair in pairs
    }


SINGLE = {
    "two folders": "images/a.nii.gz labels/a.nii.gz images/b.nii.gz labels/b.nii.gz",
    "MSD": "imagesTr/liver_1.nii.gz labelsTr/liver_1.nii.gz imagesTr/liver_10.nii.gz "
    "labelsTr/liver_10.nii.gz",
    "LiTS": "volume-1.nii segmentation-1.nii volume-11.nii segmentation-11.nii",
    "side by side": "a.nii.gz a_seg.nii.gz b.nii.gz b_seg.nii.gz",
    "mask first": "mask_a.nrrd image_a.nrrd mask_b.nrrd image_b.nrrd",
    "a folder for each case": "p1/ct.nii.gz p1/mask.nii.gz p2/ct.nii.gz p2/mask.nii.gz",
    "numbers without a space": "img001.png mask001.png img002.png mask002.png",
    "both of one name, in upper case": "Images/IMG_1.mha Labels/IMG_1.mha Images/IMG_2.mha "
    "Labels/IMG_2.mha",
    "nnU-Net with one channel": "imagesTr/k_001_0000.nii.gz labelsTr/k_001.nii.gz "
    "imagesTr/k_002_0000.nii.gz labelsTr/k_002.nii.gz",
    "BIDS derivatives": "sub-01/anat/sub-01_T1w.nii.gz "
    "derivatives/manual/sub-01/anat/sub-01_dseg.nii.gz sub-02/anat/sub-02_T1w.nii.gz "
    "derivatives/manual/sub-02/anat/sub-02_dseg.nii.gz",
    "below a folder of segmentation": "my_segmentation/images/a.nii my_segmentation/masks/a.nii "
    "my_segmentation/images/b.nii my_segmentation/masks/b.nii",
    "img and msk": "p0_img.nii p0_msk.nii p1_img.nii p1_msk.nii",
    "German": "Bilder/Fall_1_ä.nii Masken/Fall_1_ä.nii Bilder/Fall_1_ö.nii Masken/Fall_1_ö.nii",
    "French": "images/a.nii étiquettes/a.nii images/b.nii étiquettes/b.nii",
    "French masks": "images/a.png masques/a.png images/b.png masques/b.png",
    "Spanish": "Imágenes/a.nii Máscaras/a.nii Imágenes/b.nii Máscaras/b.nii",
    "other letters": "images/患者1.nii labels/患者1.nii images/患者2.nii labels/患者2.nii",
    "KiTS": "case_00000/imaging.nii.gz case_00000/segmentation.nii.gz case_00001/imaging.nii.gz "
    "case_00001/segmentation.nii.gz",
}


@pytest.mark.parametrize("convention", SINGLE)
def test_each_label_is_with_its_image(tmp_path, convention):
    make(tmp_path, SINGLE[convention])
    names = SINGLE[convention].split()
    expected = {(image, label) for image, label in zip(names[::2], names[1::2], strict=True)}
    if convention in ("mask first",):
        expected = {(image, label) for label, image in expected}
    assert {(images[0], label) for images, label in found(tmp_path).values()} == expected
    assert all(len(images) == 1 for images, _ in found(tmp_path).values())


def test_one_case_whose_name_begins_with_that_of_another_keeps_its_own_label(tmp_path):
    make(tmp_path, "images/a.nii labels/a.nii images/a_2.nii labels/a_2.nii")
    assert found(tmp_path) == {
        "a": (["images/a.nii"], "labels/a.nii"),
        "a_2": (["images/a_2.nii"], "labels/a_2.nii"),
    }


def test_names_of_the_same_words_in_another_order_or_repeated_are_cases_of_their_own(tmp_path):
    names = ["076_092", "092_076", "076_076", "076"]
    make(tmp_path, " ".join(f"images/{n}.png masks/{n}.png" for n in names))
    assert {images[0]: label for images, label in found(tmp_path).values()} == {
        f"images/{n}.png": f"masks/{n}.png" for n in names
    }


CHANNELS = {
    "nnU-Net": "imagesTr/b_1_0001.nii.gz imagesTr/b_1_0000.nii.gz labelsTr/b_1.nii.gz",
    "BraTS": "B1/B1_t1.nii B1/B1_flair.nii B1/B1_t1ce.nii B1/B1_t2.nii B1/B1_seg.nii",
    "a folder for each channel": "ct/p1.nii pet/p1.nii masks/p1.nii",
}


@pytest.mark.parametrize("convention", CHANNELS)
def test_images_of_one_label_are_its_channels_in_the_order_of_their_names(tmp_path, convention):
    make(tmp_path, CHANNELS[convention])
    (pair,), faults = pair_files(tmp_path)
    assert faults == []
    *images, label = CHANNELS[convention].split()
    assert {str(p.relative_to(tmp_path)) for p in pair.images} == set(images)
    assert str(pair.label.relative_to(tmp_path)) == label
    assert list(pair.channels) == sorted(pair.channels)


def test_an_image_without_a_label_is_a_case_that_has_none(tmp_path):
    make(tmp_path, "images/a.nii labels/a.nii images/z.nii")
    assert found(tmp_path)["z"] == (["images/z.nii"], None)


def test_a_label_without_an_image_is_a_fault_and_two_of_one_image_have_names(tmp_path):
    make(tmp_path, "images/a.nii labels/a.nii labels/q.nii images/c.nii seg/c.nii mask/c.nii")
    pairs, faults = pair_files(tmp_path)
    assert faults == ["label labels/q.nii has no image: add its image, or take it out"]
    assert {name: file.parent.name for name, file in pairs[1].readers.items()} == {
        "mask": "mask",
        "seg": "seg",
    }


def test_patterns_say_what_names_do_not(tmp_path):
    make(tmp_path, "p1/ct.nii p1/liver.nii p2/ct.nii p2/liver.nii")
    with pytest.raises(ValueError, match=r"no label files found in .*: give the folder .*--labels"):
        pair_files(tmp_path)
    assert found(tmp_path, images="*/ct.nii", labels="liver.nii") == {
        "p1": (["p1/ct.nii"], "p1/liver.nii"),
        "p2": (["p2/ct.nii"], "p2/liver.nii"),
    }


def test_a_pattern_that_no_file_matches_is_refused_with_the_paths_that_there_are(tmp_path):
    make(tmp_path, "Bilder/a.nii Ziele/a.nii")
    with pytest.raises(
        ValueError, match=r"matches --images '\*.foo' \(Bilder/a.nii, Ziele/a.nii\)"
    ):
        pair_files(tmp_path, images="*.foo")
    with pytest.raises(ValueError, match=r"no file in .* matches --labels 'Ziel/\*'"):
        pair_files(tmp_path, labels="Ziel/*")
    with pytest.raises(ValueError, match=r"mask or seg \(Bilder/a.nii, Ziele/a.nii\)"):
        pair_files(tmp_path)


def test_nothing_but_labels_and_no_file_at_all_are_refused(tmp_path):
    with pytest.raises(ValueError, match="neither volumes nor pictures"):
        pair_files(tmp_path)
    make(tmp_path, "a_mask.nii b_mask.nii")
    with pytest.raises(ValueError, match=r"all files .* are labels .*--images"):
        pair_files(tmp_path)


def test_hidden_files_and_pictures_beside_volumes_are_not_looked_at(tmp_path):
    make(tmp_path, "images/a.nii labels/a.nii images/.b.nii images/._a.nii preview.png")
    assert list(found(tmp_path)) == ["a"]


def test_pictures_beside_volumes_are_left_out_and_said(tmp_path, caplog):
    make(tmp_path, "images/a.nii labels/a.nii images/b.png labels/b.png")
    assert list(found(tmp_path)) == ["a"]
    assert "2 pictures are left out beside 2 volumes" in caplog.text
