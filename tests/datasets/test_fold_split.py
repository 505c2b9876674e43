"""Tests of medseg.datasets.fold_split."""

import json
import subprocess
import sys
from collections import Counter

import pytest

from medseg.datasets import fold_split


def _items(patients, *, per_patient=1):
    return [
        {
            "case": f"{patient}_{n}",
            "patient": patient,
            "image": f"/data/{patient}_{n}.nii",
            "label": f"/data/{patient}_{n}_mask.nii",
        }
        for patient in patients
        for n in range(per_patient)
    ]


def _tests(patients):
    return [{k: v for k, v in item.items() if k != "label"} for item in _items(patients)]


def _folds(built):
    return {item["case"]: item["fold"] for item in built["training"]}


def test_importing_datasets_does_not_import_torch_or_monai():
    code = (
        "import sys, medseg.datasets, medseg.datasets.lits, medseg.datasets.phantom\n"
        "sys.exit(bool({'torch', 'monai'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_folds_differ_by_one_patient_at_most():
    built = fold_split.build("toy", _items("abcdefg"), folds=3)
    assert sorted(Counter(_folds(built).values()).values()) == [2, 2, 3]


def test_all_cases_of_a_patient_share_a_fold():
    built = fold_split.build("toy", _items("abcd", per_patient=5), folds=2)
    folds_of = {}
    for item in built["training"]:
        folds_of.setdefault(item["patient"], set()).add(item["fold"])
    assert [len(folds) for folds in folds_of.values()] == [1, 1, 1, 1]


def test_folds_depend_on_the_seed_and_not_on_the_order_of_the_items():
    items = _items("abcdefghij")
    first = _folds(fold_split.build("toy", items, folds=5, seed=1))
    assert _folds(fold_split.build("toy", items[::-1], folds=5, seed=1)) == first
    assert _folds(fold_split.build("toy", items, folds=5, seed=2)) != first


def test_every_case_is_validated_in_exactly_one_fold():
    training = fold_split.build("toy", _items("abcdefg"), folds=3)["training"]
    seen = Counter()
    for fold in range(3):
        train, validation = fold_split.split(training, fold=fold)
        assert len(train) + len(validation) == 7
        seen.update(item["case"] for item in validation)
    assert set(seen.values()) == {1}
    assert len(seen) == 7


def test_a_fold_without_cases_is_refused_with_the_numbers():
    training = fold_split.build("toy", _items("abc"), folds=2)["training"]
    with pytest.raises(
        ValueError, match=r"fold 4 has no cases \(3 cases; fold 0: 2, fold 1: 1\): choose another"
    ):
        fold_split.split(training, fold=4)


def test_a_fold_that_leaves_nothing_to_train_on_is_refused():
    items = [{**item, "fold": 0} for item in _items("ab")]
    with pytest.raises(ValueError, match="fold 0 holds every case"):
        fold_split.split(items, fold=0)


def test_fewer_patients_than_folds_are_refused_however_many_cases_they_have():
    with pytest.raises(ValueError, match="2 patients are too few for 3 folds"):
        fold_split.build("toy", _items("ab", per_patient=9), folds=3)


def test_a_single_fold_is_refused():
    with pytest.raises(ValueError, match="1 folds leave nothing to train on"):
        fold_split.build("toy", _items("ab"), folds=1)


def test_held_out_patients_are_apart_and_take_all_their_cases_along():
    rest, held = fold_split.hold_out(_items("abcdefghij", per_patient=2), 0.3, seed=0)
    assert (len(rest), len(held)) == (14, 6)
    assert not {item["patient"] for item in rest} & {item["patient"] for item in held}


def test_the_smallest_share_still_holds_one_patient_out_and_the_largest_leaves_one():
    assert [len(part) for part in fold_split.hold_out(_items("abc"), 0.01)] == [2, 1]
    assert [len(part) for part in fold_split.hold_out(_items("abc"), 0.99)] == [1, 2]


@pytest.mark.parametrize(
    ("patients", "share", "message"),
    [("abc", 0, "share .* is 0"), ("abc", 1.0, "share .* is 1.0"), ("a", 0.5, "1 patients")],
)
def test_holding_out_nobody_or_everybody_is_refused(patients, share, message):
    with pytest.raises(ValueError, match=message):
        fold_split.hold_out(_items(patients), share)


def test_a_section_has_the_files_the_case_and_the_patient_but_not_the_fold():
    built = fold_split.build("toy", _items("abcd"), testing=_tests("x"), folds=2)
    assert set(fold_split.select(built, "training")[0]) == {"image", "label", "case", "patient"}
    assert fold_split.select(built, "test") == [
        {"image": "/data/x_0.nii", "case": "x_0", "patient": "x"}
    ]
    cases = [
        item["case"]
        for section in ("training", "validation")
        for item in fold_split.select(built, section, fold=1)
    ]
    assert sorted(cases) == ["a_0", "b_0", "c_0", "d_0"]


def test_an_unknown_section_is_refused_with_the_known_ones():
    built = fold_split.build("toy", _items("ab"), folds=2)
    with pytest.raises(ValueError, match="'train' is unknown: choose one of training, validation"):
        fold_split.select(built, "train")


def test_an_empty_test_section_is_refused():
    built = fold_split.build("toy", _items("ab"), folds=2)
    with pytest.raises(ValueError, match="toy has no test cases"):
        fold_split.select(built, "test")


def test_a_patient_in_training_and_testing_is_refused():
    tests = [{"case": "t", "patient": "a", "image": "/data/t.nii"}]
    with pytest.raises(ValueError, match=r"case t leaks: its patient is in fold . and in testing"):
        fold_split.build("toy", _items("ab"), testing=tests, folds=2)


def test_a_patient_in_two_folds_is_refused():
    built = fold_split.build("toy", _items("ab", per_patient=2), folds=2)
    built["training"][1]["fold"] = 1 - built["training"][0]["fold"]
    with pytest.raises(ValueError, match=r"case a_1 leaks: its patient is in fold . and in fold ."):
        fold_split.check(built)


def test_a_file_that_two_cases_share_is_refused_even_through_a_link(tmp_path):
    (tmp_path / "b_0.nii").touch()
    (tmp_path / "link.nii").symlink_to("b_0.nii")
    items = _items("abc")
    items[1]["image"] = str(tmp_path / "b_0.nii")
    tests = [{"case": "t", "patient": "t", "image": str(tmp_path / "link.nii")}]
    with pytest.raises(ValueError, match="is used by case b_0 and again by case t as its image"):
        fold_split.build("toy", items, testing=tests, folds=2)


def test_an_image_that_is_its_own_label_is_refused():
    items = _items("ab")
    items[0]["label"] = items[0]["image"]
    with pytest.raises(ValueError, match="by case a_0 and again by case a_0 as its label"):
        fold_split.build("toy", items, folds=2)


def test_a_case_name_that_occurs_twice_is_refused():
    items = _items("abc")
    items[2]["case"] = "a_0"
    with pytest.raises(ValueError, match="case a_0 is listed more than once"):
        fold_split.build("toy", items, folds=2)


def test_a_fold_out_of_range_is_refused():
    built = fold_split.build("toy", _items("ab"), folds=2)
    built["training"][0]["fold"] = 2
    with pytest.raises(ValueError, match=r"case a_0 is in fold 2: choose 0 to 1"):
        fold_split.check(built)


def test_missing_keys_are_named():
    built = fold_split.build("toy", _items("ab"), folds=2)
    with pytest.raises(ValueError, match="datalist lacks seed, testing"):
        fold_split.check({k: v for k, v in built.items() if k not in ("seed", "testing")})
    del built["training"][0]["label"]
    with pytest.raises(ValueError, match="case a_0 lacks label"):
        fold_split.check(built)


def test_what_is_written_is_read_again(tmp_path):
    built = fold_split.build("toy", _items("abcd"), testing=_tests("x"), folds=2)
    path = fold_split.write(built, tmp_path / "new" / "datalist.json")
    assert fold_split.read(path) == built
    assert [file.name for file in path.parent.iterdir()] == ["datalist.json"]


def test_relative_paths_start_from_the_folder_of_the_file(tmp_path):
    items = [
        {"case": c, "patient": c, "image": f"images/{c}.nii", "label": f"labels/{c}.nii"}
        for c in "ab"
    ]
    path = fold_split.write(fold_split.build("toy", items, folds=2), tmp_path / "datalist.json")
    assert fold_split.read(path)["training"][0]["image"] == str(tmp_path / "images" / "a.nii")


def test_a_leaking_list_is_not_written_and_the_old_file_stays(tmp_path):
    path = tmp_path / "datalist.json"
    path.write_text("old")
    built = fold_split.build("toy", _items("ab"), folds=2)
    built["training"][0]["case"] = built["training"][1]["case"]
    with pytest.raises(ValueError, match="more than once"):
        fold_split.write(built, path)
    assert path.read_text() == "old"


def test_a_missing_or_broken_file_is_refused_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"no datalist at {tmp_path}/none.json"):
        fold_split.read(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(ValueError, match=r"broken\.json cannot be used, it is no valid JSON"):
        fold_split.read(broken)
    broken.write_text("[" * 10**5)
    with pytest.raises(ValueError, match=r"broken\.json cannot be used, it is nested too deeply"):
        fold_split.read(broken)
    broken.write_text(json.dumps([1]))
    with pytest.raises(ValueError, match=r"broken\.json holds a list"):
        fold_split.read(broken)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"case": 5}, "case 5 has the case 5, which is not text"),
        ({"image": 2023}, "has the image 2023, which is not text: write it in quotes"),
        ({"label": ["a.nii"]}, r"has the label \['a.nii'\], which is not text"),
    ],
)
def test_a_row_whose_names_are_no_text_is_refused(change, message):
    row = {"case": "a", "patient": "p", "image": "a.nii", "label": "b.nii", "fold": 0} | change
    made = {"name": "toy", "seed": 0, "folds": 2, "training": [row], "testing": []}
    with pytest.raises(ValueError, match=message):
        fold_split.check(made)


