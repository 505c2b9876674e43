"""Tests of medseg.planning.plan_folder."""

import logging

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 -- the name its manual uses
from PIL import Image

from medseg.datasets import prepared
from medseg.datasets.own.channels import ChannelRules
from medseg.planning.plan_folder import plan_folder


def write_case(root, name, *, label=None, seed=0):
    random = np.random.default_rng([seed, len(name), ord(name[-1])])
    image = random.integers(0, 1000, (12, 14, 10)).astype(np.int16)
    mask = np.zeros(image.shape, np.uint8)
    mask[3:8, 4:9, 2:7] = 1
    for folder, array in (("images", image), ("labels", mask if label is None else label)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        made = nib.Nifti1Image(array, np.diag([1, 1, 2, 1.0]))
        made.header.set_xyzt_units("mm")
        nib.save(made, root / folder / f"{name}.nii.gz")


@pytest.fixture
def data(tmp_path, monkeypatch):
    for number in range(6):
        write_case(tmp_path / "scans", f"p{number // 2}_{number}")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "scans"


def test_a_folder_becomes_a_task_and_a_list_of_its_cases(data):
    planned = plan_folder("kidney", data)
    assert planned.classes == {"kidney": [1]}
    assert planned.found.cases == 6
    assert planned.task["dataset_dir"] == "data/kidney"
    assert planned.task["image_size"] == [12, 14, 10]
    assert planned.write_datalist().as_posix() == "data/kidney/datalist.json"
    cases = [
        case
        for section in ("training", "validation", "test")
        for case in prepared.list_cases("data/kidney", section, folds=2)
    ]
    assert len(cases) == 6
    assert {case["image"] for case in cases} == {
        str(data / "images" / f"p{n // 2}_{n}.nii.gz") for n in range(6)
    }


def test_cases_of_one_patient_stay_together(data):
    plan_folder("kidney", data, patients="(p[0-9]+)_").write_datalist()
    sections = [
        {case["patient"] for case in prepared.list_cases("data/kidney", section, folds=2)}
        for section in ("training", "validation", "test")
    ]
    assert sorted(name for names in sections for name in names) == ["p0", "p1", "p2"]


def test_a_pattern_that_finds_no_patient_is_refused(data, tmp_path):
    with pytest.raises(ValueError, match=r"--patients x\+ finds no group"):
        plan_folder("kidney", data, patients="x+")
    assert not (tmp_path / "bundles").exists()


def test_a_pattern_that_finds_no_patient_in_some_case_or_is_none_at_all_is_refused(data):
    with pytest.raises(ValueError, match=r"--patients p\(1\)\? finds no group in .* p0_0"):
        plan_folder("kidney", data, patients="p(1)?")
    with pytest.raises(ValueError, match=r"--patients \(p is no regular expression"):
        plan_folder("kidney", data, patients="(p")


def test_classes_and_declared_values_that_the_labels_contradict_are_refused(data, caplog):
    with pytest.raises(ValueError, match="class b has the label value 9, which no label holds"):
        plan_folder("kidney", data, classes={"a": [1], "b": [9]})
    (data / "dataset.json").write_text('{"labels": {"background": 0, "a": 2}}')
    with pytest.raises(ValueError, match="1 fault in the data"):
        plan_folder("kidney", data)
    assert "case p0_0: its label holds 1, and dataset.json declares 0, 2" in caplog.text
    assert plan_folder("kidney", data, classes={"a": [1]}).classes == {"a": [1]}


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ([0, 0, 0, 0, 0, 0], "all cases are in fold 0, and none is left to train on"),
        ([0, 0, 2, 2, 2, 2], "no case is in fold 1, and fold 2 has some"),
    ],
)
def test_folds_that_leave_nothing_to_train_or_validate_on_are_refused(data, folds, message):
    rows = [f"images/{p.name},labels/{p.name}" for p in sorted((data / "labels").iterdir())]
    table = data / "cases.csv"
    lines = [f"{row},{fold}" for row, fold in zip(rows, folds, strict=True)]
    table.write_text("\n".join(["image,label,fold", *lines]))
    with pytest.raises(ValueError, match=message):
        plan_folder("kidney", table)


def test_all_faults_are_told_at_once_and_nothing_is_written(data, tmp_path, caplog):
    write_case(data, "q1", label=np.full((12, 14, 10), 0.5, np.float32))
    write_case(data, "q2", label=np.zeros((12, 14, 9), np.uint8))
    (data / "labels" / "r.nii.gz").write_bytes((data / "labels" / "q1.nii.gz").read_bytes())
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(ValueError, match="3 faults in the data"),
    ):
        plan_folder("kidney", data)
    assert "case q1: its label holds values that are no whole numbers" in caplog.text
    assert "case q2: image and label lie on different grids" in caplog.text
    assert "drawn on this image, or resample labels onto the grid of the image" in caplog.text
    assert "has no image" in caplog.text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scans"]


