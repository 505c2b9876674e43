"""Tests of medseg.engines.trained_on: what weights were trained on is written beside them, once."""

from types import SimpleNamespace

import torch
from ignite.engine import Engine
from monai.data import MetaTensor

from medseg.engines import RecordTraining
from medseg.plausibility import read_trained_on


def test_it_is_written_once_the_run_has_weights_and_not_before(tmp_path):
    loaded = []

    def load(case):
        loaded.append(case)
        tensor = MetaTensor(torch.rand(1, 8, 8), affine=torch.eye(4))
        return {"image": tensor, "label": tensor > 0.5}

    best = SimpleNamespace(path=tmp_path / "model.pt", written="")
    handler = RecordTraining(
        best, cases=[{}, {}], load=load, modality="picture", classes={"a": [1]}, about={"fold": 2}
    )
    trainer = Engine(lambda *_: None)
    handler.attach(trainer)
    trainer.run([0], max_epochs=1)
    assert read_trained_on(best.path) is None
    best.written = "digest"
    trainer.run([0], max_epochs=3)
    found = read_trained_on(best.path)
    assert (found.cases, found.about, found.modality) == (2, {"fold": 2}, "picture")
    assert len(loaded) == 2
