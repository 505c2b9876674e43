"""Networks: the UNet++ family as tables, the network that walks them, weights, drawings."""

from medseg.networks.analysis.figure import draw
from medseg.networks.device import require_device, to_device
from medseg.networks.ensemble import Ensemble, fit_to_weights
from medseg.networks.layers import Layers
from medseg.networks.nested import NestedUNet
from medseg.networks.topology import TOPOLOGIES, Input, Node, Topology
from medseg.networks.weights.load import load_weights
from medseg.networks.weights.transfer import Transfer, transfer_weights

__all__ = [
    "TOPOLOGIES",
    "Ensemble",
    "Input",
    "Layers",
    "NestedUNet",
    "Node",
    "Topology",
    "Transfer",
    "draw",
    "fit_to_weights",
    "load_weights",
    "require_device",
    "to_device",
    "transfer_weights",
]