def test_a_fault_of_many_cases_is_one_line_beside_labels_that_are_empty(data, caplog):
    for number in range(5):
        write_case(data, f"q{number}", label=np.full((12, 14, 10), 0.5, np.float32))
    write_case(data, "r", label=np.zeros((12, 14, 10), np.uint8))
    with pytest.raises(ValueError, match="1 fault in the data, listed above, with 1 line"):
        plan_folder("kidney", data)
    assert caplog.text.count("no whole numbers") == 1
    assert "; likewise in 4 other cases: q1, q2, q3, q4" in caplog.text
    assert "case r: its label holds background alone: correct it if" in caplog.text


@pytest.fixture
def both(data):
    """The images twice, as channels t1 and t2."""
    for file in list((data / "images").iterdir()):
        other = file.with_name(file.name.replace(".nii.gz", "_t2.nii.gz"))
        other.write_bytes(file.read_bytes())
        file.rename(file.with_name(file.name.replace(".nii.gz", "_t1.nii.gz")))
    return data


def test_images_of_a_case_are_its_channels(both):
    planned = plan_folder("kidney", both)
    assert planned.task["image_channels"] == ["t1", "t2"]
    assert "channel_dropout" not in planned.task
    planned.write_datalist()
    for case in prepared.list_cases("data/kidney", "training", folds=2):
        names = [f"{both}/images/{case['case']}_{channel}.nii.gz" for channel in ("t1", "t2")]
        assert case["image"] == names


def test_a_chosen_channel_is_a_single_image(both):
    planned = plan_folder("kidney", both, channels=ChannelRules(("t2",)))
    assert "image_channels" not in planned.task
    assert planned.items[0]["image"].endswith("_t2.nii.gz")


def test_a_missing_channel_is_a_fault_or_trained_for(both, caplog):
    next((both / "images").glob("*_1_t1.nii.gz")).unlink()
    with pytest.raises(ValueError, match="1 fault in the data"):
        plan_folder("kidney", both)
    assert "case p0_1 has no image t1" in caplog.text
    planned = plan_folder("kidney", both, channels=ChannelRules(allow_missing=True))
    assert planned.task["channel_dropout"] == 0.2
    (item,) = [one for one in planned.items if one["case"] == "p0_1"]
    assert item["image"][0] is None
    planned.write_datalist()


def test_channels_on_another_grid_are_resampled_where_it_is_asked_for(both):
    file = next((both / "images").glob("*_1_t2.nii.gz"))
    coarse = nib.Nifti1Image(np.asarray(nib.load(file).dataobj)[::2], np.diag([2, 1, 2, 1.0]))
    nib.save(coarse, file)
    with pytest.raises(ValueError, match="1 fault in the data"):
        plan_folder("kidney", both)
    planned = plan_folder("kidney", both, channels=ChannelRules(resample=True))
    assert planned.task["resample_channels"] is True


def test_a_value_that_dataset_json_ignores_counts_nowhere(data):
    ignored = np.zeros((12, 14, 10), np.uint8)
    ignored[3:8, 4:9, 2:7] = 1
    ignored[0] = 7
    write_case(data, "p3_6", label=ignored)
    (data / "dataset.json").write_text('{"labels": {"background": 0, "a": 1, "ignore": 7}}')
    task = plan_folder("kidney", data).task
    assert (task["classes"], task["ignore"], task["label_values"]) == ({"a": [1]}, [7], [0, 1, 7])


def test_masks_of_1_and_of_255_are_one_class_and_both_in_one_label_are_two(data, caplog):
    white = np.zeros((12, 14, 10), np.uint8)
    white[3:8, 4:9, 2:7] = 255
    write_case(data, "p0_0", label=white)
    write_case(data, "p1_2", label=white)
    planned = plan_folder("kidney", data)
    assert planned.classes == {"kidney": [1, 255]}
    assert planned.task["label_values"] == [0, 1, 255]
    assert "masks of 0 and 1, and others of 0 and 255: both values are class kidney" in caplog.text
    assert "label 255" not in caplog.text
    white[0] = 1
    write_case(data, "p2_4", label=white)
    assert plan_folder("kidney", data).classes == {"label_1": [1], "label_255": [255]}


def test_image_and_label_of_a_case_that_are_exchanged_are_a_fault_that_names_it(data, caplog):
    image, label = data / "images" / "p0_1.nii.gz", data / "labels" / "p0_1.nii.gz"
    values = np.random.default_rng(0).integers(0, 200, (12, 14, 10)).astype(np.uint8)
    nib.save(nib.load(label), image)
    nib.save(nib.Nifti1Image(values, nib.load(label).affine, nib.load(label).header), label)
    with pytest.raises(ValueError, match="1 fault in the data"):
        plan_folder("kidney", data)
    assert "case p0_1: its label holds 199 values beside 0" in caplog.text
    assert "its label looks like an image and its image like a label: exchange" in caplog.text


