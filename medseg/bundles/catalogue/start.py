"""Start: give a training the weights of another bundle, run or file to begin with."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medseg.bundles.bundle import WEIGHTS
from medseg.bundles.catalogue.locate import locate

if TYPE_CHECKING:  # they take long to import
    from medseg.networks import NestedUNet, Transfer

logger = logging.getLogger(__name__)


def start_from(
    network: NestedUNet,
    source: str | os.PathLike[str] | None,
    *,
    freeze: Sequence[str] = (),
    resume: bool = False,
) -> Transfer | None:
    """Start a network from the weights of a bundle, a run or a file, and log what was kept.

    Args:
        network: changed in place.
        source: name or folder of a bundle, folder of a run, or a file of weights; None does
            nothing.
        freeze: parts of the network that are not to learn at first.
        resume: whether the run goes on, and has weights of its own.

    Raises:
        FileNotFoundError: there is no such bundle, or it has no weights.
        ValueError: nothing of the weights fits, or a part that is frozen would be random.

    Example:
        >>> start_from(network, "hippocampus")  # doctest: +SKIP
    """
    if resume:
        return None
    if source is None:
        if freeze and network.encoder is None:
            raise ValueError(
                f"freeze names {freeze[0]}, which is random at the start: pass --start_from, or "
                "leave freeze out"
            )
        return None
    file = Path(source)
    if not file.is_file():
        file = locate(file) / WEIGHTS
        if not file.is_file():
            raise FileNotFoundError(
                f"start_from names {source}, which has no weights: name a bundle or run that has "
                "some, see `medseg bundles list`, or their file"
            )
    from medseg.networks import transfer_weights
    from medseg.networks.weights.parts import find_part

    found = transfer_weights(network, file)
    logger.info("started from %s: %s", source, found.describe())
    if new := [key for key in found.new if find_part(key) in freeze]:
        raise ValueError(
            f"freeze names {find_part(new[0])}, of which {source} has no {new[0]} that fits: leave "
            "that part out"
        )
    return found
