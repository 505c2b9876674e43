"""Undo: put files back as they were where something fails or is interrupted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from medseg.base.files import whole


@contextmanager
def undo_on_error(files: Iterable[Path]) -> Iterator[None]:
    """Put small files back where the block fails or is interrupted.

    Those that were there have their content again, and those that were not are removed, with the
    folder of each where that is empty then.

    Args:
        files: that the block writes. They are held in memory meanwhile.
    """
    before = {file: file.read_bytes() if file.is_file() else None for file in files}
    try:
        yield
    except BaseException:
        for file, content in before.items():
            _put_back(file, content)
        raise


def _put_back(file: Path, content: bytes | None) -> None:
    if content is not None:
        with whole(file) as partial:
            partial.write_bytes(content)
    elif file.is_file():
        file.unlink()
        if not any(file.parent.iterdir()):
            file.parent.rmdir()
