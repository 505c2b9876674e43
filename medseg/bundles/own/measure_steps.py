"""Measure steps: how long a step of a bundle's training takes on this machine, and its memory."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medseg.base.errors import explain_memory_fault, find_root_cause

TIMED = 2
"""Steps that are timed, after one that is not."""


@dataclass(frozen=True)
class StepCost:
    """What a step of the optimiser costs.

    Attributes:
        seconds: of a step: forward, backward and update; without reading and augmentation.
        peak_bytes: by which the memory of the process grew.
    """

    seconds: float
    peak_bytes: int


def measure_steps(bundle: Path) -> StepCost:
    """Train the network of a bundle for a few steps on noise, in a process of its own.

    Network, loss, optimiser and precision are those of its train.json; nothing is read or written.

    Raises:
        MemoryError: memory ran out, or the process was ended, as the system does then.
        ValueError: the network cannot be trained so.

    Example:
        >>> measure_steps(Path("bundles/kidney")).seconds  # doctest: +SKIP
        0.6
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    worker = context.Process(target=_send_cost, args=(bundle, sender))
    worker.start()
    sender.close()
    try:
        answer = receiver.recv()
    except EOFError:  # it was ended
        answer = None
    finally:
        worker.join()
    if answer is None:
        raise MemoryError(
            f"the steps that were tried need more memory than there is (exit {worker.exitcode}): "
            "pass --memory with what a step may take, such as --memory 2GiB, or --preset small"
        )
    if isinstance(answer, str):
        raise ValueError(f"the steps that were tried failed: {answer}")
    return StepCost(*answer)


def _send_cost(bundle: Path, sender: Any) -> None:
    """Send what the steps cost, or why they failed; None where memory ran out."""
    try:
        sender.send(_run_steps(bundle))
    except Exception as error:
        if explain_memory_fault(error):
            sender.send(None)
            return
        cause = find_root_cause(error)
        sender.send(f"{type(cause).__name__}: {' '.join(str(cause).split())}")


def _run_steps(bundle: Path) -> tuple[float, int]:
    """Run the steps: the seconds of the fastest timed one and the growth of memory."""
    import torch
    from monai.bundle import ConfigParser

    from medseg.base.memory import keep_freed_pages
    from medseg.networks.analysis.cost import measure_growth
    from medseg.transforms import choose_activation

    keep_freed_pages()
    parser = ConfigParser(ConfigParser.load_config_file(str(bundle / "configs" / "train.json")))
    network, loss, optimizer, device, inferer = (
        parser.get_parsed_content(key)
        for key in ("network", "loss", "optimizer", "device", "train#inferer")
    )
    shape, classes = parser["image_size"], parser["classes"]
    batch = parser["batch_size"] * parser.get("patches_per_volume", 1)
    image = torch.randn(batch, network.in_channels, *shape, device=device)
    if choose_activation(classes) == "sigmoid":  # a channel for each class
        label = torch.randint(0, 2, (batch, len(classes), *shape), device=device)
    else:
        label = torch.randint(0, len(classes) + 1, (batch, 1, *shape), device=device)
    network.train()
    seconds: list[float] = []

    def work() -> None:
        """Run all steps, and keep the seconds of each."""
        for _ in range(TIMED + 1):
            start = time.perf_counter()
            optimizer.zero_grad()
            loss(inferer(image, network), label).backward()
            optimizer.step()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - start)

    peak = measure_growth(work)
    return min(seconds[1:]), peak
