"""Train the benchmark networks on one CT until they fit it, so that label maps can be compared.

python scripts/train_benchmark.py --case data/ircad_01 --dims 3 --out bench3d.pt
"""

import argparse
import logging
import sys
from pathlib import Path

import numpy as np
import torch
from _workloads import CLASSES, NORM
from benchmark import WINDOW_HU
from benchmark_memory import CHANNELS
from torch import Tensor

from medseg.base.memory import keep_freed_pages
from medseg.ingest import load
from medseg.losses import HybridLoss
from medseg.networks import NestedUNet, load_weights, to_device

SIZE = {2: (256, 256), 3: (64, 64, 32)}
BATCH = {2: 4, 3: 3}
STEPS = {2: 150, 3: 150}
ON_ORGAN = 0.6
"""Part of the patches whose middle is a voxel of the organ; the others lie anywhere."""

logger = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Train, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--case", type=Path, required=True, help="folder with image.nii.gz and label.nii.gz"
    )
    parser.add_argument("--dims", type=int, choices=(2, 3), required=True)
    parser.add_argument("--norm", default=NORM, help="norm of the network (%(default)s)")
    parser.add_argument("--steps", type=int, help=f"optimiser steps ({STEPS[2]})")
    parser.add_argument("--start", type=Path, help="weights to start from; random without it")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="the .pt file to write")
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    keep_freed_pages()
    torch.set_num_threads(args.threads)
    low, high = WINDOW_HU
    image = load(args.case / "image.nii.gz")[0]
    image = torch.from_numpy(((image - low) / (high - low)).clip(0, 1).astype(np.float32))
    label = torch.from_numpy((load(args.case / "label.nii.gz")[0] > 0).astype(np.int64))
    torch.manual_seed(0)
    network = to_device(NestedUNet(args.dims, 1, CLASSES, channels=CHANNELS, norm=args.norm), "cpu")
    if args.start is not None:
        load_weights(network, args.start)
    train(network, image, label, steps=args.steps or STEPS[args.dims])
    torch.save(network.state_dict(), args.out)
    return 0


def train(network: NestedUNet, image: Tensor, label: Tensor, *, steps: int) -> None:
    """So many steps of Adam with a one-cycle rate."""
    dims = len(network.total_stride)
    generator = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, total_steps=steps)
    loss_function = HybridLoss(activation="softmax")
    organ = label.nonzero()
    for step in range(steps):
        places = [patch(organ, label.shape, dims, generator) for _ in range(BATCH[dims])]
        images, labels = (torch.stack([v[p] for p in places])[:, None] for v in (image, label))
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(images)
        loss = loss_function(logits.float(), labels)
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 10 == 9:
            logger.info("step %d of %d: loss %.4f", step + 1, steps, loss.item())


def patch(
    organ: Tensor, shape: tuple[int, ...], dims: int, generator: torch.Generator
) -> tuple[slice | int, ...]:
    """Where a patch is cut: a window of the volume, of one slice in 2D."""
    on_organ = torch.rand(1, generator=generator).item() < ON_ORGAN
    pick = torch.randint(len(organ), (1,), generator=generator)
    anywhere = [int(torch.randint(n, (1,), generator=generator)) for n in shape]
    middle = organ[pick][0].tolist() if on_organ else anywhere
    where: list[slice | int] = []
    for at, n, size in zip(middle[:dims], shape[:dims], SIZE[dims], strict=True):
        shift = int(torch.randint(-size // 4, size // 4 + 1, (1,), generator=generator))
        first = min(max(at - size // 2 + shift, 0), n - size)
        where.append(slice(first, first + size))
    return (*where, *middle[dims:])


if __name__ == "__main__":
    sys.exit(main())
