"""Tests of medseg.inference.outputs.write: each case is written once, after its post-processing."""

import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator

from medseg.inference import WriteOutputs
from medseg.inference.outputs.notes import FACTS, FOUND, add_found


def test_each_case_is_written_with_its_image_its_name_and_the_final_prediction():
    written = []
    cases = [
        {"case": name, "image": torch.full((1, 2, 2), n)} for n, name in ((1.0, "a"), (2.0, "b"))
    ]
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(Dataset(cases), batch_size=2),
        network=torch.nn.Identity(),
        postprocessing=lambda item: {**item, "pred": item["pred"] * 10},
        val_handlers=[WriteOutputs(written.append)],
    )
    evaluator.run()
    assert [item["case"] for item in written] == ["a", "b"]
    assert [float(item["image"].max()) for item in written] == [1.0, 2.0]
    assert [float(item["pred"].max()) for item in written] == [10.0, 20.0]


def test_what_writers_found_is_part_of_the_output_of_the_case():
    handlers = [
        WriteOutputs(lambda data: add_found(data, [f"{data['case']} 1.0 mL"])),
        WriteOutputs(lambda data: None),
        WriteOutputs(lambda data: add_found(data, ["2 objects"], objects=2)),
    ]
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(Dataset([{"case": "a", "image": torch.ones(1, 2, 2)}])),
        network=torch.nn.Identity(),
        val_handlers=handlers,
    )
    evaluator.run()
    assert evaluator.state.output[0][FOUND] == ["a 1.0 mL", "2 objects"]
    assert evaluator.state.output[0][FACTS] == {"objects": 2}
