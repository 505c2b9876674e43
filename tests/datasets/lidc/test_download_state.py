"""Tests of medseg.datasets.lidc.download_state: scans that are not there as a whole, or more than
once."""

import csv
import os
import shutil

import pydicom
import pytest

from medseg.datasets import lidc
from medseg.datasets.lidc import Settings
from medseg.datasets.lidc.annotations_xml import read_xml
from medseg.datasets.lidc.problems import REMEDIES
from medseg.datasets.phantom import chest
from medseg.datasets.phantom.canvas import Grid

_FIRST, _SECOND = "LIDC-IDRI-9001", "LIDC-IDRI-9002"
_SLICES = 12


def _prepare(source, out, **options):
    return lidc.prepare(source, out, settings=Settings(size=16, spacing_mm=4.0), **options)


def _table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _found(report):
    return [(problem.case, problem.code) for problem in report.problems]


def _prepared_of(out, patient):
    """The files of a patient, and its rows."""
    files = [path.name for path in out.rglob(f"*{patient}*")]
    return files, [row for row in _table(out / "nodules.csv") if row["patient"] == patient]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A collection of two patients, read only."""
    root = tmp_path_factory.mktemp("published")
    chest.write(root, Grid(56, _SLICES, 4.0), cases=2, test_cases=0, seed=5)
    return root / "LIDC-IDRI"


@pytest.fixture
def collection(published, tmp_path):
    return shutil.copytree(published, tmp_path / "LIDC-IDRI")


@pytest.fixture
def series(collection):
    """The folder of the first patient's CT, with the XML in it."""
    (xml,) = collection.glob(f"{_FIRST}/*/*/*.xml")
    return xml.parent


def _uid(series):
    return read_xml(next(series.glob("*.xml"))).series_uid


def _from_feet_to_head(series):
    """The slices in their order in space."""
    return sorted(series.glob("*.dcm"), key=lambda p: pydicom.dcmread(p).ImagePositionPatient[2])


def _move(files, folder):
    folder.mkdir(parents=True)
    for file in files:
        file.rename(folder / file.name)


# --- parts ---


@pytest.mark.long
@pytest.mark.parametrize("in_first", [8, 4])
@pytest.mark.parametrize("folders", [("a", "b"), ("b", "a")])
def test_a_series_split_over_two_folders_is_left_out_and_the_rest_goes_on(
    collection, series, tmp_path, folders, in_first
):
    uid, files = _uid(series), _from_feet_to_head(series)
    _move(files[:in_first], series / folders[0])
    _move(files[in_first:], series / folders[1])
    report = _prepare(collection, tmp_path / "out")
    assert (report.cases, _found(report)) == (1, [(f"series {uid}", "split-series")])
    assert report.exclusions
    finding = report.problems[0].finding
    assert finding == f"{series}/a and {series}/b hold files of one series and are not copies"
    assert _prepared_of(tmp_path / "out", _FIRST) == ([], [])
    assert all(_prepared_of(tmp_path / "out", _SECOND))


def test_parts_with_gaps_are_told_as_parts_and_not_as_missing_slices(collection, series, tmp_path):
    files = _from_feet_to_head(series)
    part = [files[n] for n in (1, 2, 5, 9)]
    _move(part, series / "b")
    _move([file for file in files if file not in part], series / "a")
    report = _prepare(collection, tmp_path / "out")
    assert [code for _, code in _found(report)] == ["split-series"]
    assert _prepared_of(tmp_path / "out", _FIRST) == ([], [])


def test_parts_far_apart_are_found_as_well(collection, series, tmp_path):
    _move(_from_feet_to_head(series)[6:], collection / "zz" / "second download")
    report = _prepare(collection, tmp_path / "out")
    assert (report.cases, [code for _, code in _found(report)]) == (1, ["split-series"])


def test_nothing_made_of_a_part_stays_where_an_earlier_run_had_the_whole(
    collection, series, tmp_path
):
    out = tmp_path / "out"
    assert _prepare(collection, out).cases == 2
    before = {path: path.read_bytes() for path in out.rglob(f"*{_FIRST}*")}
    _move(_from_feet_to_head(series)[8:], collection / "zz")
    assert _prepare(collection, out).cases == 1
    assert _prepared_of(out, _FIRST)[1] == []
    assert not list((out / "records").glob(f"{_FIRST}*"))
    for path in out.rglob(f"*{_FIRST}*"):
        assert path.read_bytes() == before[path]


def test_a_split_series_in_one_folder_again_is_converted(collection, series, tmp_path):
    whole = _prepare(collection, tmp_path / "whole")
    moved = _from_feet_to_head(series)[8:]
    _move(moved, collection / "zz")
    _prepare(collection, tmp_path / "out")
    _move(list((collection / "zz").iterdir()), series / "rest")  # a folder below is searched
    assert _prepare(collection, tmp_path / "out") == whole


# --- copies ---


