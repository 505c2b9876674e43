"""What is offered to run a network faster finds the same labels on real volumes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.inferers import Inferer
from torch import Tensor, nn

from medseg.inference import OverlapTileInferer, Predictor
from medseg.inference.predictor.backends import BACKENDS, is_installed, list_precisions
from medseg.ingest import load
from medseg.networks import load_weights

CPU = torch.device("cpu")
LEAST_DICE = 0.999
LEAST_VOXELS = 5_000
CASES = 12
OFFERED = [
    (backend, str(precision).removeprefix("torch."))
    for backend in BACKENDS
    if is_installed(backend)
    for precision in list_precisions(backend, CPU)
]


@dataclass
class Task:
    """A trained network, images that it takes, and how it goes over them."""

    network: nn.Module
    images: Sequence[Tensor]
    inferer: Inferer
    classes: int

    def labels(self, network) -> Tensor:
        """The labels of all voxels of all images."""
        return torch.cat([self.inferer(image, network).flatten() for image in self.images])


def bundle_of(repository, name, **keys):
    bundle = repository / "bundles" / name
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    parser.update({"bundle_root": str(bundle), **keys})
    network = parser.get_parsed_content("network_def")
    return load_weights(network, bundle / "models" / "model.pt").eval(), parser


def liver(repository, data_root, tmp_path):
    """2D, batch norm: every sixth slice of a whole CT."""
    network, parser = bundle_of(repository, "liver_slices")
    low, high = parser["window_hu"]
    volume = load(data_root / "liver_ct" / "ircad_01" / "image.nii.gz")[0][:, :, ::6]
    image = torch.from_numpy(((volume - low) / (high - low)).clip(0, 1).astype(np.float32))
    inferer = OverlapTileInferer(
        512, edge="network", slices=2, output="labels", classes=parser["classes"]
    )
    return Task(network, [image[None, None]], inferer, 1)


def hippocampus(repository, data_root, tmp_path):
    """3D, instance norm: MR volumes by the bundle's own preprocessing and windows."""
    source = data_root / "hippocampus" / "imagesTr"
    keys = {"input": str(source), "output_dir": str(tmp_path), "output": "labels"}
    network, parser = bundle_of(repository, "hippocampus", **keys)
    prepare = parser.get_parsed_content("preprocessing")
    cases = parser.get_parsed_content("cases")[:CASES]
    images = [prepare(case)["image"].as_tensor()[None] for case in cases]
    return Task(network, images, parser.get_parsed_content("window_inferer"), 2)


@pytest.fixture(scope="module", params=[liver, hippocampus])
def task(request, repository, data_root, tmp_path_factory):
    """A task, and what its network says itself."""
    made = request.param(repository, data_root, tmp_path_factory.mktemp("out"))
    return made, made.labels(made.network)


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.openvino
@pytest.mark.parametrize(("backend", "precision"), OFFERED)
def test_labels_agree_with_those_of_the_network_itself(task, backend, precision):
    made, reference = task
    run = Predictor(made.network, CPU, backend=backend, precision=precision)
    found = made.labels(run)
    for label in range(1, made.classes + 1):
        both = ((found == label) & (reference == label)).sum()
        each = (found == label).sum() + (reference == label).sum()
        assert (reference == label).sum() > LEAST_VOXELS
        assert 2 * both / each >= LEAST_DICE
