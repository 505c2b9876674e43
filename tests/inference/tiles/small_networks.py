"""Small networks, and what an inferer answers with them."""

import torch

from medseg.inference import OverlapTileInferer
from medseg.networks import NestedUNet


def small(dims, **options):
    torch.manual_seed(0)
    options = {"channels": (2, 3, 4), "norm": None, "skip_channels": 2, **options}
    return NestedUNet(dims, 1, 3, **options).eval()


def apply(network, image, **options):
    return OverlapTileInferer(**options)(image, network)


def settled(network, dims):
    """Batch norm with statistics that are not those of a new layer."""
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(2, 1, *[16] * dims) * 2 + 1)
    return network.eval()
