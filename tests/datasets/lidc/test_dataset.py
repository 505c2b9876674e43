"""Tests of medseg.datasets.lidc.dataset: a collection becomes tables, views and a report."""

import shutil
import subprocess
import sys
import time

import nibabel as nib
import numpy as np
import pytest
from datasets.lidc.small_collection import (
    PATIENTS,
    find_one,
    list_codes,
    prepare_small,
    read_contents,
    read_table,
)

from medseg.datasets import lidc
from medseg.datasets.lidc import Settings
from medseg.datasets.lidc.annotations_xml import read_xml
from medseg.datasets.lidc.consensus import compute_dice, find_consensus, run_staple
from medseg.datasets.lidc.marks import Stack, locate_marks
from medseg.datasets.lidc.nodules import group
from medseg.datasets.lidc.source import make_stack
from medseg.ingest import IngestError, Reason, find_series
from medseg.ingest import read_series as _read_series

# --- the views for a bundle ---


def test_both_views_keep_the_same_patients_in_the_same_fold(done):
    out, _ = done
    options = {"folds": 3, "seed": 1}
    for section in ("training", "validation", "test"):
        patients = [
            {item["patient"] for item in lidc.list_cases(out, section, view=view, **options)}
            for view in lidc.VIEWS
        ]
        assert patients[0] == patients[1] != set()
    train, validation = (
        {item["patient"] for item in lidc.list_cases(out, section, **options)}
        for section in ("training", "validation")
    )
    assert not train & validation


def test_cases_are_patches_unless_slices_are_asked_for(done):
    out, report = done
    sections = ("training", "validation", "test")
    for view, count in (("patches", report.patches), ("slices", report.slices)):
        items = [i for s in sections for i in lidc.list_cases(out, s, folds=3, view=view)]
        assert len(items) == count
        assert all(f"/{view}/images/" in item["image"] for item in items)
    assert lidc.list_cases(out, folds=3) == lidc.list_cases(out, folds=3, view="patches")


def test_an_unknown_view_is_refused(done):
    with pytest.raises(ValueError, match="view '2d' is unknown: choose one of patches, slices"):
        lidc.list_cases(done[0], view="2d")


def test_a_corrected_collection_without_a_nodule_leaves_no_datalist_of_before(collection, tmp_path):
    prepare_small(collection, tmp_path / "out")
    for path in collection.rglob("*.xml"):
        head, _, _ = path.read_text().partition("<readingSession>")
        path.write_text(f"{head}</LidcReadMessage>")
    assert prepare_small(collection, tmp_path / "out").patches == 0
    assert not list((tmp_path / "out").rglob("datalist.json"))


def test_a_folder_in_the_annotations_is_refused(published, tmp_path):
    shutil.copytree(published / "LIDC-XML-only", tmp_path / "xml")
    with pytest.raises(
        ValueError, match=r"/xml/out is or lies in the source \S+/xml: pass another folder to --out"
    ):
        prepare_small(
            published / "LIDC-IDRI", tmp_path / "xml" / "out", annotations=tmp_path / "xml"
        )
    assert not (tmp_path / "xml" / "out").exists()


def test_other_settings_need_another_folder(done, published):
    with pytest.raises(ValueError, match=r"was prepared with size 16 and not 40, spacing_mm 4\.0"):
        prepare_small(published, done[0], settings=Settings(size=40))


# --- what goes wrong ---


def test_a_scan_without_xml_is_reported_and_the_rest_goes_on(collection, tmp_path):
    find_one(collection).unlink()
    report = prepare_small(collection, tmp_path / "out")
    assert (report.cases, list_codes(report), report.ok) == (
        PATIENTS - 1,
        ["no-annotations"],
        False,
    )
    (row,) = read_table(tmp_path / "out/problems.csv")
    assert row["case"].startswith("LIDC-IDRI-9001_")
    assert row["remedy"] == "download the XML of the series; the scan is left out"


def test_xml_without_images_is_reported_and_the_rest_goes_on(collection, tmp_path):
    for file in collection.glob("LIDC-IDRI-9002/*/*/*.dcm"):
        file.unlink()
    report = prepare_small(collection, tmp_path / "out")
    assert (report.cases, list_codes(report)) == (PATIENTS - 1, ["no-images"])


