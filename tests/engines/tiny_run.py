"""Tiny run: a real trainer and evaluator, small, and random in every way that a run can be."""

from pathlib import Path

import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import MeanDice, ValidationHandler, from_engine
from monai.transforms import AsDiscreted, Compose, RandFlipd, RandGaussianNoised

from medseg.engines import BestWeights, Resume

CASES = 6
BATCH = 2


def cases(count=CASES):
    """Images whose upper half is bright and labelled, with noise."""
    noise = torch.Generator().manual_seed(7)
    label = torch.zeros(1, 8, 8)
    label[:, :4] = 1
    return [
        {"image": label + torch.randn(1, 8, 8, generator=noise), "label": label, "case": f"c{n}"}
        for n in range(count)
    ]


def tiny_network():
    """Convolutions with everything that a seed or a mode can change: dropout and batch norm."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.Conv2d(4, 1, 1),
    )


def tiny_evaluator(network):
    """MeanDice of the network on two cases."""
    return SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(Dataset(cases(2)), batch_size=1),
        network=network,
        postprocessing=AsDiscreted("pred", threshold=0.0),
        key_val_metric={"val_dice": MeanDice(output_transform=from_engine(["pred", "label"]))},
    )


class TinyRun:
    """A trainer with `BestWeights` and `Resume`, its files below `folder`."""

    def __init__(
        self,
        folder: Path,
        *,
        max_epochs=6,
        resume=False,
        num_workers=0,
        seed=0,
        count=CASES,
        network=None,
        record=None,
        **loader,
    ):
        self.network = network or tiny_network()
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=0.01)
        self.evaluator = tiny_evaluator(self.network)
        self.weights = folder / "models" / "model.pt"
        self.best = BestWeights(self.network, self.weights, evaluator=self.evaluator)
        objects = {"network": self.network, "optimizer": self.optimizer, "best": self.best}
        self.resume = Resume(folder / "resume.pt", objects, resume=resume, seed=seed, record=record)
        augment = Compose(
            [
                RandFlipd(["image", "label"], prob=0.5, spatial_axis=1),
                RandGaussianNoised("image", prob=1.0),
            ]
        )
        self.loader = DataLoader(
            Dataset(cases(count), augment),
            batch_size=BATCH,
            shuffle=True,
            num_workers=num_workers,
            **loader,
        )
        self.trainer = SupervisedTrainer(
            device="cpu",
            max_epochs=max_epochs,
            train_data_loader=self.loader,
            network=self.network,
            optimizer=self.optimizer,
            loss_function=torch.nn.BCEWithLogitsLoss(),
            train_handlers=[ValidationHandler(1, self.evaluator), self.best, self.resume],
        )

    def run(self):
        self.trainer.run()
        return self
