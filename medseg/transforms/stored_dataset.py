"""Stored dataset: the result of a transform for each case, kept for later epochs and runs."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from monai.data import PersistentDataset
from monai.utils import convert_to_tensor

from medseg.base.files import whole
from medseg.base.scratch import remove_abandoned
from medseg.transforms.cache_key import CaseHash

logger = logging.getLogger(__name__)


class StoredDataset(PersistentDataset):
    """MONAI's `PersistentDataset`, whose files appear whole or not at all.

    MONAI writes them among the temporary files and moves them, which is a copy where these are on
    another disk: a process that is killed leaves half a file, which ends the next run. A file that
    is damaged all the same is made anew, which is logged.

    Args:
        data: cases.
        transform: deterministic up to the first random transform, up to which the result is kept.
        cache_dir: folder of the files, made if absent.

    Example:
        >>> StoredDataset(cases, load, "cache/liver_3d")  # doctest: +SKIP
    """

    def __init__(
        self, data: Sequence[Mapping[str, Any]], transform: Callable, cache_dir: str | os.PathLike
    ) -> None:
        super().__init__(data, transform, cache_dir, hash_func=CaseHash(transform))
        remove_abandoned(cache_dir)

    def _cachecheck(self, item_transformed: Any) -> Any:
        file = Path(self.cache_dir) / f"{self.hash_func(item_transformed).decode()}.pt"
        if file.is_file():
            try:
                return torch.load(file, weights_only=True)
            except (EOFError, OSError, RuntimeError, UnpicklingError) as error:
                reason = " ".join(str(error).split())[:200]
                logger.warning("%s is damaged (%s) and was made again", file, reason)
        made = self._pre_transform(deepcopy(item_transformed))
        with whole(file) as partial:
            tensors = convert_to_tensor(made, convert_numeric=False, track_meta=self.track_meta)
            torch.save(tensors, partial)
        return made
