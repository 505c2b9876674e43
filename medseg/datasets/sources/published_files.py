"""Published files: the files of a dataset as downloaded, in a folder or in a zip archive."""

import logging
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medseg.base.text import ODD_ENTRIES, LeftOut, count_noun, warn_once
from medseg.base.walk import describe_odd_entry, walk
from medseg.datasets.sources.picture_files import FORMATS, UNREAD_SUFFIXES, find_format, read_pages
from medseg.ingest.pictures.orientation import UPRIGHT, describe_orientation
from medseg.ingest.pictures.sample_kinds import describe_samples

logger = logging.getLogger(__name__)

MOST_BYTES = 2**29
"""The longest file taken from an archive; the largest published one has about 225 MB."""

FREE_BYTES, MOST_RATIO = 2**26, 200
"""A file longer than the first may be at most so many times as long as in its archive."""

DAMAGED = "{file} of {name} cannot be read ({reason}): download or unpack it again"
"""Message for a damaged file: its name, its folder or archive, and what is wrong."""

# What a damaged archive or picture makes zipfile and Pillow raise; anything else is a bug.
_READ_ERRORS = (
    EOFError,
    IndexError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    Image.DecompressionBombError,
)


@dataclass(frozen=True)
class PublishedFiles:
    """The files of a dataset, whatever holds them.

    Attributes:
        name: the folder or archive, for messages.
        files: POSIX paths below it, numbers in their own order ("2.png" before "10.png"); hidden
            files, and those of a folder `__MACOSX`, are left out.
        content: gives the bytes of a file; `read` does so with errors that name the file.
        damaged: the message for a damaged file, see `DAMAGED`.
        directory: gives size and CRC-32 of a file where an archive records them.
    """

    name: str
    files: tuple[str, ...]
    content: Callable[[str], bytes]
    damaged: str = DAMAGED
    directory: Callable[[str], tuple[int, int]] | None = None

    def read(self, file: str) -> bytes:
        """The bytes of a file; ValueError where it cannot be read."""
        try:
            return self.content(file)
        except _READ_ERRORS as error:
            raise self.make_error(file, error) from error

    def compute_checksum(self, file: str) -> tuple[int, int]:
        """Size in bytes and CRC-32 of a file's content; ValueError where it cannot be read.

        Those of an archive are as it records them, unread; a file has the same in a folder.
        """
        if self.directory is not None:
            return self.directory(file)
        content = self.read(file)
        return len(content), zlib.crc32(content)

    def read_pages(self, file: str) -> list[Image.Image]:
        """Decode every page of a picture file, as stored; ValueError where that fails.

        An EXIF orientation is not applied, whatever the format, and a warning says so.
        """
        content = self.read(file)
        try:
            pages = read_pages(content)
        except _READ_ERRORS as error:
            raise self.make_error(file, error) from error
        for _, orientation in pages:
            if orientation != UPRIGHT:
                warn_once(logger, describe_orientation(f"{file} of {self.name}", orientation))
        return [page for page, _ in pages]

    def read_picture(self, file: str) -> Image.Image:
        """Decode a picture of one page; ValueError where that fails or there are more pages."""
        first, *more = self.read_pages(file)
        if more:
            raise ValueError(
                f"{file} of {self.name} has {len(more) + 1} pages, a picture file has one"
            )
        return first

    @contextmanager
    def open_archive(self, file: str) -> Iterator["PublishedFiles"]:
        """Open an archive among the files; ValueError where that fails."""
        content = self.read(file)
        try:
            archive = zipfile.ZipFile(BytesIO(content))
        except _READ_ERRORS as error:
            raise self.make_error(file, error) from error
        with archive:
            yield replace(
                self,
                name=f"{self.name}/{file}",
                files=_sort_files(archive.namelist()),
                content=partial(_read_member, archive),
                directory=partial(_find_recorded_checksum, archive),
            )

    def find_stems(self, folder: str, *, first: str) -> dict[str, str]:
        """Map the stem of each picture in a folder, wherever that folder lies -> the file.

        Args:
            folder: the last parts of the folder, for instance "images" or "train/images".
            first: the format as published, of `FORMATS`; a picture of another format counts where
                no other of its stem is there.

        Raises:
            ValueError: two folders of that name hold files of the same stem and format.
        """
        parts = PurePosixPath(folder).parts
        found: dict[str, str] = {}
        formats = (first, *(name for name in FORMATS if name != first))
        there = [f for f in self.files if PurePosixPath(f).parent.parts[-len(parts) :] == parts]
        for name in formats:
            of_format: dict[str, str] = {}
            for file in (file for file in there if find_format(file) == name):
                stem = PurePosixPath(file).stem
                if stem not in found and (other := of_format.setdefault(stem, file)) != file:
                    raise ValueError(
                        f"{other} and {file} of {self.name} are both called {stem}: keep one "
                        "copy, or give the folder of one dataset"
                    )
            found = of_format | found
        return {stem: found[stem] for stem in sorted(found, key=_split_numbers)}

    def check_format(self, file: str, *wanted: str) -> None:
        """Refuse a picture of another format than those that can be taken for it.

        Raises:
            ValueError: naming the file and its format.
        """
        if (name := find_format(file)) not in wanted:
            raise ValueError(
                f"{file} of {self.name} has the name of {name or 'no picture'}, and "
                f"medseg reads {' or '.join(wanted)} there: download or unpack it again as "
                "published"
            )

    def make_error(self, file: str, error: BaseException) -> ValueError:
        """The error to raise for a file that is damaged."""
        reason = " ".join(str(error).split()) or type(error).__name__
        return ValueError(self.damaged.format(file=file, name=self.name, reason=reason))