def test_xml_of_another_series_beside_a_ct_is_reported_once(collection, tmp_path):
    path = find_one(collection)
    text = path.read_text()
    uid = read_xml(path).series_uid
    path.write_text(text.replace(f">{uid}<", ">1.2.3<"))
    report = prepare_small(collection, tmp_path / "out")
    assert (report.cases, list_codes(report)) == (PATIENTS - 1, ["series-mismatch"])
    assert "XML of 1.2.3" in report.problems[0].finding


def test_xml_in_a_tree_of_its_own_is_enough(published, done, tmp_path):
    shutil.copytree(published / "LIDC-IDRI", tmp_path / "images")
    for path in (tmp_path / "images").rglob("*.xml"):
        path.unlink()
    report = prepare_small(
        tmp_path / "images", tmp_path / "out", annotations=published / "LIDC-XML-only"
    )
    assert report == done[1]
    assert read_contents(tmp_path / "out") == read_contents(done[0])


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
    path = find_one(collection)
    text = path.read_text()
    for old, new in changes.items():
        text = text.replace(old, new, 1)
    path.write_text(text)
    report = prepare_small(collection, tmp_path / "out")
    assert (report.cases, list_codes(report)) == (PATIENTS, codes)
    assert all(p.finding.startswith("1 x, first: ") for p in report.problems)
    assert len(read_table(tmp_path / "out/problems.csv")) == len(codes)


def test_an_outline_without_area_is_reported_and_the_rest_goes_on(collection, tmp_path):
    path = find_one(collection)
    text = path.read_text()
    roi = "<roi><imageZposition>{z}</imageZposition><imageSOP_UID>{uid}</imageSOP_UID>"
    contour = read_xml(path).marks[0].contours[0]
    edge = "<edgeMap><xCoord>1</xCoord><yCoord>1</yCoord></edgeMap></roi>"
    point = roi.format(z=contour.z_mm, uid=contour.sop_uid) + edge
    path.write_text(text.replace("</roi></unblindedReadNodule>", f"</roi>{point}"
                                 "</unblindedReadNodule>", 1))  # fmt: skip
    report = prepare_small(collection, tmp_path / "out")
    assert (report.cases, list_codes(report)) == (PATIENTS, ["zero-area"])


def test_unreadable_and_conflicting_xml_is_reported_and_the_rest_goes_on(collection, tmp_path):
    first, second = sorted(collection.rglob("*.xml"))[:2]
    first.write_text("<LidcReadMessage")
    text = second.read_text()
    second.with_name("copy.xml").write_text(text.replace("TRUE", "FALSE", 1))
    report = prepare_small(collection, tmp_path / "out")
    assert report.cases == PATIENTS - 2
    assert sorted(list_codes(report)) == ["no-annotations", *["unusable-annotations"] * 2]


def test_a_refused_series_is_reported_and_the_rest_goes_on(collection, tmp_path):
    ct = sorted(collection.glob("LIDC-IDRI-9003/*/*/*.dcm"))
    ct[4].write_bytes(ct[4].read_bytes()[:-5000])
    report = prepare_small(collection, tmp_path / "out")
    assert report.cases == PATIENTS - 1
    assert "refused-series" in list_codes(report)


def test_pixels_that_cannot_be_decoded_are_reported_and_the_rest_goes_on(published, tmp_path):
    first = []

    def read(series):
        first.append(series.uid)
        if series.uid == first[0]:
            raise IngestError(Reason.UNDECODABLE, "no decoder")
        return _read_series(series)

    report = prepare_small(published, tmp_path / "out", read_series=read)
    assert (report.cases, list_codes(report)) == (PATIENTS - 1, ["refused-series"])


def test_missing_images_are_logged_in_one_line_and_listed_one_by_one(collection, tmp_path, caplog):
    for patient in ("LIDC-IDRI-9002", "LIDC-IDRI-9003", "LIDC-IDRI-9004"):
        for file in collection.glob(f"{patient}/*/*/*.dcm"):
            file.unlink()
    report = prepare_small(collection, tmp_path / "out")
    assert (report.cases, list_codes(report)) == (1, ["no-images"] * 3)
    assert [m[:13] for m in caplog.messages if "no-images" in m] == ["3 x no-images"]
    assert len(read_table(tmp_path / "out/problems.csv")) == 3


