"""Tests of medseg.datasets.own.listed_cases: tables and datalists name the cases."""

import shutil
from pathlib import Path

import pytest
from datasets.own.test_find_cases import data as data  # a fixture

from medseg.datasets import prepared
from medseg.datasets.own.find_cases import find_cases
from medseg.planning.plan_folder import plan_folder


def write_table(folder, *lines):
    path = folder / "cases.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_names_cases_patients_and_folds(data):
    lines = [f"images/p{n}.nii.gz,labels/p{n}.nii.gz,c{n},x{n // 2},{n // 2}" for n in range(6)]
    table = write_table(data, "image,label,case,patient,fold", *lines)
    found = find_cases(table, out=data)
    assert [(p.case, p.patient, p.fold) for p in found.pairs] == [
        (f"c{n}", f"x{n // 2}", n // 2) for n in range(6)
    ]
    planned = plan_folder("kidney", table)
    planned.write_datalist()
    assert planned.task["folds"] == 3
    for fold in range(3):
        listed = prepared.list_cases("data/kidney", "validation", fold=fold, folds=3, seed=9)
        assert [case["case"] for case in listed] == [f"c{2 * fold}", f"c{2 * fold + 1}"]


def test_a_table_with_semicolons_and_no_names_is_read(data):
    table = write_table(data, "Image;Label", "images/p0.nii.gz;labels/p0.nii.gz")
    (pair,) = find_cases(table, out=data).pairs
    assert (pair.case, pair.patient, pair.fold) == ("p0", "", None)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["image,mask", "a,b"], "has no column label .it has image, mask."),
        (["image,label"], "names no case"),
        ([""], "has no column image and label"),
        (["image,label", ",", " ,"], "names no case"),
        (["image,label,label", "a,b,c"], "has the column label twice"),
    ],
)
def test_what_is_no_table_of_cases_is_refused(data, lines, message):
    with pytest.raises(ValueError, match=message):
        find_cases(write_table(data, *lines), out=data)


def test_each_faulty_line_is_named(data):
    good = "images/p0.nii.gz,labels/p0.nii.gz"
    table = write_table(
        data,
        "image,label,fold",
        f"{good},0",
        f"{good},0",
        "images/gone.nii.gz,labels/p1.nii.gz,0",
        "images/p2.nii.gz,,0",
        "images/p3.nii.gz,labels/p3.nii.gz,first",
        "images/p4.nii.gz,labels/p4.nii.gz,",
    )
    faults = find_cases(table, out=data).faults
    assert [fault.partition(":")[0] for fault in faults] == [
        "case p0 is in cases.csv twice",
        "case gone",
        "line 5 of cases.csv has no label",
        "case p3 has the fold 'first'",
        "some cases of cases.csv have a fold and others have none",
    ]


def test_a_datalist_gives_its_cases(data):
    plan_folder("kidney", data).write_datalist()
    found = find_cases(data.parent / "data" / "kidney" / "datalist.json", out=data)
    assert sorted(pair.case for pair in found.pairs) == [f"p{n}" for n in range(6)]


def test_a_patient_in_two_folds_is_refused(data):
    lines = [f"images/p{n}.nii.gz,labels/p{n}.nii.gz,same,{n % 2}" for n in range(6)]
    table = write_table(data, "image,label,patient,fold", *lines)
    with pytest.raises(ValueError, match="leaks: its patient is in fold 0 and in fold 1"):
        plan_folder("kidney", table).write_datalist()


def test_columns_of_a_table_are_readers(data):
    table = write_table(
        data,
        "image,label_anna,label_2,case",
        "images/p0.nii.gz,labels/p0.nii.gz,labels/p1.nii.gz,a",
        "images/p2.nii.gz,,labels/p2.nii.gz,b",
        "images/p3.nii.gz,,,c",
        "images/p4.nii.gz,labels/gone.nii.gz,,d",
    )
    found = find_cases(table, out=data, several_readers=True)
    assert {pair.case: {r: p.name for r, p in pair.readers.items()} for pair in found.pairs} == {
        "a": {"reader_2": "p1.nii.gz", "anna": "p0.nii.gz"},
        "b": {"reader_2": "p2.nii.gz"},
    }
    assert found.faults == [
        "line 4 of cases.csv has no label",
        f"case d: no such file: {data / 'labels' / 'gone.nii.gz'}",
    ]


def test_columns_of_readers_need_the_option_and_the_option_needs_them(data):
    line = "images/p0.nii.gz,labels/p0.nii.gz,labels/p1.nii.gz"
    (fault,) = find_cases(write_table(data, "image,label_1,label_2", line), out=data).faults
    assert "several readers, pass --readers consensus" in fault
    table = write_table(data, "image,label", "images/p0.nii.gz,labels/p0.nii.gz")
    with pytest.raises(ValueError, match=r"no column label_1 .it has image, label.: name one for"):
        find_cases(table, out=data, several_readers=True)


