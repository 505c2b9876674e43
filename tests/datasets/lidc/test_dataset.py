"""Tests of medseg.datasets.lidc and of its modules _lidc_case, _lidc_problems, _lidc_record."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time

import nibabel as nib
import numpy as np
import pydicom
import pytest
from scipy.ndimage import label

from medseg.datasets import lidc
from medseg.datasets.lidc import Settings
from medseg.datasets.lidc.annotations_xml import read_xml
from medseg.datasets.lidc.consensus import compute_dice, find_consensus, run_staple
from medseg.datasets.lidc.marks import Stack, place
from medseg.datasets.lidc.nodules import group
from medseg.datasets.lidc.problems import REMEDIES, Problem, format_lines
from medseg.datasets.lidc.source import make_stack
from medseg.datasets.phantom import chest
from medseg.datasets.phantom.canvas import Grid
from medseg.ingest import IngestError, Reason, find_series
from medseg.ingest import read_series as _read_series

_SMALL = Settings(size=16, spacing_mm=4.0)
_PATIENTS = 4


def _prepare(source, out, *, read_series=_read_series, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("medseg.datasets.lidc.scan_record.read_series", read_series)
        return lidc.prepare(source, out, **{"settings": _SMALL} | options)


def _table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _contents(folder):
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _codes(report):
    return [problem.code for problem in report.problems]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A small collection, read only."""
    root = tmp_path_factory.mktemp("published")
    chest.write(root, Grid(56, 12, 4.0), cases=_PATIENTS, test_cases=0, seed=5)
    return root


@pytest.fixture(scope="module")
def done(published, tmp_path_factory):
    """(folder, report) of the collection prepared."""
    out = tmp_path_factory.mktemp("prepared") / "lung_nodule"
    return out, _prepare(published, out)


@pytest.fixture
def collection(published, tmp_path):
    """A copy of the collection with one XML per scan, beside its images."""
    shutil.copytree(published / "LIDC-IDRI", tmp_path / "LIDC-IDRI")
    return tmp_path / "LIDC-IDRI"


def _one(collection, pattern="*.xml"):
    return sorted(collection.rglob(pattern))[0]


# --- what comes out ---


def test_every_nodule_becomes_a_patch_and_slices(done):
    out, report = done
    rows = _table(out / "nodules.csv")
    nodules = [row for row in rows if row["kind"] == "nodule"]
    assert report.ok
    assert report.cases == _PATIENTS
    assert report.nodules == report.patches == len(nodules) >= 2 * _PATIENTS
    assert {row["kind"] for row in rows} >= {"nodule", "non-nodule"}
    assert all(2 <= int(row["readers"]) <= 4 and row["agreement"] for row in nodules)
    assert len(list((out / "patches/images").iterdir())) == report.patches
    assert len(list((out / "slices/labels").iterdir())) == report.slices
    assert _table(out / "problems.csv") == []


def test_patches_are_integer_hu_on_a_ras_grid_of_the_chosen_size_and_spacing(done):
    out, _ = done
    for path in (out / "patches/images").iterdir():
        image = nib.load(path)
        assert image.shape == (16, 16, 16)
        assert image.get_data_dtype() == np.int16
        assert np.allclose(image.header.get_zooms(), 4.0)
        assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
        mask = np.asarray(nib.load(out / "patches/labels" / path.name).dataobj)
        assert np.unique(mask).tolist() == [0, 1]
        dense, around = image.get_fdata()[mask == 1], image.get_fdata()[mask == 0]
        assert np.median(dense) > np.median(around) + 300


def test_a_nodule_has_its_volume_at_its_place_in_its_patch(done):
    out, _ = done
    rows = [row for row in _table(out / "nodules.csv") if row["patch"]]
    apart = 0
    for row in rows:
        patch = nib.load(out / "patches/labels" / f"{row['patch']}.nii.gz")
        centre = [float(row[f"{axis}_mm"]) for axis in "xyz"]
        at = np.rint(np.linalg.inv(patch.affine) @ [*centre, 1])[:3].astype(int)
        assert np.abs(at - 7.5).max() <= 0.5
        volume = float((np.asarray(patch.dataobj) > 0).sum() * 64)
        # a nodule is a few pixels here and other nodules may reach into its patch
        assert volume > 0.75 * float(row["volume_mm3"])
        apart += volume < 1.25 * float(row["volume_mm3"])
    assert apart >= len(rows) / 2


