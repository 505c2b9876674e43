"""Undo: put files back as they were where something fails or is interrupted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from medseg.base.files import whole
from medseg.base.scratch import make_scratch_folder


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


@contextmanager
def undo_large_on_error(folder: Path, patterns: Sequence[str]) -> Iterator[None]:
    """Put large files back where the block fails or is interrupted, without reading them.

    Those that were there are linked meanwhile, so the block may replace a file as a whole, as
    `medseg.base.files.whole` does, but not write into it. New files are removed, and so are new
    folders that are empty then; any other file stays as it is.

    Args:
        folder: that the block writes to; it need not exist.
        patterns: of the files that it writes, below the folder, such as `images/*.nii.gz`.
    """
    before = _list_files(folder, patterns)
    places = {folder, *folder.parents, *((folder / pattern).parent for pattern in patterns)}
    new_places = [place for place in places if not place.exists()]
    with make_scratch_folder(folder) if before else nullcontext(folder) as scratch:
        links = {file: scratch / str(number) for number, file in enumerate(before)}
        for file, link in links.items():
            _link(file, link)
        try:
            yield
        except BaseException:
            for file in set(_list_files(folder, patterns)) - set(before):
                file.unlink()
            for file, link in links.items():
                file.parent.mkdir(parents=True, exist_ok=True)
                link.replace(file)
            for place in sorted(new_places, key=lambda one: -len(one.parts)):
                with suppress(OSError):  # it holds something else
                    place.rmdir()
            raise


def _list_files(folder: Path, patterns: Sequence[str]) -> list[Path]:
    return sorted({file for pattern in patterns for file in folder.glob(pattern)})


def _link(file: Path, link: Path) -> None:
    """A second name for a file; a copy where the file system has no links."""
    try:
        os.link(file, link)
    except OSError:
        shutil.copy2(file, link)