def test_a_table_of_windows_is_read(data):
    lines = [f"images\\p{n}.nii.gz\tlabels\\p{n}.nii.gz\r" for n in range(2)]
    table = write_table(data, "\ufeffimage\tlabel\r", *lines, "\t\r")
    found = find_cases(table, out=data)
    assert found.faults == []
    assert [(p.case, p.label) for p in found.pairs] == [
        (f"p{n}", data / "labels" / f"p{n}.nii.gz") for n in range(2)
    ]


def test_text_that_is_not_in_utf_8_is_refused_with_the_remedy(data):
    table = data / "cases.csv"
    table.write_text("image,label\n", encoding="utf-16")
    with pytest.raises(ValueError, match="save it as CSV in UTF-8"):
        find_cases(table, out=data)


def test_a_line_with_one_file_twice_or_a_name_with_a_slash_is_a_fault(data):
    table = write_table(
        data,
        "image,label,case",
        "images/p0.nii.gz,images/p0.nii.gz,a",
        "images/p1.nii.gz,labels/p1.nii.gz,../b",
        "",
        "images/p2.nii.gz,,c",
    )
    assert find_cases(table, out=data).faults == [
        "case a has p0.nii.gz as image and as label: correct one of them",
        "case ../b has a slash in its name, which names files: leave it out",
        "line 4 of cases.csv has no label",
    ]


def test_a_datalist_with_readers_gives_them_again(data):
    shutil.copytree(data / "labels", data / "again")
    folders = {"a": data / "labels", "b": data / "again"}
    lines = [f"images/p{n}.nii.gz,labels/p{n}.nii.gz,again/p{n}.nii.gz" for n in range(6)]
    table = write_table(data, "image,label_a,label_b", *lines)
    plan_folder("kidney", table, readers="consensus").write_datalist()
    found = find_cases(Path("data/kidney/datalist.json"), out=data, several_readers=True)
    assert {pair.case: pair.readers for pair in found.pairs} == {
        f"p{n}": {reader: folder / f"p{n}.nii.gz" for reader, folder in folders.items()}
        for n in range(6)
    }


def test_a_column_for_each_channel_names_its_images(data):
    table = write_table(
        data,
        "image_t1,image_flair,label",
        "images/p0.nii.gz,images/p1.nii.gz,labels/p0.nii.gz",
        "images/p2.nii.gz,,labels/p2.nii.gz",
    )
    found = find_cases(table, out=data)
    assert found.faults == []
    assert [(p.channels, [i.name for i in p.images]) for p in found.pairs] == [
        (("t1", "flair"), ["p0.nii.gz", "p1.nii.gz"]),
        (("t1",), ["p2.nii.gz"]),
    ]
    with pytest.raises(ValueError, match="has the columns image and image_t1: leave out"):
        find_cases(write_table(data, "image,image_t1,label", "a,b,c"), out=data)


def test_a_line_with_more_cells_than_columns_is_a_fault_and_an_empty_one_more_is_not(data):
    good = "images/p0.nii.gz,labels/p0.nii.gz"
    table = write_table(data, "image,label", f"{good},", "images/p1.nii.gz,labels/p1.nii.gz,x,y")
    assert find_cases(table, out=data).faults == [
        "line 3 of cases.csv has more cells than the 2 columns (x, y): take them out, or put names "
        "with a separator in quotes"
    ]


def test_what_is_no_text_is_refused_without_the_words_of_a_program(data):
    table = data / "cases.csv"
    table.write_bytes("image,label".encode("utf-16"))
    with pytest.raises(ValueError, match=r"cases.csv is no table of text: save it as CSV in UTF-8"):
        find_cases(table, out=data)


def test_too_few_patients_of_a_table_are_not_blamed_on_an_option(data):
    lines = [f"images/p{n}.nii.gz,labels/p{n}.nii.gz,x" for n in range(6)]
    table = write_table(data, "image,label,patient", *lines)
    with pytest.raises(ValueError, match=r"or more, or correct the patients in cases\.csv$"):
        plan_folder("kidney", table)


def test_paths_of_a_list_have_no_dots(data):
    lines = [f"labels/../images/p{n}.nii.gz,labels/p{n}.nii.gz" for n in range(6)]
    planned = plan_folder("kidney", write_table(data, "image,label", *lines))
    assert planned.items[0]["image"] == str(data / "images" / "p0.nii.gz")
    planned = plan_folder("kidney", data / ".." / data.name)
    assert planned.items[0]["label"] == str(data / "labels" / "p0.nii.gz")