def test_a_slice_is_the_plane_of_its_patch_and_holds_a_nodule(done):
    out, _ = done
    for path in sorted((out / "slices/images").iterdir())[::7]:
        name, _, plane = path.name.removesuffix(".nii.gz").rpartition("_z")
        image, patch = nib.load(path), nib.load(out / "patches/images" / f"{name}.nii.gz")
        assert image.shape == (16, 16, 1)
        assert np.array_equal(image.dataobj[..., 0], patch.dataobj[..., int(plane)])
        assert np.allclose(image.affine @ [0, 0, 0, 1], patch.affine @ [0, 0, int(plane), 1])
        assert np.asarray(nib.load(out / "slices/labels" / path.name).dataobj).any()


def test_the_consensus_is_that_of_the_true_masks(published, done):
    found = {}
    for row in _table(done[0] / "nodules.csv"):
        if row["kind"] == "nodule":
            found.setdefault(row["patient"], []).append(float(row["volume_mm3"]))
    for patient, volumes in found.items():
        truth = nib.load(published / "truth" / f"{patient}.nii.gz")
        voxel_mm3 = abs(np.linalg.det(truth.affine[:3, :3]))
        expected = _voxels_of_half_the_readers(np.asarray(truth.dataobj))
        assert np.array(sorted(volumes)) / voxel_mm3 == pytest.approx(expected, abs=0.01)


def _voxels_of_half_the_readers(bits):
    """Count, nodule by nodule, the voxels that half of those who saw the nodule meant."""
    readers = np.stack([(bits >> n) & 1 for n in range(4)])
    nodules, count = label(bits > 0)
    masks = [nodules == number for number in range(1, count + 1)]
    seen = [sum(reader[mask].any() for reader in readers) for mask in masks]
    votes = readers.sum(axis=0)
    return sorted(int((votes[m] >= n / 2).sum()) for m, n in zip(masks, seen, strict=True))


# --- the views for a bundle ---


def test_both_views_keep_the_same_patients_in_the_same_fold(done):
    out, _ = done
    options = {"folds": 3, "seed": 1}
    for section in ("training", "validation", "test"):
        patients = [
            {item["patient"] for item in lidc.cases(out, section, view=view, **options)}
            for view in lidc.VIEWS
        ]
        assert patients[0] == patients[1] != set()
    train, validation = (
        {item["patient"] for item in lidc.cases(out, section, **options)}
        for section in ("training", "validation")
    )
    assert not train & validation


def test_cases_are_patches_unless_slices_are_asked_for(done):
    out, report = done
    sections = ("training", "validation", "test")
    for view, count in (("patches", report.patches), ("slices", report.slices)):
        items = [i for s in sections for i in lidc.cases(out, s, folds=3, view=view)]
        assert len(items) == count
        assert all(f"/{view}/images/" in item["image"] for item in items)
    assert lidc.cases(out, folds=3) == lidc.cases(out, folds=3, view="patches")


def test_an_unknown_view_is_refused(done):
    with pytest.raises(ValueError, match="view '2d' is unknown: choose one of patches, slices"):
        lidc.cases(done[0], view="2d")


# --- a second run ---


