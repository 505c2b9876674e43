"""Files: outputs appear whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends without an error.

    The temporary name keeps every suffix of `path` (`.nii.gz` stays so), since writers choose the
    format by it. On an error it is removed and whatever `path` held before is still there. Missing
    parent folders are made.

    Example:
        >>> with whole("out/mask.nii.gz") as partial:
        ...     nibabel.save(image, partial)
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{secrets.token_hex(4)}.{target.name}")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