@dataclass(frozen=True)
class File:
    """A file of a folder or archive."""

    published: PublishedFiles
    path: str

    def read(self) -> bytes:
        """Its bytes; ValueError where it cannot be read."""
        return self.published.read(self.path)

    def compute_checksum(self) -> tuple[int, int]:
        """Its size in bytes and the CRC-32 of its content; ValueError where it cannot be read."""
        return self.published.compute_checksum(self.path)

    def read_array(self, *, mode: str) -> NDArray[np.uint8]:
        """Its pixels; ValueError where it is unreadable or of another mode than published."""
        picture = self.published.read_picture(self.path)
        if picture.mode != mode:
            raise ValueError(
                f"{self.path} of {self.published.name} has {describe_samples(picture.mode)} "
                f"and not {describe_samples(mode)} as published: download or unpack it again"
            )
        return np.asarray(picture)


@contextmanager
def open_published(
    source: Path, *, remedy: str, most_bytes: int = MOST_BYTES, damaged: str = DAMAGED
) -> Iterator[PublishedFiles]:
    """The files of a folder, whatever lies in it, or of a zip archive.

    Args:
        source: the folder or archive.
        remedy: what to do where it is neither, for the messages.
        most_bytes: the longest file taken from an archive; a longer one counts as damaged.
        damaged: the message for a damaged file, see `DAMAGED`.

    Raises:
        FileNotFoundError: no such source.
        ValueError: a file that is not a zip archive, or is cut; a pipe or a device.

    Example:
        >>> with open_published(Path("kvasir-seg.zip"), remedy="give kvasir-seg.zip") as published:
        ...     image = published.read_picture(published.files[0])  # doctest: +SKIP
    """
    name = str(source.absolute())
    if os.path.isdir(source):
        below = [folder / name for folder, _, names in walk(source) for name in names]
        odd = _sort_files(f.relative_to(source).as_posix() for f in below if describe_odd_entry(f))
        found = (f.relative_to(source).as_posix() for f in below if os.path.isfile(f))
        files = _sort_files(found)
        _warn_of_unread_pictures(name, files, odd)
        yield PublishedFiles(name, files, lambda file: (source / file).read_bytes(), damaged)
        return
    if not os.path.exists(source):
        raise FileNotFoundError(f"no such file or folder: {name}: {remedy}")
    if what := describe_odd_entry(source):
        raise ValueError(f"{name} is {what}: {remedy}")
    if not zipfile.is_zipfile(source):
        size = count_noun(source.stat().st_size, "byte")
        raise ValueError(
            f"{name} is incomplete or no zip archive ({size}): download it again, or {remedy}"
        )
    with zipfile.ZipFile(source) as archive:
        content = partial(_read_member, archive, most_bytes=most_bytes)
        files = _sort_files(archive.namelist())
        _warn_of_unread_pictures(name, files)
        yield PublishedFiles(
            name, files, content, damaged, partial(_find_recorded_checksum, archive)
        )


def _warn_of_unread_pictures(name: str, files: Iterable[str], odd: Iterable[str] = ()) -> None:
    """Warn of files that no converter reads although they seem to belong to the set."""
    left = LeftOut()
    left.add(ODD_ENTRIES, odd)
    unread = (file for file in files if PurePosixPath(file).suffix.lower() in UNREAD_SUFFIXES)
    left.add("in an unsupported format", unread)
    if left:
        warn_once(logger, f"left out of {name}: {left}")


def _read_member(archive: zipfile.ZipFile, file: str, *, most_bytes: int = MOST_BYTES) -> bytes:
    """What a file of an archive holds, if that is not made to fill memory."""
    member = archive.getinfo(file)
    if member.file_size > most_bytes:
        raise ValueError(f"it inflates to {member.file_size} bytes, more than {most_bytes}")
    if member.file_size > max(FREE_BYTES, MOST_RATIO * member.compress_size):
        raise ValueError(f"{member.compress_size} bytes would inflate to {member.file_size}")
    return archive.read(file)


def _find_recorded_checksum(archive: zipfile.ZipFile, file: str) -> tuple[int, int]:
    member = archive.getinfo(file)
    return member.file_size, member.CRC


def _sort_files(files: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted((file for file in files if not _is_clutter(file)), key=_split_numbers))


def _is_clutter(file: str) -> bool:
    parts = PurePosixPath(file).parts
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _split_numbers(file: str) -> list[tuple[int, str]]:
    """A key that sorts the numbers in a path by value and the rest as text."""
    return [
        (int(piece), "") if piece.isdecimal() else (-1, piece)
        for piece in re.split(r"([0-9]+)", file)
    ]
