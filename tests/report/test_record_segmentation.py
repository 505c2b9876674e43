"""Tests of medseg.report.record_segmentation: each command leaves a record of what it did."""

from __future__ import annotations

import json

import pytest
import torch
from monai.inferers import SimpleInferer

from medseg.inference.cases.report import DONE, FAILED, PLANNED, report_case
from medseg.inference.predictor.precision import find_fastest_precision
from medseg.inference.predictor.predictor import PredictorInferer
from medseg.inference.tiles.mean_canvas import Companion
from medseg.ingest.reader import VolumeReader
from medseg.report import RecordSegmentation, provenance

CPU = torch.device("cpu")


@pytest.fixture
def record(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"weights")

    def make(**options):
        about = {"made_by": "liver 0.1.0", "weights": tmp_path / "model.pt", "device": "cpu"}
        return RecordSegmentation(tmp_path / "masks", **{**about, **options})

    return make


def read(tmp_path):
    return [
        json.loads(file.read_text()) for file in sorted((tmp_path / "masks").glob("segment*.json"))
    ]


def test_what_became_of_each_case_is_written_at_the_end(record, tmp_path):
    with record(choices={"level": 3}):
        report_case(PLANNED, "a")
        report_case(DONE, "a", mask="a.nii.gz", seconds=3.1, volumes_ml={"liver": 1.5})
        report_case(FAILED, "b", reason="no image")
        assert read(tmp_path) == []
    (found,) = read(tmp_path)
    assert [(case["case"], case["status"]) for case in found["cases"]] == [
        *(("a", "done"), ("b", "failed")),
    ]
    assert found["cases"][0]["volumes_ml"] == {"liver": 1.5}
    assert found["bundle"] == "liver 0.1.0"
    assert len(found["weights_sha256"]) == len(found["settings_sha256"]) == 64
    assert found["started"] <= found["ended"]


def test_series_that_the_reader_leaves_out_are_recorded_with_the_reason(record, tmp_path):
    reader = VolumeReader(choose="all")
    reader.left_out["study_series-7"] = {"reason": "it is an MR", "series_uid": "1.2.7"}
    with record(reader=reader):
        report_case(DONE, "study_series-2")
    (found,) = read(tmp_path)
    assert [(one["case"], one["status"]) for one in found["cases"]] == [
        *(("study_series-7", "left out"), ("study_series-2", "done")),
    ]
    assert found["cases"][0]["reason"] == "it is an MR"
    assert found["cases"][0]["series_uid"] == "1.2.7"


@pytest.mark.parametrize(
    ("enabled", "precision"), [(False, "float32"), (True, str(find_fastest_precision(CPU))[6:])]
)
def test_backend_and_precision_that_computed_are_recorded(record, tmp_path, enabled, precision):
    inferer = PredictorInferer(SimpleInferer(), "cpu", backend="eager", enabled=enabled)
    inferer(torch.zeros(1, 1, 8, 8), torch.nn.Conv2d(1, 2, 3))
    made = record()
    made.inferer = inferer
    with made:
        report_case(DONE, "a")
    (found,) = read(tmp_path)
    assert (found["backend"], found["precision"]) == ("eager", precision)
    assert {"pydicom", "highdicom", "SimpleITK"} <= set(found["versions"])
    assert "openvino" not in found["versions"]


def test_the_version_of_the_backend_is_recorded_where_it_computes(record, tmp_path, monkeypatch):
    inferer = PredictorInferer(SimpleInferer(), "cpu", backend="eager")
    inferer(torch.zeros(1, 1, 8, 8), torch.nn.Conv2d(1, 2, 3))
    inferer.last.backend = "openvino"
    versions = {"openvino": "2025.9"}
    monkeypatch.setattr(provenance, "version", lambda name: versions.get(name, "1"))
    made = record()
    made.inferer = inferer
    with made:
        report_case(DONE, "a")
    assert read(tmp_path)[0]["versions"]["openvino"] == "2025.9"


def test_where_nothing_was_computed_the_backend_is_null(record, tmp_path):
    with record():
        report_case(FAILED, "b", reason="no image")
    (found,) = read(tmp_path)
    assert (found["backend"], found["precision"]) == (None, None)


def test_it_is_written_also_where_the_command_is_interrupted(record, tmp_path):
    def run():
        with record():
            report_case(DONE, "a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert [case["case"] for case in read(tmp_path)[0]["cases"]] == ["a"]


def test_a_command_without_a_case_leaves_none(record, tmp_path):
    with record():
        report_case(PLANNED, "a")
    assert read(tmp_path) == []


def test_two_commands_of_one_second_have_a_file_each(record, tmp_path):
    first, second = record(), record()
    second.started = first.started
    for one, case in ((first, "a"), (second, "b")):
        with one:
            report_case(DONE, case)
    assert [found["cases"][0]["case"] for found in read(tmp_path)] == ["a", "b"]


def test_a_companion_is_recorded_with_its_weights_and_its_share(record, tmp_path):
    about = {"bundle": "kidney_2d 0.1.0", "weights_sha256": "ab"}
    companion = Companion(lambda images: None, share=0.5, about=about)
    assert record(companion=companion).about["companion"] == {**about, "share": 0.5}
    assert "companion" not in record().about


def test_the_digest_of_the_settings_tells_two_settings_apart(record):
    digests = {record(choices={"level": level}).about["settings_sha256"] for level in (1, 1, 2)}
    assert len(digests) == 2


def test_what_is_to_happen_at_the_end_happens_when_the_record_is_there(record, tmp_path):
    found = []
    with record() as recorded:
        recorded.at_end.append(lambda: found.extend(read(tmp_path)))
        report_case(DONE, "a")
    assert [case["case"] for case in found[0]["cases"]] == ["a"]