def test_a_copy_is_passed_over_whatever_its_names_and_dates(collection, series, tmp_path):
    before = _prepare(collection, tmp_path / "before")
    for number, file in enumerate(_from_feet_to_head(series)):
        copy = collection / "zz" / f"{number}"
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(file, copy)
        os.utime(copy, (0, 0))
    assert _prepare(collection, tmp_path / "out") == before
    assert before.ok


@pytest.mark.parametrize("version", ["values", "fewer slices"])
def test_another_version_of_a_series_is_no_copy(collection, series, tmp_path, version):
    copies = shutil.copytree(series, collection / "zz", ignore=shutil.ignore_patterns("*.xml"))
    first, *others = _from_feet_to_head(copies)
    if version == "values":
        dataset = pydicom.dcmread(first)
        dataset.RescaleIntercept += 100
        dataset.save_as(first)
    else:
        others[-1].unlink()
    report = _prepare(collection, tmp_path / "out")
    assert [code for _, code in _found(report)] == ["split-series"]
    assert _prepared_of(tmp_path / "out", _FIRST) == ([], [])


# --- damaged files ---


def _cut_header(file, keyword):
    """Cut a file in the middle of its element of that keyword."""
    dataset = pydicom.dcmread(file)
    content = file.read_bytes()
    file.write_bytes(content[: content.index(str(dataset[keyword].value).encode()) + 2])


def _garble_position(file):
    """Make a header that states its series, and then what no parser takes."""
    position = b"\\".join(str(v).encode() for v in pydicom.dcmread(file).ImagePositionPatient)
    content = file.read_bytes()
    assert content.count(position) == 1
    file.write_bytes(content.replace(position, b"x" * len(position)))


def _unnamed(file):
    """Delete the UID of the series and keep the rest."""
    dataset = pydicom.dcmread(file)
    del dataset.SeriesInstanceUID
    dataset.save_as(file)


@pytest.mark.parametrize(
    "damage",
    [
        _garble_position,
        lambda file: _cut_header(file, "FrameOfReferenceUID"),  # after the UID of the series
        lambda file: _cut_header(file, "StudyInstanceUID"),  # before it
        lambda file: file.write_bytes(b""),
        _unnamed,
    ],
    ids=["no number", "series known", "series not known", "empty", "no UID"],
)
def test_a_damaged_last_slice_leaves_its_scan_out(collection, series, tmp_path, damage):
    """A slice at an end leaves no gap."""
    uid = _uid(series)
    last = _from_feet_to_head(series)[-1]
    damage(last)
    report = _prepare(collection, tmp_path / "out")
    assert report.cases == 1
    (problem,) = (p for p in report.problems if p.case == f"series {uid}")
    assert problem.code == "refused-series"
    assert last.name in problem.finding
    assert _prepared_of(tmp_path / "out", _FIRST) == ([], [])
    assert all(_prepared_of(tmp_path / "out", _SECOND))


def test_a_damaged_file_in_another_folder_costs_no_scan(collection, tmp_path):
    (collection / "zz").mkdir()
    (collection / "zz" / "1.dcm").write_bytes(b"")
    report = _prepare(collection, tmp_path / "out")
    assert (report.cases, _found(report)) == (2, [("series without UID", "refused-series")])


# --- scans without UID ---


def test_xml_without_a_uid_belongs_to_no_ct_without_one(collection, series, tmp_path):
    uid = _uid(series)
    (xml,) = series.glob("*.xml")
    xml.write_text(xml.read_text().replace(uid, ""))
    for file in series.glob("*.dcm"):
        dataset = pydicom.dcmread(file)
        del dataset.SeriesInstanceUID
        dataset.save_as(file)
    report = _prepare(collection, tmp_path / "out")
    assert (report.cases, [code for _, code in _found(report)]) == (1, ["series-mismatch"])


# --- names ---


def test_two_scans_of_a_patient_whose_uids_end_alike_are_two_cases(collection, tmp_path):
    for number, patient in enumerate((_FIRST, _SECOND), start=1):
        (xml,) = collection.glob(f"{patient}/*/*/*.xml")
        old, new = read_xml(xml).series_uid, f"1.2.{number}.1"
        xml.write_text(xml.read_text().replace(old, new))
        for file in xml.parent.glob("*.dcm"):
            dataset = pydicom.dcmread(file)
            dataset.SeriesInstanceUID, dataset.PatientID = new, _FIRST
            dataset.save_as(file)
    report = _prepare(collection, tmp_path / "out")
    rows = [row for row in _table(tmp_path / "out/nodules.csv") if row["patch"]]
    assert (report.cases, report.problems[:-1]) == (2, ())
    assert len({row["case"] for row in rows}) == 2
    assert len({row["patch"] for row in rows}) == report.patches == len(rows)
    assert len(list((tmp_path / "out/patches/images").iterdir())) == report.patches


def test_every_code_of_a_run_has_a_remedy():
    assert {"refused-series", "split-series"} <= set(REMEDIES)
