"""What is offered to run a network faster finds the same labels on a real volume."""

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from medseg.inference import OverlapTileInferer, Predictor
from medseg.inference.backends import BACKENDS, installed, precisions
from medseg.ingest import load
from medseg.networks import load_weights

CPU = torch.device("cpu")
LEAST_DICE = 0.999
OFFERED = [
    (backend, str(precision).removeprefix("torch."))
    for backend in BACKENDS
    if installed(backend)
    for precision in precisions(backend, CPU)
]


@pytest.fixture(scope="module")
def liver(repository, data_root):
    """The network of liver_slices, every sixth slice of a CT, and what the network says of them."""
    bundle = repository / "bundles" / "liver_slices"
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    parser.update({"bundle_root": str(bundle)})
    network = parser.get_parsed_content("network_def")
    network = load_weights(network, bundle / "models" / "model.pt").eval()
    low, high = parser["window_hu"]
    volume = load(data_root / "liver_ct" / "ircad_01" / "image.nii.gz")[0][:, :, ::6]
    image = ((volume - low) / (high - low)).clip(0, 1).astype(np.float32)
    inferer = OverlapTileInferer(
        512, edge="network", slices=2, output="labels", classes=parser["classes"]
    )
    image = torch.from_numpy(image)[None, None]
    return network, image, inferer, inferer(image, network)


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.openvino
@pytest.mark.parametrize(("backend", "precision"), OFFERED)
def test_labels_agree_with_those_of_the_network_itself(liver, backend, precision):
    network, image, inferer, reference = liver
    found = inferer(image, Predictor(network, CPU, backend=backend, precision=precision))
    both = ((found == 1) & (reference == 1)).sum()
    assert reference.sum() > 100_000
    assert 2 * both / (found.sum() + reference.sum()) >= LEAST_DICE
