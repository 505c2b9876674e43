"""Tests of medseg.bundles.record_run: run.json says what was trained, and how it ended."""

import json
from types import SimpleNamespace

import pytest
import torch
from bundles.running_config import CHANGES, as_run
from ignite.engine import Engine

from medseg.bundles import record_run
from medseg.bundles.record_run import RecordRun, read_run


class TinyTraining:
    """An engine that does nothing, with the handler, in the folder of a run."""

    def __init__(self, bundle, folder, *, record=None, data=None, publish=True, **changes):
        self.folder = folder
        self.best = SimpleNamespace(epoch=0, scores={}, path=folder / "models" / "model.pt")
        self.engine = Engine(lambda engine, batch: None)
        self.engine.state.device = "cpu"
        handler = RecordRun(
            folder,
            bundle_root=bundle,
            config=as_run(bundle, {**CHANGES, "train#dataset#data": data or "$[]", **changes}),
            best_weights=self.best,
            record=record,
            test_cases=4,
            publish=publish,
        )
        handler.attach(self.engine)

    def run(self, epochs):
        self.engine.run([0], max_epochs=epochs)
        return read_run(self.folder)


def test_run_json_says_what_was_trained_and_how(committed, tmp_path):
    record = {"training": {"a": "1", "b": "2"}, "validation": {"patient": "3"}}
    training = TinyTraining(committed / "liver", tmp_path / "run", record=record)
    training.best.epoch, training.best.scores = 2, {"val_mean_dice": 0.5}
    found = training.run(3)
    assert (found["bundle"], found["fold"], found["seed"]) == ("liver", 2, 0)
    assert (found["folds"], found["split_seed"]) == (5, 0)
    assert (found["epochs"], found["best_epoch"]) == (3, 2)
    assert found["scores"] == {"val_mean_dice": 0.5}
    assert found["cases"] == {"training": 2, "validation": 1, "test": 4}
    assert found["versions"]["torch"] == torch.__version__
    assert found["ended"] >= found["started"]
    assert found["peak_memory_bytes"]["process"] > 2**20
    assert "patient" not in json.dumps(found)


def test_a_run_has_the_label_table_of_its_classes(committed, tmp_path):
    classes = {"liver": [1, 2], "tumour": [2]}
    TinyTraining(committed / "liver_3d", tmp_path / "run", classes=classes).run(1)
    described = json.loads((tmp_path / "run" / "labels.json").read_text())
    assert [label["name"] for label in described["labels"]] == [
        *("background", "liver outside tumour", "tumour"),
    ]
    assert (tmp_path / "run" / "labels.label").is_file()
    assert (tmp_path / "run" / "labels.ctbl").is_file()


def test_the_fingerprint_of_the_data_changes_with_a_case(committed, tmp_path):
    digests = set()
    for number, case in enumerate(("1", "1", "2")):
        record = {"training": {"a": case}, "validation": {}}
        training = TinyTraining(committed / "liver", tmp_path / str(number), record=record)
        digests.add(training.run(1)["data_sha256"])
    assert len(digests) == 2


def test_each_section_has_a_fingerprint_of_its_own(committed, tmp_path):
    found = []
    for number, case in enumerate(("3", "4")):
        record = {"training": {"a": "1"}, "validation": {"b": case}}
        training = TinyTraining(committed / "liver", tmp_path / str(number), record=record)
        found.append(training.run(1)["section_sha256"])
    assert found[0]["training"] == found[1]["training"]
    assert found[0]["validation"] != found[1]["validation"]


def test_a_run_that_goes_on_keeps_its_start_and_adds_its_time(committed, tmp_path):
    first = TinyTraining(committed / "liver", tmp_path / "run").run(1)
    again = TinyTraining(committed / "liver", tmp_path / "run").run(2)
    assert again["started"] == first["started"]
    assert len(again["resumed"]) == 1
    assert again["seconds"] >= first["seconds"]


def test_weights_that_were_written_elsewhere_are_copied_into_the_run(committed, tmp_path):
    training = TinyTraining(committed / "liver", tmp_path / "run")
    training.best.path = tmp_path / "other.pt"
    training.best.path.write_bytes(b"weights")
    training.run(1)
    assert (tmp_path / "run" / "models" / "model.pt").read_bytes() == b"weights"


def test_a_run_on_cases_that_a_program_hands_in_replaces_the_weights(committed, tmp_path):
    weights = committed / "liver" / "models" / "model.pt"
    weights.parent.mkdir(exist_ok=True)
    for data, expected in ((None, b"old"), ([{"image": "a.nii"}], b"new")):
        weights.write_bytes(b"old")
        training = TinyTraining(committed / "liver", tmp_path / expected.decode(), data=data)
        training.best.path.parent.mkdir(parents=True)
        training.best.path.write_bytes(b"new")
        training.run(1)
        assert weights.read_bytes() == expected
    (kept,) = (committed / "liver" / "replaced").glob("model-*.pt")
    assert kept.read_bytes() == b"old"


@pytest.mark.parametrize("publish", [True, False])
def test_the_bundle_is_offered_the_weights_unless_the_run_is_not_to_publish_them(
    committed, tmp_path, publish, monkeypatch
):
    offered = []
    monkeypatch.setattr(record_run, "publish_if_none", lambda run, *_, **__: offered.append(run))
    training = TinyTraining(committed / "liver", tmp_path / "run", publish=publish)
    training.best.path.parent.mkdir(parents=True)
    training.best.path.write_bytes(b"new")
    training.run(1)
    assert offered == ([tmp_path / "run"] if publish else [])


def test_a_damaged_run_json_is_named(tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ValueError, match=r"run.json is damaged .*: remove it"):
        read_run(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"is not the folder of a run, it has no run\.json: name"
    ):
        read_run(tmp_path / "absent")
