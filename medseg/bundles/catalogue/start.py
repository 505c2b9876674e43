"""Start: give a training the weights of another bundle, run or file to begin with."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from medseg.bundles.bundle import WEIGHTS
from medseg.bundles.catalogue.locate import locate

if TYPE_CHECKING:  # they take long to import
    from medseg.networks import NestedUNet, Transfer

logger = logging.getLogger(__name__)


def start_from(
    network: NestedUNet, source: str | os.PathLike[str] | None, *, resume: bool = False
) -> Transfer | None:
    """Start a network from the weights of a bundle, a run or a file, and log what was kept.

    Args:
        network: changed in place.
        source: name or folder of a bundle, folder of a run, or a file of weights; None does
            nothing.
        resume: whether the run goes on, and has weights of its own.

    Raises:
        FileNotFoundError: there is no such bundle, or it has no weights.
        ValueError: nothing of the weights fits.

    Example:
        >>> start_from(network, "hippocampus")  # doctest: +SKIP
    """
    if source is None or resume:
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

    found = transfer_weights(network, file)
    logger.info("started from %s: %s", source, found.describe())
    return found