def test_a_row_that_is_no_object_is_refused():
    made = {"name": "toy", "seed": 0, "folds": 2, "training": ["a.nii"], "testing": []}
    with pytest.raises(ValueError, match=r"'a\.nii' is not a case: write an object with case"):
        fold_split.check(made)


def test_a_file_that_is_nested_too_deeply_is_refused(tmp_path):
    (tmp_path / "datalist.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        fold_split.read(tmp_path / "datalist.json")


def test_a_datalist_that_an_editor_marked_as_unicode_is_read(tmp_path):
    items = [{"case": c, "patient": c, "image": f"{c}.nii", "label": f"{c}_m.nii"} for c in "ab"]
    path = fold_split.write(fold_split.build("toy", items, folds=2), tmp_path / "list.json")
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert fold_split.read(path)["name"] == "toy"


def test_the_cases_of_a_section_are_counted_and_a_section_without_cases_has_none():
    def read_cases(dataset_dir, section, *, fold):
        if section == "test":
            raise ValueError("no test cases")
        return [f"{dataset_dir}{section}{fold}"] * 3

    assert fold_split.count_cases(read_cases, "data", "training", fold=1) == 3
    assert fold_split.count_cases(read_cases, "data", "test", fold=1) == 0


@pytest.mark.parametrize(("all_cases", "folds"), [(False, {0, 2}), (True, {0, 1, 2})])
def test_a_training_learns_from_all_folds_but_one_or_from_all(all_cases, folds):
    def read(folder, section, *, fold, folds, seed):
        kept = {"training": [k for k in range(folds) if k != fold], "validation": [fold]}
        return [{"case": f"{folder}{k}{seed}"} for k in kept[section]]

    listed = fold_split.list_training(read, "a", all_cases=all_cases, fold=1, folds=3, seed=7)
    assert {case["case"] for case in listed} == {f"a{k}7" for k in folds}


def test_labels_of_readers_are_kept_and_only_a_training_that_wants_them_gets_them(tmp_path):
    items = [
        {"case": c, "patient": c, "image": f"{c}.nii", "label": f"{c}_all.nii"}
        | {"readers": {"anna": f"{c}_anna.nii"}}
        for c in "ab"
    ]
    made = fold_split.read(
        fold_split.write(fold_split.build("toy", items, folds=2), tmp_path / "list.json")
    )
    first = str(tmp_path / "a_anna.nii")
    assert made["training"][0]["readers"] == {"anna": first}

    def read_cases(_, section, **split):
        return fold_split.select(made, section)

    for keep in (False, True):
        (case,) = fold_split.list_training(read_cases, "", keep_readers=keep)
        assert ("readers" in case) == keep
    items[1]["readers"] = {"anna": "a_anna.nii"}
    with pytest.raises(ValueError, match="again by case b as its label of reader anna"):
        fold_split.check(fold_split.build("toy", items, folds=2))


def _with_channels(*images):
    items = [{**item, "image": list(images)} for item in _items("a")]
    return {**fold_split.build("toy", _items("bc"), folds=2), "testing": items}


def test_the_files_of_channels_start_from_the_folder_of_the_list_too(tmp_path):
    path = fold_split.write(_with_channels("x/a_t1.nii", None), tmp_path / "list.json")
    (item,) = fold_split.select(fold_split.read(path), "test")
    assert item["image"] == [str(tmp_path / "x" / "a_t1.nii"), None]


def test_channels_that_are_no_files_or_shared_by_two_cases_are_refused():
    for images in ((None, None), ("a.nii", 3), ()):
        with pytest.raises(ValueError, match="which is not text"):
            fold_split.check(_with_channels(*images))
    with pytest.raises(ValueError, match=r"/data/b_0.nii is used by case b_0 and again by case a"):
        fold_split.check(_with_channels("a.nii", "/data/b_0.nii"))