def test_a_second_run_changes_nothing_and_reads_no_image(done, published, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(done[0], out)
    before = _contents(out)

    def read(series):
        raise AssertionError("an image was read again")

    assert _prepare(published, out, read_series=read) == done[1]
    assert _contents(out) == before


def test_an_interrupted_run_ends_with_the_files_of_one_that_was_not(done, published, tmp_path):
    read = []

    def fails_at_the_third(series):
        read.append(series)
        if len(read) == 3:
            raise KeyboardInterrupt
        return _read_series(series)

    with pytest.raises(KeyboardInterrupt):
        _prepare(published, tmp_path / "out", read_series=fails_at_the_third)
    assert not (tmp_path / "out/nodules.csv").exists()
    assert _prepare(published, tmp_path / "out") == done[1]
    assert _contents(tmp_path / "out") == _contents(done[0])


def test_a_lost_file_is_made_again(done, published, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(done[0], out)
    _one(out / "patches/labels", "*").unlink()
    _prepare(published, out)
    assert _contents(out) == _contents(done[0])


def test_a_corrected_xml_is_read_again(collection, tmp_path):
    before = _prepare(collection, tmp_path / "out")
    path = _one(collection)
    text = path.read_text()
    start = text.index("<unblindedReadNodule>")
    end = text.index("</readingSession>")
    path.write_text(text[:start] + text[end:])  # the first reader marks nothing
    after = _prepare(collection, tmp_path / "out")
    rows = [r for r in _table(tmp_path / "out/nodules.csv") if r["patient"] == "LIDC-IDRI-9001"]
    assert after.cases == before.cases
    assert max(int(row["readers"]) for row in rows) == 3


def _brighten(file):
    """Add 100 to every voxel at the same size and date."""
    before, dataset = file.stat(), pydicom.dcmread(file)
    dataset.PixelData = (dataset.pixel_array + 100).astype("<u2").tobytes()
    dataset.save_as(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def test_values_changed_at_equal_size_and_date_reach_the_patches(collection, tmp_path):
    _prepare(collection, tmp_path / "out")
    before = {path: nib.load(path).get_fdata() for path in _patches(tmp_path / "out")}
    for file in collection.glob("LIDC-IDRI-9001/*/*/*.dcm"):
        _brighten(file)
    _prepare(collection, tmp_path / "out")
    assert before.keys() == set(_patches(tmp_path / "out"))
    for path, values in before.items():
        rise = 100 if path.name.startswith("LIDC-IDRI-9001") else 0
        inside = values > -1024  # what is beyond the image stays air
        assert np.allclose((nib.load(path).get_fdata() - values)[inside], rise)


def _patches(out):
    return list((out / "patches/images").iterdir())


def test_a_ct_of_other_dates_and_names_is_not_read_again(collection, tmp_path):
    _prepare(collection, tmp_path / "out")
    for number, file in enumerate(collection.rglob("*.dcm")):
        os.utime(file, (0, 0))
        file.rename(file.with_name(f"renamed{number}.dcm"))

    def read(series):
        raise AssertionError("an image was read again")

    assert _prepare(collection, tmp_path / "out", read_series=read).cases == _PATIENTS


@pytest.mark.parametrize("change", ["values", "size"])
def test_a_changed_ct_is_read_again_and_no_other(collection, tmp_path, change):
    _prepare(collection, tmp_path / "out")
    before, read = _dates(tmp_path / "out"), []
    first = _one(collection, "*.dcm")
    if change == "values":
        _brighten(first)
    else:
        dataset = pydicom.dcmread(first)
        dataset.SeriesDescription = "corrected"
        dataset.save_as(first)

    def noted(series):
        read.append(series.uid)
        return _read_series(series)

    _prepare(collection, tmp_path / "out", read_series=noted)
    made = {path for path, date in _dates(tmp_path / "out").items() if before.get(path) != date}
    assert len(read) == 1
    assert {path.name[:14] for path in made} == {"LIDC-IDRI-9001"}


def test_a_record_of_before_images_were_noted_is_made_again(done, published, tmp_path):
    shutil.copytree(done[0], tmp_path / "out")
    path = _one(tmp_path / "out/records", "*.json")
    record = json.loads(path.read_text())
    del record["images"]
    path.write_text(json.dumps(record))
    _prepare(published, tmp_path / "out")
    assert _contents(tmp_path / "out") == _contents(done[0])


def test_an_interrupted_correction_is_no_scan_that_is_done(collection, tmp_path, monkeypatch):
    _prepare(collection, tmp_path / "out")
    first = _one(collection, "*.dcm")
    content = first.read_bytes()
    _brighten(first)

    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("medseg.datasets.lidc.scan_record.convert", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _prepare(collection, tmp_path / "out")
    first.write_bytes(content)  # the correction is taken back
    read = []
    _prepare(collection, tmp_path / "out", read_series=lambda s: read.append(1) or _read_series(s))
    assert read == [1]


def _dates(folder):
    """Inode and date of each file but the tables and datalists, which every run writes."""
    found = ((p.relative_to(folder), p.stat()) for p in folder.rglob("*LIDC-IDRI-*.*"))
    return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in found}


def test_a_corrected_collection_without_a_nodule_leaves_no_datalist_of_before(collection, tmp_path):
    _prepare(collection, tmp_path / "out")
    for path in collection.rglob("*.xml"):
        head, _, _ = path.read_text().partition("<readingSession>")
        path.write_text(f"{head}</LidcReadMessage>")
    assert _prepare(collection, tmp_path / "out").patches == 0
    assert not list((tmp_path / "out").rglob("datalist.json"))


def test_a_folder_in_the_annotations_is_refused(published, tmp_path):
    shutil.copytree(published / "LIDC-XML-only", tmp_path / "xml")
    with pytest.raises(ValueError, match=r"/xml/out is or lies in the source \S+/xml: give --out"):
        _prepare(published / "LIDC-IDRI", tmp_path / "xml" / "out", annotations=tmp_path / "xml")
    assert not (tmp_path / "xml" / "out").exists()


def test_other_settings_need_another_folder(done, published):
    with pytest.raises(ValueError, match=r"was prepared with size 16 and not 40, spacing_mm 4\.0"):
        _prepare(published, done[0], settings=Settings(size=40))


# --- what goes wrong ---


def test_a_scan_without_xml_is_reported_and_the_rest_goes_on(collection, tmp_path):
    _one(collection).unlink()
    report = _prepare(collection, tmp_path / "out")
    assert (report.cases, _codes(report), report.ok) == (_PATIENTS - 1, ["no-annotations"], False)
    (row,) = _table(tmp_path / "out/problems.csv")
    assert row["case"].startswith("LIDC-IDRI-9001_")
    assert row["remedy"] == "download the XML of the series; the scan is left out"


def test_xml_without_images_is_reported_and_the_rest_goes_on(collection, tmp_path):
    for file in collection.glob("LIDC-IDRI-9002/*/*/*.dcm"):
        file.unlink()
    report = _prepare(collection, tmp_path / "out")
    assert (report.cases, _codes(report)) == (_PATIENTS - 1, ["no-images"])


def test_xml_of_another_series_beside_a_ct_is_reported_once(collection, tmp_path):
    path = _one(collection)
    text = path.read_text()
    uid = read_xml(path).series_uid
    path.write_text(text.replace(f">{uid}<", ">1.2.3<"))
    report = _prepare(collection, tmp_path / "out")
    assert (report.cases, _codes(report)) == (_PATIENTS - 1, ["series-mismatch"])
    assert "XML of 1.2.3" in report.problems[0].finding


def test_xml_in_a_tree_of_its_own_is_enough(published, done, tmp_path):
    shutil.copytree(published / "LIDC-IDRI", tmp_path / "images")
    for path in (tmp_path / "images").rglob("*.xml"):
        path.unlink()
    report = _prepare(
        tmp_path / "images", tmp_path / "out", annotations=published / "LIDC-XML-only"
    )
    assert report == done[1]
    assert _contents(tmp_path / "out") == _contents(done[0])


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"<xCoord>": "<xCoord>9"}, ["outside-image"]),
        ({"</subtlety>": "9</subtlety>"}, ["off-scale"]),
        (
            {"imageSOP_UID": "no_UID", "/imageSOP_UID": "/no_UID"}
            | {"imageZposition": "no_z", "/imageZposition": "/no_z"},
            ["unknown-slice"],
        ),
        ({"<locus><xCoord>": "<locus><xCoord>9"}, ["empty-mark", "outside-image"]),
    ],
)
def test_faulty_marks_are_reported_and_the_rest_goes_on(collection, tmp_path, changes, codes):
    path = _one(collection)
    text = path.read_text()
    for old, new in changes.items():
        text = text.replace(old, new, 1)
    path.write_text(text)
    report = _prepare(collection, tmp_path / "out")
    assert (report.cases, _codes(report)) == (_PATIENTS, codes)
    assert all(p.finding.startswith("1 x, first: ") for p in report.problems)
    assert len(_table(tmp_path / "out/problems.csv")) == len(codes)


