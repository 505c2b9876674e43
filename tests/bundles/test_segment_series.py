"""Tests of medseg.bundles.segment_series: a folder of images gives the objects of its mask."""

from __future__ import annotations

import logging
from io import StringIO

import numpy as np
import pytest
from export.test_segmentation import read_by_highdicom
from ingest.dicom_writer import as_mr, make_series, write_series
from pydicom import dcmread

import medseg
from medseg.bundles.segment_series import SegmentSeries, _hide_uids
from medseg.ingest import IngestError, load

QUICK = {"predictor": "eager", "force": True}


@pytest.fixture(scope="module")
def segment():
    return SegmentSeries("hippocampus", outputs=("seg", "sr", "rtstruct"), **QUICK)


@pytest.fixture
def folder(tmp_path):
    stored = np.random.default_rng(0).integers(0, 900, (20, 40, 36)).astype(np.uint16)
    write_series(tmp_path / "1", as_mr(make_series(stored)))
    return tmp_path / "1"


def test_each_object_is_of_the_series_and_has_its_mask(segment, folder, tmp_path):
    paths = segment(folder, tmp_path)
    made = {kind: dcmread(path) for kind, path in paths.items()}
    assert {kind: each.Modality for kind, each in made.items()} == {
        "seg": "SEG",
        "sr": "SR",
        "rtstruct": "RTSTRUCT",
    }
    mask = medseg.segment(folder, bundle="hippocampus", **QUICK).mask
    np.testing.assert_array_equal(read_by_highdicom(paths["seg"], load(folder)[1]), mask)
    (reference,) = made["sr"].CurrentRequestedProcedureEvidenceSequence
    texts = made["sr"].to_json()
    assert made["seg"].SOPInstanceUID in texts
    assert reference is not None
    assert segment.made_by == "hippocampus 0.1.0"


def test_a_report_without_measurements_is_refused():
    with pytest.raises(ValueError, match="sr holds measurements, and measure is False"):
        SegmentSeries("hippocampus", outputs=("seg", "sr"), measure=False, **QUICK)


def test_only_what_is_asked_for_is_written(folder, tmp_path):
    made = SegmentSeries("hippocampus", outputs=("seg",), seg="labelmap", **QUICK)(folder, tmp_path)
    assert list(made) == ["seg"]
    assert dcmread(made["seg"]).SegmentationType == "LABELMAP"


def test_notes_are_logged_by_the_number_of_the_series_and_of_no_preview(
    segment, folder, tmp_path, caplog
):
    segment(folder, tmp_path)
    lines = [record.getMessage() for record in caplog.records]
    assert [line for line in lines if line.startswith("series 1: ")]
    assert not [line for line in lines if line.startswith("case ") or "preview" in line]


def test_a_series_with_a_gap_is_refused(segment, tmp_path):
    gapped = as_mr(make_series())
    del gapped[2]
    write_series(tmp_path / "1", gapped)
    with pytest.raises(IngestError, match="slice"):
        segment(tmp_path / "1", tmp_path)


def test_the_log_of_a_service_names_no_series_by_its_uid(monkeypatch):
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    monkeypatch.setattr(logging.root, "handlers", [handler])
    _hide_uids()
    logging.getLogger("medseg").warning("values in %s: %d of 10.0.0.1", "1.2.840.113619.2.5", 3)
    assert stream.getvalue() == "values in [UID]: 3 of 10.0.0.1\n"
