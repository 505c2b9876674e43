"""Tests of medseg.export.write_dicom: DICOM in gives DICOM out, of the same voxels."""

from __future__ import annotations

import logging

import highdicom as hd
import nibabel as nib
import numpy as np
import pydicom
import pytest
from export.judges import find_errors, needs_dciodvfy
from export.test_rtstruct import read_by_filling
from export.test_segmentation import read_by_highdicom
from ingest.dicom_writer import OBLIQUE, make_series, ramp, write_series
from monai.transforms import Compose, EnsureChannelFirstd, Invertd, LoadImaged, Orientationd

from medseg.export import WriteDicomd
from medseg.inference import ProbabilityFiles, WriteLabelMapd
from medseg.inference.outputs.notes import FACTS
from medseg.inference.outputs.source import keep_case_name
from medseg.ingest import load
from medseg.ingest.reader import VolumeReader
from medseg.labels import make_table
from medseg.report import WriteMeasurementsd

CLASSES = {"low": [1], "high": [2]}


@pytest.fixture
def segment(tmp_path):
    """Segment a case by thresholds, as a bundle does with a network."""

    def run(path, out="out", *, measured=False, classes=CLASSES, **options):
        reader = VolumeReader(**options.pop("reader", {}))
        before = Compose(
            [
                LoadImaged("image", reader=reader),
                EnsureChannelFirstd("image"),
                Orientationd("image", axcodes="RAS", labels=None),
            ]
        )
        case = before({"image": str(path), "case": "study"})
        case["pred"] = case["image"].clone()
        case["pred"][:] = 1 + (case["image"] > case["image"].mean())
        if options.get("probabilities"):
            _keep_probabilities(case["image"], options["probabilities"])
        case = Invertd("pred", transform=before, orig_keys="image")(case)
        first = WriteDicomd(
            "pred",
            tmp_path / out,
            classes=classes,
            reader=reader,
            made_by="liver 0.1.0, run 2026-01-02",
            **options,
        )
        if measured:
            first = Compose([WriteMeasurementsd("pred", tmp_path / out, classes=classes), first])
        return WriteLabelMapd("pred", tmp_path / out, first=first)(case)

    return run


def scale(values):
    return (values - values.min()) / (values.max() - values.min())


def _keep_probabilities(image, files):
    """Keep for "high" the share of the range of values, on the grid of the network."""
    high = scale(image.as_tensor())
    keep_case_name(image, "study")
    with files(image[None]) as path:
        path.parent.mkdir(exist_ok=True)
        values = np.concatenate([0 * high, 1 - high, high])
        np.save(path, values.astype(np.float16))


def read_maps(folder, geometry):
    grid = hd.Volume(
        np.zeros(geometry.shape[::-1], np.float32),
        geometry.affine_lps[:, [2, 1, 0, 3]],
        coordinate_system="PATIENT",
    )
    maps = [hd.imread(path) for path in sorted(folder.glob("study_probability_*.dcm"))]
    found = [one.get_volume(apply_real_world_transform=False) for one in maps]
    return [one.match_geometry(grid).array.transpose(2, 1, 0) for one in found]


def test_probabilities_come_back_in_their_place_on_the_grid_of_the_series(segment, tmp_path):
    write_series(tmp_path / "ct", make_series(ramp((5, 6, 4)), orientation=OBLIQUE))
    files = ProbabilityFiles(tmp_path / "out", classes=CLASSES)
    done = segment(tmp_path / "ct", seg="fractional", probability_maps=True, probabilities=files)
    values, geometry = load(tmp_path / "ct")
    high = scale(values)
    maps = read_maps(tmp_path / "out", geometry)
    np.testing.assert_allclose(maps[1], high, atol=5e-4)  # a half has 11 bits
    np.testing.assert_allclose(maps[0], 1 - high, atol=5e-4)
    names = ["study_probability_1.dcm", "study_probability_2.dcm"]
    assert done[FACTS]["probability_maps"] == names
    seg = hd.seg.segread(tmp_path / "out" / "study_seg.dcm")
    assert seg.SegmentationType == "FRACTIONAL"
    frames = seg.get_volume(segment_numbers=[2], allow_missing_positions=True)
    assert np.isclose(np.max(frames.array), high.max(), atol=1 / 255)


def test_all_objects_of_a_class_that_encloses_others_name_what_they_hold(segment, tmp_path):
    write_series(tmp_path / "ct", make_series(ramp((5, 6, 4))))
    nested = {"low": [1, 2], "high": [2]}
    files = ProbabilityFiles(tmp_path / "out", classes=CLASSES)
    options = {"probability_maps": True, "probabilities": files, "classes": nested}
    for seg, name in (("binary", "low outside high"), ("fractional", "low")):
        segment(tmp_path / "ct", seg=seg, sr=True, measured=True, **options)
        made = {path.stem[6:]: pydicom.dcmread(path) for path in (tmp_path / "out").glob("*.dcm")}
        assert [one.SegmentLabel for one in made["seg"].SegmentSequence] == [name, "high"]
        assert made["probability_1"].SeriesDescription == "liver, probability of low"
        groups = hd.sr.srread(
            tmp_path / "out" / "study_sr.dcm"
        ).content.get_volumetric_roi_measurement_groups()
        assert groups[0].tracking_identifier == "low"
        assert groups[0].get_measurements()[0].value == pytest.approx(
            120 * 0.46875 / 1000, abs=1e-4
        )


