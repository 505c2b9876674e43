"""Tests of medseg.inference.outputs.label_files: viewers and programs read the names of a mask."""

import json
import re

import pytest

from medseg.inference import LabelFiles
from medseg.inference.outputs.label_files import (
    format_itk_snap,
    format_json,
    format_slicer,
    read_table,
)
from medseg.labels import BRIGHT_COLOURS, COLOURS, make_table

NAMES = {"labels.json", "labels.label", "labels.ctbl"}
CLASSES = {"liver": [1, 2], "tumour": [2]}
ODD = 'a "b" \n\tc\x1b é'


def read_itk_snap(text):
    """Value -> colour, opacity, visible, mesh visible and name, as the header names the columns."""
    rows = [line for line in text.splitlines() if not line.startswith("#")]
    pattern = re.compile(
        r"\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+([\d.]+)\s+([01])\s+([01])\s+\"(.*)\""
    )
    parts = [pattern.fullmatch(row).groups() for row in rows]
    return {int(p[0]): (tuple(map(int, p[1:4])), *map(float, p[4:7]), p[7]) for p in parts}


def read_slicer(text):
    """Value -> name and RGBA: words apart by spaces, lines with # left out."""
    rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
    assert {len(row) for row in rows} == {6}
    return {int(row[0]): (row[1], tuple(map(int, row[2:]))) for row in rows}


def test_itk_snap_reads_value_colour_and_name_and_does_not_show_the_background():
    found = read_itk_snap(format_itk_snap(make_table(CLASSES)))
    assert found[0] == ((0, 0, 0), 0, 0, 0, "background")
    assert found[1] == (COLOURS[0], 1, 1, 1, "liver outside tumour")
    assert found[2] == (COLOURS[1], 1, 1, 1, "tumour")


def test_slicer_reads_names_without_spaces_and_a_clear_background():
    text = format_slicer(make_table(CLASSES))
    assert text.startswith("# Color table file ")
    found = read_slicer(text)
    assert found[0] == ("background", (0, 0, 0, 0))
    assert found[1] == ("liver_outside_tumour", (*COLOURS[0], 255))
    assert found[2] == ("tumour", (*COLOURS[1], 255))


@pytest.mark.parametrize("is_of_earlier_medseg", [False, True])
def test_a_table_comes_back_with_the_names_of_its_wholes(is_of_earlier_medseg, tmp_path):
    described = json.loads(format_json(make_table(CLASSES)))
    if is_of_earlier_medseg:
        for label in described["labels"]:
            del label["whole"]
    (tmp_path / "labels.json").write_text(json.dumps(described))
    assert read_table(tmp_path / "labels.json") == make_table(CLASSES)


def test_sides_and_sites_come_back_from_json(tmp_path):
    table = make_table(["kidney_left", "kidney_cyst_right", "anterior"])
    (tmp_path / "labels.json").write_text(format_json(table))
    assert read_table(tmp_path / "labels.json") == table
    kidney, cyst, other = json.loads(format_json(table))["labels"][1:]
    assert (kidney["laterality"]["meaning"], cyst["site"]["meaning"]) == ("Left", "Kidney")
    assert not {"laterality", "site"} & other.keys()


def test_json_has_codes_and_the_values_of_the_whole_class():
    found = json.loads(format_json(make_table(CLASSES)))
    assert found["schema"] == "medseg-labels-1"
    background, liver, tumour = found["labels"]
    assert background["value"] == 0
    assert (liver["name"], liver["members"]) == ("liver outside tumour", [1, 2])
    assert (liver["whole"], tumour["whole"]) == ("liver", None)
    assert liver["type"] == {"value": "10200004", "scheme": "SCT", "meaning": "Liver"}
    assert (tumour["members"], tumour["rgb"]) == ([2], list(COLOURS[1]))


@pytest.mark.parametrize(
    ("format_table", "read"),
    [
        (format_itk_snap, lambda text: read_itk_snap(text)[1][-1]),
        (format_slicer, lambda text: read_slicer(text)[1][0].replace("_", " ")),
    ],
)
def test_a_name_of_odd_letters_stays_on_its_line(format_table, read):
    assert read(format_table(make_table([ODD]))) == "a 'b' c\\x1b é"


def test_the_files_are_beside_the_masks_in_the_colours_of_the_previews(tmp_path):
    LabelFiles(tmp_path / "masks", ["polyp"], bright=True)()
    assert {path.name for path in (tmp_path / "masks").iterdir()} == NAMES
    assert read_itk_snap((tmp_path / "masks/labels.label").read_text())[1][0] == BRIGHT_COLOURS[0]


def test_colours_that_were_changed_by_hand_stay_and_a_lost_file_comes_back(tmp_path):
    files = LabelFiles(tmp_path, CLASSES)
    files()
    own = (tmp_path / "labels.label").read_text().replace("230", "111")
    (tmp_path / "labels.label").write_text(own)
    (tmp_path / "labels.ctbl").unlink()
    files({"case": "a"})
    assert (tmp_path / "labels.label").read_text() == own
    assert {path.name for path in tmp_path.iterdir()} == NAMES


def test_a_folder_of_masks_with_other_labels_is_refused_in_one_line(tmp_path):
    LabelFiles(tmp_path, ["anterior", "posterior"])()
    with pytest.raises(
        ValueError,
        match=r"labels.json describes .* \(background, anterior, "
        r"posterior instead of background, liver\): write to another folder",
    ):
        LabelFiles(tmp_path, ["liver"]).check()
    with pytest.raises(ValueError, match="with other labels"):
        LabelFiles(tmp_path, ["liver"])()


def test_without_labels_json_another_description_must_be_the_same(tmp_path):
    LabelFiles(tmp_path, ["spleen"])()
    (tmp_path / "labels.json").unlink()
    LabelFiles(tmp_path, ["spleen"]).check()
    with pytest.raises(ValueError, match=r"labels.label describes .* \(no labels.json says"):
        LabelFiles(tmp_path, ["liver"]).check()


@pytest.mark.parametrize("text", ["{", "[]", '{"labels": [1]}', "\xff"])
def test_a_labels_json_of_something_else_is_left_alone(tmp_path, text):
    (tmp_path / "labels.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"does not describe labels .*: move it away"):
        LabelFiles(tmp_path, ["liver"]).check()
    assert (tmp_path / "labels.json").read_text(encoding="latin-1") == text


def test_a_check_writes_nothing(tmp_path):
    LabelFiles(tmp_path / "absent", ["liver"]).check()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("classes", [CLASSES, ["nuclei"], {"a": [1, 2, 3], "b": [2, 3], "c": [3]}])
def test_a_table_that_was_written_is_read_as_it_was(classes, tmp_path):
    (tmp_path / "labels.json").write_text(format_json(make_table(classes)))
    assert read_table(tmp_path / "labels.json") == make_table(classes)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"labels": [{"value": 0}]}'])
def test_a_table_that_is_damaged_is_refused_with_its_name(content, tmp_path):
    (tmp_path / "labels.json").write_text(content)
    with pytest.raises(ValueError, match=r"labels\.json does not describe labels"):
        read_table(tmp_path / "labels.json")