def test_reads_of_a_radiograph_are_set_aside_and_counted(collection, tmp_path):
    (collection / "cxr.xml").write_text('<IdriReadMessage xmlns="http://www.nih.gov/idri"/>')
    report = prepare_small(collection, tmp_path / "out")
    assert (report.radiographs, report.ok, report.cases) == (1, True, PATIENTS)


def test_scans_without_a_nodule_leave_no_datalist_and_a_report(collection, tmp_path):
    for path in collection.rglob("*.xml"):
        head, _, _ = path.read_text().partition("<readingSession>")
        path.write_text(f"{head}</LidcReadMessage>")
    report = prepare_small(collection, tmp_path / "out")
    assert (report.cases, report.patches, list_codes(report)) == (PATIENTS, 0, ["no-nodules"])
    assert read_table(tmp_path / "out/nodules.csv") == []
    with pytest.raises(FileNotFoundError, match=f"out/patches .* --out {tmp_path}/out`"):
        lidc.list_cases(tmp_path / "out")


def test_a_missing_or_foreign_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder: .*absent"):
        prepare_small(tmp_path / "absent", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        FileNotFoundError,
        match=r"no lung_nodule data in \S+empty \(looked for XML annotation files of",
    ):
        prepare_small(tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_xml_without_a_ct_is_refused(published, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no CT series in .*empty"):
        prepare_small(tmp_path / "empty", tmp_path / "out", annotations=published / "LIDC-XML-only")
    assert not (tmp_path / "out").exists()


def test_ct_of_another_source_is_refused_and_nothing_is_written(collection, tmp_path):
    for path in collection.rglob("*.xml"):
        path.unlink()
    (collection / "plan.xml").write_text("<plan/>")
    told = (
        r"no lung_nodule data in \S+ \(looked for XML .*, 1 XML file cannot be read\): give LIDC-"
    )
    with pytest.raises(FileNotFoundError, match=told):
        prepare_small(collection, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_patient_alone_is_told_once_for_both_views(collection, tmp_path, caplog):
    for folder in sorted(collection.iterdir())[1:]:
        shutil.rmtree(folder)
    prepare_small(collection, tmp_path / "out")
    (told,) = [message for message in caplog.messages if "cannot be split" in message]
    assert told.startswith("lung_nodule-patches cannot be split into folds, it has 1 patient")


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
    return locate_marks(reads.marks, stack)[0], series.geometry, masks


@pytest.mark.realdata
def test_the_consensus_of_a_real_scan_is_the_given_mask(scan):
    regions, geometry, masks = scan
    (nodule,) = group(regions, geometry)
    voxels = find_consensus([region.voxels for region in nodule.outlined_regions])
    given = np.flatnonzero(masks["label_consensus50"])
    assert len(nodule.outlined_regions) == 4
    assert compute_dice(voxels, given) > 0.999
    assert (
        compute_dice(run_staple([r.voxels for r in nodule.outlined_regions], geometry.shape), given)
        > 0.85
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
    by_z, _ = locate_marks(reads.marks, Stack(geometry, {}))
    for one, other in zip(regions, by_z, strict=True):
        assert np.array_equal(one.voxels, other.voxels)


@pytest.mark.realdata
def test_a_real_scan_is_prepared_in_seconds(data_root, tmp_path):
    start = time.process_time()  # other processes do not count
    report = prepare_small(data_root / "lidc" / "LIDC-IDRI-0314", tmp_path, settings=None)
    assert time.process_time() - start < 30  # measured: about one
    assert (report.cases, report.nodules, report.patches) == (1, 1, 1)
    assert list_codes(report) == ["zero-area"]
    (row,) = read_table(tmp_path / "nodules.csv")
    assert row["volume_mm3"] == "2074.58"  # 3399 voxels of the given mask
    image = nib.load(tmp_path / "patches/images" / f"{row['patch']}.nii.gz")
    mask = nib.load(tmp_path / "patches/labels" / f"{row['patch']}.nii.gz")
    assert image.shape == (64, 64, 64)
    assert np.asarray(mask.dataobj).sum() == pytest.approx(2074.58, rel=0.03)  # voxels of 1 mm3