def test_an_outline_without_area_is_reported_and_the_rest_goes_on(collection, tmp_path):
    path = _one(collection)
    text = path.read_text()
    roi = "<roi><imageZposition>{z}</imageZposition><imageSOP_UID>{uid}</imageSOP_UID>"
    contour = read_xml(path).marks[0].contours[0]
    edge = "<edgeMap><xCoord>1</xCoord><yCoord>1</yCoord></edgeMap></roi>"
    point = roi.format(z=contour.z_mm, uid=contour.sop_uid) + edge
    path.write_text(text.replace("</roi></unblindedReadNodule>", f"</roi>{point}"
                                 "</unblindedReadNodule>", 1))  # fmt: skip
    report = _prepare(collection, tmp_path / "out")
    assert (report.cases, _codes(report)) == (_PATIENTS, ["zero-area"])


def test_unreadable_and_conflicting_xml_is_reported_and_the_rest_goes_on(collection, tmp_path):
    first, second = sorted(collection.rglob("*.xml"))[:2]
    first.write_text("<LidcReadMessage")
    text = second.read_text()
    second.with_name("copy.xml").write_text(text.replace("TRUE", "FALSE", 1))
    report = _prepare(collection, tmp_path / "out")
    assert report.cases == _PATIENTS - 2
    assert sorted(_codes(report)) == ["no-annotations", *["unusable-annotations"] * 2]


