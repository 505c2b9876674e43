"""Work folder: what the gateway keeps on disk, and how much of it."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from medseg.base.files import explain_errors
from medseg.gateway.failures import HopelessError, UnavailableError
from medseg.gateway.settings import Disk
from medseg.gateway.state import Job

_GB = 1e9
STATE, LOCK = "state.sqlite", "gateway.lock"
FETCHED, RESULTS, SENT = "fetched", "results", "sent"


class WorkFolder:
    """The folder of a gateway: images on their way in, results on their way out.

    Its folders are named after the numbers of series, never after what a header says.

    Args:
        root: made if absent.
        disk: how much it may take.
    """

    def __init__(self, root: Path, disk: Disk) -> None:
        self.root = root
        self.disk = disk
        with explain_errors(root):
            root.mkdir(parents=True, exist_ok=True)

    @property
    def state_file(self) -> Path:
        """The state of all series."""
        return self.root / STATE

    def sent(self, series_uid: str) -> Path:
        """Where images of a series lie that were sent."""
        return self.root / SENT / hashlib.sha256(series_uid.encode()).hexdigest()[:16]

    def list_sent(self) -> list[Path]:
        """The folders of series that were sent."""
        return sorted(_list_folders(self.root / SENT))

    def fetched(self, job: Job) -> Path:
        """Where images of a series are fetched to."""
        return self.root / FETCHED / str(job.number)

    def results(self, job: Job) -> Path:
        """Where the results of a series lie, complete, until they are stored."""
        return self.root / RESULTS / str(job.number)

    def forget(self, job: Job) -> None:
        """Remove what is there of a series."""
        for folder in (self.fetched(job), self.results(job)):
            shutil.rmtree(folder, ignore_errors=True)

    def take_sent(self, job: Job) -> int:
        """Give the images of a series that were sent a second name where fetched ones would lie.

        What comes meanwhile does not disturb their segmentation so.

        Returns:
            How many they are.
        """
        folder = self.fetched(job)
        shutil.rmtree(folder, ignore_errors=True)
        files = list_images(self.sent(job.series_uid))
        with explain_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for file in files:
                try:
                    os.link(file, folder / file.name)
                except OSError:  # a file system without links
                    shutil.copyfile(file, folder / file.name)
        return len(files)

    def forget_sent(self, job: Job) -> None:
        """Remove the images of a series that were sent, when its results are stored."""
        shutil.rmtree(self.sent(job.series_uid), ignore_errors=True)

    def remove_leftovers(self, unstored: Iterable[Job]) -> None:
        """Remove what killed processes left, but results that are still to be stored.

        Images that were sent stay, too.
        """
        kept = {str(job.number) for job in unstored}
        shutil.rmtree(self.root / FETCHED, ignore_errors=True)
        for folder in _list_folders(self.root / RESULTS):
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def measure(self) -> int:
        """Bytes of all that lies in the folder."""
        total = 0
        for folder, _, names in os.walk(self.root):
            for name in names:
                try:
                    total += os.lstat(os.path.join(folder, name)).st_size
                except OSError:  # removed meanwhile
                    continue
        return total

    def check_room(self) -> None:
        """Refuse to fetch anything where there is no room for it.

        Raises:
            UnavailableError: the folder holds what it may hold, or the disk is nearly full.
        """
        free = shutil.disk_usage(self.root).free
        if free < self.disk.min_free_gb * _GB:
            raise UnavailableError(
                f"the disk of {self.root} has {free / _GB:.1f} GB left, and disk.min_free_gb is "
                f"{self.disk.min_free_gb:g}: make room"
            )
        held = self.measure()
        if held >= self.disk.max_gb * _GB:
            raise UnavailableError(
                f"{self.root} holds {held / _GB:.1f} GB, and disk.max_gb is "
                f"{self.disk.max_gb:g}: see medseg gateway status, or raise it"
            )

    def write_images(self, job: Job, images: Iterable[tuple[str, bytes]]) -> set[str]:
        """Write images as they come into the folder of a series; an earlier try is removed.

        Args:
            job: the series.
            images: the SOP Instance UID and the file of each.

        Returns:
            Their SOP Instance UIDs.

        Raises:
            HopelessError: the series alone is larger than all that the gateway may keep.
            OSError: the disk is full or broken.
        """
        folder = self.fetched(job)
        shutil.rmtree(folder, ignore_errors=True)
        written = 0
        found: set[str] = set()
        for number, (uid, content) in enumerate(images, 1):
            written += len(content)
            if written > self.disk.max_gb * _GB:
                raise HopelessError(f"it is larger than disk.max_gb, {self.disk.max_gb:g} GB")
            path = folder / f"image_{number:05d}.dcm"
            with explain_errors(path):
                folder.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            found.add(uid)
        return found


def list_images(folder: Path) -> list[Path]:
    """The images that were sent to a folder, each of them complete."""
    return sorted(folder.glob("*.dcm")) if folder.is_dir() else []


def _list_folders(folder: Path) -> Collection[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
