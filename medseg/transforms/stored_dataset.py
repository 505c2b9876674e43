"""Stored dataset: the result of a transform for each case, kept for later epochs and runs."""

import errno
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from monai.data import PersistentDataset
from monai.utils import convert_to_tensor

from medseg.base.files import whole
from medseg.base.scratch import remove_abandoned
from medseg.base.text import count_noun
from medseg.transforms.cache_key import CaseHash

logger = logging.getLogger(__name__)

FEWEST_WRITTEN = 3
"""So many cases tell how much room all take."""

_WITHOUT = ", or pass --cache none, which reads each case anew in each epoch"


class StoredDataset(PersistentDataset):
    """MONAI's `PersistentDataset`, whose files appear whole or not at all.

    MONAI writes them among the temporary files and moves them, which is a copy where these are on
    another disk: a process that is killed leaves half a file, which ends the next run. A file that
    is damaged all the same is made anew, which is logged.

    Args:
        data: cases.
        transform: deterministic up to the first random transform, up to which the result is kept.
        cache_dir: folder of the files, made if absent.

    Raises:
        OSError: in reading a case, the disk has no room for it, or the first cases show that it has
            none for all.

    Example:
        >>> StoredDataset(cases, load, "cache/liver_3d")  # doctest: +SKIP
    """

    def __init__(
        self, data: Sequence[Mapping[str, Any]], transform: Callable, cache_dir: str | os.PathLike
    ) -> None:
        super().__init__(data, transform, cache_dir, hash_func=CaseHash(transform))
        remove_abandoned(cache_dir)
        self._sizes: list[int] = []  # in bytes, of the first files that are written here

    def _cachecheck(self, item_transformed: Any) -> Any:
        file = self._name_file(item_transformed)
        if file.is_file():
            try:
                return torch.load(file, weights_only=True)
            except (EOFError, OSError, RuntimeError, UnpicklingError) as error:
                reason = " ".join(str(error).split())[:200]
                logger.warning("%s is damaged (%s) and was made again", file, reason)
        made = self._pre_transform(deepcopy(item_transformed))
        with name_keys_of_cache(_WITHOUT), whole(file) as partial:
            tensors = convert_to_tensor(made, convert_numeric=False, track_meta=self.track_meta)
            torch.save(tensors, partial)
        self._check_room(file.stat().st_size)
        return made

    def _name_file(self, case: Any) -> Path:
        return Path(self.cache_dir) / f"{self.hash_func(case).decode()}.pt"

    def _check_room(self, size: int) -> None:
        """Refuse where the cases that are not stored yet have no room, if as small as the first."""
        if len(self._sizes) >= FEWEST_WRITTEN:
            return
        self._sizes.append(size)
        if len(self._sizes) < FEWEST_WRITTEN:
            return
        missing = sum(not self._name_file(case).is_file() for case in self.data)
        needed, free = missing * min(self._sizes), shutil.disk_usage(self.cache_dir).free
        if needed > free:
            raise _make_full(
                f"the cache of {count_noun(missing, 'further case')} takes at least "
                f"{needed / 2**30:.3g} GiB, and the disk of {self.cache_dir} has "
                f"{free / 2**30:.3g}: choose a folder with room by --cache_dir{_WITHOUT}"
            )


@contextmanager
def name_keys_of_cache(more: str = "") -> Iterator[None]:
    """Add to the error of a full disk by which key of a training the folder is chosen.

    Args:
        more: what else may be done.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _make_full(f"{error} by --cache_dir{more}") from error


def _make_full(line: str) -> OSError:
    """The error of a full disk in words of ours, which is no fault of a case."""
    error = OSError(line)
    error.errno = errno.ENOSPC
    return error
