"""Networks: the UNet++ family as tables, the network that walks them, weights, drawings."""

from medseg.networks.analysis.figure import draw
from medseg.networks.device import require_device, to_device
from medseg.networks.layers import Layers
from medseg.networks.nested import NestedUNet
from medseg.networks.topology import TOPOLOGIES, Input, Node, Topology
from medseg.networks.transfer import Transfer, transfer_weights
from medseg.networks.weights import load_weights

__all__ = [
    "TOPOLOGIES",
    "Input",
    "Layers",
    "NestedUNet",
    "Node",
    "Topology",
    "Transfer",
    "draw",
    "load_weights",
    "require_device",
    "to_device",
    "transfer_weights",
]