def test_a_refused_series_is_reported_and_the_rest_goes_on(collection, tmp_path):
    ct = sorted(collection.glob("LIDC-IDRI-9003/*/*/*.dcm"))
    ct[4].write_bytes(ct[4].read_bytes()[:-5000])
    report = _prepare(collection, tmp_path / "out")
    assert report.cases == _PATIENTS - 1
    assert "refused-series" in _codes(report)


def test_pixels_that_cannot_be_decoded_are_reported_and_the_rest_goes_on(published, tmp_path):
    first = []

    def read(series):
        first.append(series.uid)
        if series.uid == first[0]:
            raise IngestError(Reason.UNDECODABLE, "no decoder")
        return _read_series(series)

    report = _prepare(published, tmp_path / "out", read_series=read)
    assert (report.cases, _codes(report)) == (_PATIENTS - 1, ["refused-series"])


@pytest.mark.parametrize(
    ("count", "line"),
    [
        (1, "series 0: no CT for 0.xml (no-images): "),
        (2, "2 x no-images: series 0, series 1, first: no CT for 0.xml: "),
        (3, "3 x no-images: series 0, series 1, series 2, first: no CT for 0.xml: "),
        (40, "40 x no-images: series 0, series 1, series 2 and 37 more, first: no CT for 0.xml: "),
    ],
)
def test_problems_of_one_kind_are_said_in_one_line(count, line):
    same = [Problem(f"series {n}", "no-images", f"no CT for {n}.xml") for n in range(count)]
    assert list(format_lines(same)) == [line + REMEDIES["no-images"]]


def test_each_kind_of_problem_has_its_line_and_one_without_a_case_too():
    zero = Problem("LIDC-IDRI-0001_1", "zero-area", "2 x, first: nodule 1")
    none, image = Problem("", "no-nodules", "1 scans"), Problem("series 1", "no-images", "no CT")
    assert [line.split(": ")[0] for line in format_lines([zero, none, image, image])] == [
        "2 x no-images",
        "1 scans (no-nodules)",
        "LIDC-IDRI-0001_1",
    ]
    assert list(format_lines([])) == []


def test_missing_images_are_logged_in_one_line_and_listed_one_by_one(collection, tmp_path, caplog):
    for patient in ("LIDC-IDRI-9002", "LIDC-IDRI-9003", "LIDC-IDRI-9004"):
        for file in collection.glob(f"{patient}/*/*/*.dcm"):
            file.unlink()
    report = _prepare(collection, tmp_path / "out")
    assert (report.cases, _codes(report)) == (1, ["no-images"] * 3)
    assert [m[:13] for m in caplog.messages if "no-images" in m] == ["3 x no-images"]
    assert len(_table(tmp_path / "out/problems.csv")) == 3