def test_cases_of_too_few_patients_are_refused(data):
    with pytest.raises(ValueError, match=r"6 cases are of 1 patient, .* or correct --patients$"):
        plan_folder("kidney", data, patients="(p)")


def test_a_label_in_few_cases_and_one_below_a_voxel_are_said(data, caplog):
    rare = np.zeros((12, 14, 10), np.uint8)
    rare[3:8, 4:9, 2:7] = 1
    rare[0, 0, 0] = 2
    write_case(data, "p0_0", label=rare)
    with caplog.at_level(logging.WARNING):
        plan_folder("kidney", data)
    assert "label 2 is in 1 of 6 cases: a fold without it cannot be validated" in caplog.text
    assert (
        "label 2 is no larger than a voxel of the plan (2 mm) in 1 of 1 case (p0_0" in caplog.text
    )
    assert "label 1" not in caplog.text


def test_an_image_far_smaller_than_the_patch_is_named(data, caplog):
    plan_folder("kidney", data)
    assert "as long as the patch" not in caplog.text
    for folder in ("images", "labels"):
        file = data / folder / "p0_0.nii.gz"
        nib.save(nib.load(file).slicer[:, 4:9, :], file)
    plan_folder("kidney", data)
    assert "1 image is less than half as long as the patch of 12x14x10 along an axis" in caplog.text
    assert "and padded: p0_0;" in caplog.text


def test_images_without_a_label_are_named_and_left_out(data, caplog):
    next((data / "labels").glob("*_5.nii.gz")).unlink()
    assert plan_folder("kidney", data).found.cases == 5
    assert "left out, as images without a label: p2_5 (1)" in caplog.text


def test_pictures_take_no_dims(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        for folder, value in (("images", 40 * number), ("labels", 0)):
            (tmp_path / "p" / folder).mkdir(parents=True, exist_ok=True)
            array = np.full((20, 20), value, np.uint8)
            array[number : number + 5] = 1
            Image.fromarray(array).save(tmp_path / "p" / folder / f"{number}.png")
    with pytest.raises(ValueError, match="are planned in 2D: leave --dims out"):
        plan_folder("dots", tmp_path / "p", dims="3d")


def test_a_ct_by_name_whose_values_are_none_is_told(data, caplog):
    for file in sorted((data / "images").iterdir()):
        file.rename(file.with_name(file.name.replace(".nii", "_ct.nii")))
    planned = plan_folder("kidney", data)  # values of 0 to 1000
    assert (
        "stated to be a CT, but with values that cannot be Hounsfield units: p0_0, " in caplog.text
    )
    assert planned.task["_layers_"][0] == "mr"


def test_a_label_along_other_axes_is_planned_like_the_same_along_those_of_its_image(data, caplog):
    before = plan_folder("kidney", data)
    path = data / "labels" / "p0_0.nii.gz"
    label = nib.load(path)
    values = label.get_fdata()
    nib.save(label.as_reoriented(nib.orientations.axcodes2ornt(("P", "L", "S"))), path)
    planned = plan_folder("kidney", data)
    assert caplog.text.count("1 label has axes in another order or direction") == 1
    assert planned.facts[0].thumbnail == before.facts[0].thumbnail
    assert planned.choices == before.choices
    planned.write_datalist()
    cases = prepared.list_cases("data/kidney", "training", folds=2, fold=0)
    cases += prepared.list_cases("data/kidney", "validation", folds=2, fold=0)
    cases += prepared.list_cases("data/kidney", "test", folds=2)
    (turned,) = (case["label"] for case in cases if case["case"] == "p0_0")
    assert nib.load(turned).shape == (12, 14, 10)
    np.testing.assert_array_equal(nib.load(turned).get_fdata(), values)


def test_names_of_segments_are_the_classes_and_one_label_that_exchanges_them_is_mended(
    data, caplog
):
    for number in range(6):
        source = data / "labels" / f"p{number // 2}_{number}.nii.gz"
        label = sitk.ReadImage(str(source))
        label[0, 0, 0], names = 2, ("kidney", "cyst")
        for segment, name in enumerate(names if number else names[::-1]):
            label.SetMetaData(f"Segment{segment}_Name", name)
            label.SetMetaData(f"Segment{segment}_LabelValue", str(segment + 1))
            label.SetMetaData(f"Segment{segment}_Layer", "0")
        sitk.WriteImage(label, str(source.with_suffix("").with_suffix(".seg.nrrd")))
        source.unlink()
    planned = plan_folder("x", data)
    assert planned.classes == {"kidney": [1], "cyst": [2]}
    assert planned.facts[0].counts[2] > planned.facts[1].counts[2]
    assert "named" in planned.items[0]["label"]
    assert "(p0_0)" in caplog.text
    with pytest.raises(ValueError, match="1 fault in the data"):
        plan_folder("x", data, classes={"kidney": [1], "cyst": [2]})
