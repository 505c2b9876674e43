"""Two processes: one of the two ranks of `test_learned`; prints its gradients as JSON."""

import copy
import json
import sys

import torch
import torch.distributed as dist
from torch import nn

from medseg.losses import LearnedWeightsLoss

LOSSES = ((0.0, 1.0), (2.0, 5.0))
"""Of two heads, for each rank."""


class Mean(nn.Module):
    """A loss whose value is the mean of the logits, -1 at the least."""

    minimum = -1.0

    def forward(self, logits, target):
        return logits.mean()


def main(store: str, rank: int) -> None:
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    loss = LearnedWeightsLoss(Mean(), 2)
    other = copy.deepcopy(loss)
    heads = [torch.tensor([value], requires_grad=True) for value in LOSSES[rank]]
    loss(heads, torch.zeros(1)).backward()
    result = {
        "log_scales": loss.log_scales.grad.tolist(),
        "heads": [head.grad.item() for head in heads],
    }
    other(heads, torch.zeros(1)).backward()
    result["log_scales_of_a_copy"] = other.log_scales.grad.tolist()
    print(json.dumps(result))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