def test_reads_of_a_radiograph_are_set_aside_and_counted(collection, tmp_path):
    (collection / "cxr.xml").write_text('<IdriReadMessage xmlns="http://www.nih.gov/idri"/>')
    report = _prepare(collection, tmp_path / "out")
    assert (report.radiographs, report.ok, report.cases) == (1, True, _PATIENTS)


def test_scans_without_a_nodule_leave_no_datalist_and_a_report(collection, tmp_path):
    for path in collection.rglob("*.xml"):
        head, _, _ = path.read_text().partition("<readingSession>")
        path.write_text(f"{head}</LidcReadMessage>")
    report = _prepare(collection, tmp_path / "out")
    assert (report.cases, report.patches, _codes(report)) == (_PATIENTS, 0, ["no-nodules"])
    assert _table(tmp_path / "out/nodules.csv") == []
    with pytest.raises(FileNotFoundError, match="no prepared data"):
        lidc.cases(tmp_path / "out")


def test_a_missing_or_foreign_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder: .*absent"):
        _prepare(tmp_path / "absent", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        FileNotFoundError,
        match=r"no lung_nodule data in \S+empty \(looked for XML of",
    ):
        _prepare(tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_xml_without_a_ct_is_refused(published, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no CT series in .*empty"):
        _prepare(tmp_path / "empty", tmp_path / "out", annotations=published / "LIDC-XML-only")
    assert not (tmp_path / "out").exists()


def test_ct_of_another_source_is_refused_and_nothing_is_written(collection, tmp_path):
    for path in collection.rglob("*.xml"):
        path.unlink()
    (collection / "plan.xml").write_text("<plan/>")
    told = (
        r"no lung_nodule data in \S+ \(looked for XML .*, 1 XML file cannot be read\): give LIDC-"
    )
    with pytest.raises(FileNotFoundError, match=told):
        _prepare(collection, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_patient_alone_is_told_once_for_both_views(collection, tmp_path, caplog):
    for folder in sorted(collection.iterdir())[1:]:
        shutil.rmtree(folder)
    _prepare(collection, tmp_path / "out")
    (told,) = [message for message in caplog.messages if "cannot be split" in message]
    assert told.startswith("lung_nodule-patches cannot be split into folds, it has 1 patient")


# --- settings ---


def test_nodules_of_too_few_readers_are_in_the_table_only(published, tmp_path):
    settings = Settings(size=16, spacing_mm=3.0, min_readers=4)
    report = _prepare(published, tmp_path / "out", settings=settings)
    rows = [row for row in _table(tmp_path / "out/nodules.csv") if row["kind"] == "nodule"]
    assert [bool(row["patch"]) for row in rows] == [row["readers"] == "4" for row in rows]
    assert report.patches >= _PATIENTS  # the first nodule of each patient
    assert any(row["readers"] != "4" for row in rows)


def test_staple_gives_other_masks_than_the_union_and_the_intersection(published, tmp_path):
    volumes = {}
    for name, settings in {
        "staple": Settings(size=8, spacing_mm=2.0, method="staple"),
        "all": Settings(size=8, spacing_mm=2.0, agreement=1.0),
        "any": Settings(size=8, spacing_mm=2.0, agreement=0.01),
    }.items():
        _prepare(published / "LIDC-IDRI" / "LIDC-IDRI-9001", tmp_path / name, settings=settings)
        rows = _table(tmp_path / name / "nodules.csv")
        volumes[name] = [float(r["volume_mm3"]) for r in rows if r["kind"] == "nodule"]
    for least, middle, most in zip(*(volumes[n] for n in ("all", "staple", "any")), strict=True):
        assert least <= middle <= most
    assert sum(volumes["all"]) < sum(volumes["staple"]) < sum(volumes["any"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "vote"}, "method 'vote' is unknown"),
        ({"agreement": 0.0}, "agreement is 0.0"),
        ({"agreement": 1.5}, "agreement is 1.5"),
        ({"min_readers": 5}, "min_readers is 5"),
        ({"size": 4}, "size is 4 voxels"),
        ({"spacing_mm": 0.0}, "spacing_mm is 0.0"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Settings(**wrong)


def test_resample_is_true_or_false_and_no_text():
    with pytest.raises(TypeError, match="resample must be True or False, got 'false'"):
        Settings(resample="false")


def test_the_default_is_the_input_of_the_paper():
    assert (Settings().size, Settings().spacing_mm, Settings().agreement) == (64, 1.0, 0.5)


def test_the_module_does_without_torch():
    code = "import sys, medseg.datasets.lidc; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


# --- a real scan ---


@pytest.fixture(scope="module")
def scan(data_root):
    """(regions, geometry) of LIDC-IDRI-0314, and its masks from another source on that grid."""
    folder = data_root / "lidc"
    (series,) = find_series(folder / "LIDC-IDRI-0314")
    reads = read_xml(folder / "LIDC-IDRI-0314" / "annotations.xml")
    stack = make_stack(series, series.geometry)
    masks = {}
    for name in ("label_consensus50", "label_4readers_bits"):
        image = nib.load(folder / f"LIDC-IDRI-0314_{name}_full_series.nii.gz")
        start = np.rint(np.linalg.inv(image.affine) @ series.geometry.affine[:, 3]).astype(int)
        assert start[:2].tolist() == [0, 0]
        full = np.asarray(image.dataobj)
        cropped = full[:, :, start[2] : start[2] + series.geometry.shape[2]]
        assert np.count_nonzero(cropped) == np.count_nonzero(full)
        masks[name] = np.ascontiguousarray(cropped)
    return place(reads.marks, stack)[0], series.geometry, masks


@pytest.mark.realdata
def test_the_consensus_of_a_real_scan_is_the_given_mask(scan):
    regions, geometry, masks = scan
    (nodule,) = group(regions, geometry)
    voxels = find_consensus([region.voxels for region in nodule.outlined])
    given = np.flatnonzero(masks["label_consensus50"])
    assert len(nodule.outlined) == 4
    assert compute_dice(voxels, given) > 0.999
    assert (
        compute_dice(run_staple([r.voxels for r in nodule.outlined], geometry.shape), given) > 0.85
    )


@pytest.mark.realdata
def test_the_mask_of_each_real_reader_is_the_given_one(scan):
    regions, _, masks = scan
    for region in regions:
        given = np.flatnonzero((masks["label_4readers_bits"] >> (region.mark.reader - 1)) & 1)
        # two outlines of the third reader have a hole; one voxel at its rim differs
        assert np.setxor1d(region.voxels, given).size <= (1 if region.mark.reader == 3 else 0)


@pytest.mark.realdata
def test_real_contours_are_in_the_same_slices_by_uid_and_by_z(scan, data_root):
    regions, geometry, _ = scan
    reads = read_xml(data_root / "lidc" / "LIDC-IDRI-0314" / "annotations.xml")
    by_z, _ = place(reads.marks, Stack(geometry, {}))
    for one, other in zip(regions, by_z, strict=True):
        assert np.array_equal(one.voxels, other.voxels)


@pytest.mark.realdata
def test_a_real_scan_is_prepared_in_seconds(data_root, tmp_path):
    start = time.process_time()  # other processes do not count
    report = _prepare(data_root / "lidc" / "LIDC-IDRI-0314", tmp_path, settings=None)
    assert time.process_time() - start < 30  # measured: about one
    assert (report.cases, report.nodules, report.patches) == (1, 1, 1)
    assert _codes(report) == ["zero-area"]
    (row,) = _table(tmp_path / "nodules.csv")
    assert row["volume_mm3"] == "2074.58"  # 3399 voxels of the given mask
    image = nib.load(tmp_path / "patches/images" / f"{row['patch']}.nii.gz")
    mask = nib.load(tmp_path / "patches/labels" / f"{row['patch']}.nii.gz")
    assert image.shape == (64, 64, 64)
    assert np.asarray(mask.dataobj).sum() == pytest.approx(2074.58, rel=0.03)  # voxels of 1 mm3