@needs_dciodvfy
def test_dciodvfy_finds_no_error_in_objects_of_probabilities(segment, tmp_path):
    write_series(tmp_path / "ct", make_series(ramp((5, 6, 4))))
    files = ProbabilityFiles(tmp_path / "out", classes=CLASSES)
    segment(tmp_path / "ct", seg="fractional", probability_maps=True, probabilities=files)
    for path in (tmp_path / "out").glob("*.dcm"):
        assert find_errors(path) == []


@pytest.mark.parametrize("options", [{"seg": "fractional"}, {"probability_maps": True}])
def test_objects_of_probabilities_need_their_files(segment, options, tmp_path):
    write_series(tmp_path / "ct", make_series())
    with pytest.raises(ValueError, match="set save_probabilities to True"):
        segment(tmp_path / "ct", **options)


@pytest.mark.parametrize("seg", ["binary", "labelmap"])
def test_the_object_has_the_voxels_of_the_label_map(segment, seg, tmp_path):
    write_series(tmp_path / "ct", make_series(orientation=OBLIQUE))
    done = segment(tmp_path / "ct", seg=seg)
    assert done[FACTS]["seg"] == "study_seg.dcm"
    label = np.asarray(nib.load(tmp_path / "out" / "study.nii.gz").dataobj)
    geometry = load(tmp_path / "ct")[1]
    found = read_by_highdicom(tmp_path / "out" / "study_seg.dcm", geometry)
    np.testing.assert_array_equal(found, label)
    assert set(np.unique(label)) == {1, 2}


@pytest.mark.parametrize("seg", ["binary", None])
def test_outlines_enclose_the_voxels_of_the_label_map(segment, seg, tmp_path):
    write_series(tmp_path / "ct", make_series(orientation=OBLIQUE))
    done = segment(tmp_path / "ct", seg=seg, rtstruct=True)
    written = {"rtstruct": "study_rtstruct.dcm"} | ({"seg": "study_seg.dcm"} if seg else {})
    assert {
        kind: done[FACTS][kind] for kind in ("seg", "rtstruct") if kind in done[FACTS]
    } == written
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "study.nii.gz",
        *written.values(),
    }
    label = np.asarray(nib.load(tmp_path / "out" / "study.nii.gz").dataobj)
    geometry, labels = load(tmp_path / "ct")[1], make_table(CLASSES)
    found = read_by_filling(tmp_path / "out" / "study_rtstruct.dcm", geometry, labels)
    np.testing.assert_array_equal(found, label)


def test_a_series_that_was_resampled_has_its_object_on_the_new_grid(segment, tmp_path):
    slices = make_series(ramp((6, 6, 4)))
    write_series(tmp_path / "ct", slices[:2] + slices[3:])
    segment(tmp_path / "ct", reader={"resample": True})
    label = np.asarray(nib.load(tmp_path / "out" / "study.nii.gz").dataobj)
    geometry = load(tmp_path / "ct", resample=True)[1]
    found = read_by_highdicom(tmp_path / "out" / "study_seg.dcm", geometry)
    np.testing.assert_array_equal(found, label)


def test_a_volume_file_has_no_dicom_object(segment, tmp_path):
    image = nib.Nifti1Image(ramp().transpose(2, 1, 0), np.diag([1, 2, 3, 1]))
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "ct.nii.gz")
    segment(tmp_path / "ct.nii.gz")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["study.nii.gz"]


def test_objects_of_an_earlier_label_map_are_removed_where_none_are_asked_for(segment, tmp_path):
    write_series(tmp_path / "ct", make_series())
    segment(tmp_path / "ct", rtstruct=True, sr=True, measured=True)
    segment(tmp_path / "ct", seg=None)
    left = [path.name for path in (tmp_path / "out").iterdir() if path.suffix == ".dcm"]
    assert left == []


def test_no_identifier_is_logged(segment, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    slices = make_series(uid="1.2.840.99")
    for dataset in slices:
        dataset.PatientID, dataset.PatientName = "SECRET", "Hidden^Name"
        dataset.StudyID = "an identifier that is too long"
    write_series(tmp_path / "ct", slices)
    segment(tmp_path / "ct")
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert "StudyID of the source is not allowed there" in said
    secrets = ("SECRET", "Hidden", "1.2.840.99", "an identifier", slices[0].SOPInstanceUID)
    assert not [secret for secret in secrets if secret in said]


def test_a_structured_report_refers_to_the_object(segment, tmp_path):
    write_series(tmp_path / "ct", make_series())
    done = segment(tmp_path / "ct", sr=True, modality="CT", measured=True)
    assert done[FACTS]["sr"] == "study_sr.dcm"
    seg, report = (
        pydicom.dcmread(tmp_path / "out" / f"study_{kind}.dcm") for kind in ("seg", "sr")
    )
    said = {
        one.ReferencedSOPInstanceUID
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    }
    assert seg.SOPInstanceUID in said


def test_a_structured_report_needs_an_object_and_measurements(segment, tmp_path):
    write_series(tmp_path / "ct", make_series())
    with pytest.raises(ValueError, match="set seg to binary"):
        segment(tmp_path / "ct", sr=True, seg=None)
    with pytest.raises(ValueError, match="set measure to True"):
        segment(tmp_path / "ct", sr=True)
