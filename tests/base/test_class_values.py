"""Tests of medseg.base.class_values: label values that classes gather, refused before data are
read."""

import subprocess
import sys

import pytest

from medseg.base.class_values import check_classes, check_values
from medseg.bundles.overrides import read_overrides

NOT_OF_THE_DATASET = (
    r"^class 'liver' includes label value 1, but the dataset has \[0, 255\]: choose among these in "
    "--classes, or pass --label_values with what your label maps hold$"
)


def test_values_of_the_dataset_pass():
    check_values({"liver": [255]}, None, [0, 255])
    check_values({"liver": [1, 2], "tumour": [2]}, [0, 255], [0, 1, 2, 255])
    check_values({"liver": [9]}, 3, None)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([True], "has the label value True: label values are whole numbers"),
        (["255"], "has the label value '255': label values are whole numbers"),
        ([255, 1.5], "has the label value 1.5: label values are whole numbers"),
        ([[255]], r"has the label value \[255\]: label values are whole numbers"),
        (None, "has the label values None: write a list"),
        ({"a": 1}, "write a list"),
        (255, "write a list"),
    ],
)
def test_what_is_no_list_of_whole_numbers_is_refused(value, said):
    with pytest.raises(TypeError, match=f"^class 'liver' .*{said}"):
        check_classes({"liver": value})


@pytest.mark.parametrize("workflow", ["train", "evaluate", "multi_gpu_train"])
@pytest.mark.parametrize(
    "words",
    [
        ("--classes", "{'liver': [1]}"),
        ("--classes", "{'liver': [255, 1]}"),
        ("--classes#liver", "[1]"),
        ("--classes::liver", "[255, 1]"),
        ("--classes#liver#0", "1"),
    ],
)
def test_a_value_that_the_dataset_does_not_have_is_refused_with_the_overrides(
    repository, workflow, words
):
    with pytest.raises(ValueError, match=NOT_OF_THE_DATASET):
        read_overrides(repository / "bundles/liver_slices", workflow, words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--classes", "{}"), "classes must map 1 to 254 names"),
        (("--classes", "{'liver': []}"), "'liver' has no label value"),
        (("--classes", "{'background': [1]}"), "a class is called 'background'"),
        (("--classes", "{'liver': 255}"), "write a list"),
        (("--classes", "{'a': [255], 'b': [255]}"), "255 is in two classes, 'a' and 'b'"),
        (
            ("--label_values", "[0, 1]"),
            r"'liver' includes label value 255, but the dataset has \[0, 1",
        ),
        (
            ("--label_values#1", "1"),
            r"'liver' includes label value 255, but the dataset has \[0, 1",
        ),
        (("--ignore", "255"), "255 is in class 'liver' and ignored: choose one of the two"),
        (("--ignore", "[7]"), r"7 is ignored, but the dataset has \[0, 255\].* --ignore"),
        (("--classes", "{'a': [255]}", "--classes#liver#0", "1"), "put the value into --classes"),
    ],
)
def test_classes_that_make_no_sense_are_refused_with_the_overrides(repository, words, said):
    with pytest.raises(ValueError, match=said):
        read_overrides(repository / "bundles/liver_slices", "train", words)


@pytest.mark.parametrize(
    "words",
    [
        ("--label_values", "[0, 1]", "--classes", "{'liver': [1]}"),
        ("--label_values#1", "1", "--classes#liver", "[1]"),
        ("--classes", "$f()"),
        ("--label_values", "[0, 7, 255]", "--ignore", "7"),
    ],
)
def test_classes_and_values_that_go_together_pass(repository, words):
    read_overrides(repository / "bundles/liver_slices", "train", words)


def test_the_command_line_answers_before_data_and_torch(tmp_path, repository):
    code = (
        "import sys; from medseg.cli.app import app; sys.argv = ['medseg', *sys.argv[1:]]\n"
        "try: app()\n"
        "finally: print('torch' in sys.modules)"
    )
    words = ["train", "-b", "bundles/liver_slices", "--dataset_dir", str(tmp_path / "absent")]
    command = [sys.executable, "-c", code, *words, "--classes", "{'liver': [1]}"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: class 'liver' includes label value 1, but the dataset has"
    )
    assert done.stderr.count("\n") == 1
    assert done.stdout == "False\n"


@pytest.mark.parametrize("name", ["$exit()", "@device", "%x", "_target_", "+x", "a#b", "a::b"])
def test_a_name_that_a_config_would_interpret_is_refused(name):
    with pytest.raises(ValueError, match="would not take for text"):
        check_classes({name: [1]})


def test_other_names_are_taken():
    check_classes({"left kidney (cortex), 50 %": [1]})
