"""Download: fetches the files of a dataset whose licence allows it without a login.

Every file is checked before it takes its name: against the published SHA-256 or MD5 of
`medseg.datasets.download.catalogue`, or, where nobody published one, against the length that the
server states only. The SHA-256 of what came is recorded in `<name>.sha256`, in the form that
`sha256sum --check` reads, and a later run compares with it. That finds a file that changed on this
disk, but not a file that was wrong at the source. Unpacking is left to `medseg prepare` and to tar.
"""

import hashlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from medseg.base.files import check_folder, set_aside, whole
from medseg.base.lock import hold
from medseg.datasets.download.catalogue import Dataset, File, find
from medseg.datasets.download.transfer import check_space, discard, get_part_path, transfer

logger = logging.getLogger(__name__)

_CHUNK = 2**22


def download(
    dataset: str | Dataset,
    out: str | os.PathLike[str],
    *,
    accept_licence: bool = False,
    tries: int = 5,
    timeout_s: float = 30.0,
    wait_s: float = 1.0,
) -> list[Path]:
    """Fetch a dataset's files into a folder; a second run checks them and fetches what is missing.

    A file that is there and right is left alone, wherever it came from; one that fails its check is
    given a dated name and fetched anew. An interrupted file is taken up where it stopped. Mirrors
    are tried in the order of the table, also after a wrong checksum.

    Args:
        dataset: a name of `medseg.datasets.download.catalogue.CATALOGUE`, or an entry like those.
        out: folder of the files, made if absent.
        accept_licence: that the user has read and accepts the terms, see `Dataset.format_notice`.
        tries: attempts in a row at one mirror that may bring nothing new.
        timeout_s: longest silence of a server.
        wait_s: pause after a failed attempt, doubled each time.

    Returns:
        The files, in the order of the table.

    Raises:
        PermissionError: the dataset has to be fetched by hand, or the licence is not accepted.
        ConnectionError: no mirror gives a file.
        ValueError: unknown dataset, or what every mirror gives fails the check.
        OSError: the folder cannot be written, the disk is too small, or another process downloads
            to the folder.

    Example:
        >>> download("hippocampus", "downloads", accept_licence=True)  # doctest: +SKIP
        [PosixPath('downloads/Task04_Hippocampus.tar')]
    """
    entry = find(dataset) if isinstance(dataset, str) else dataset
    _check_allowed(entry, accept_licence=accept_licence)
    folder = Path(out)
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not hold(folder / ".download.lock"):
        raise OSError(f"another process downloads to {folder.absolute()}: wait until it ends")
    missing = [file for file in entry.files if not _is_there(file, folder)]
    check_space(folder, _count_missing_bytes(missing, folder))
    for file in missing:
        _fetch(file, folder, tries=tries, timeout_s=timeout_s, wait_s=wait_s)
    return [folder / file.name for file in entry.files]


def _check_allowed(entry: Dataset, *, accept_licence: bool) -> None:
    if entry.is_by_hand:
        steps = "; ".join(f"({n}) {step}" for n, step in enumerate(entry.steps, start=1))
        raise PermissionError(f"{entry.name} has to be fetched by hand: {steps}")
    if not accept_licence:
        raise PermissionError(
            f"the licence of {entry.name} ({entry.licence}, {entry.page}) is not accepted: "
            "read it and pass --accept-licence"
        )


def _is_there(file: File, folder: Path) -> bool:
    """Whether the file is there and right; a wrong one is set aside."""
    path = folder / file.name
    if not path.is_file():
        return False
    found = _compute_digests(path, file)
    recorded = _read_record(path)
    fault = _describe_fault(file, path, found)
    if fault is None and not file.sha256 and recorded not in (None, found["sha256"]):
        fault = f"SHA-256 {found['sha256']}, recorded was {recorded}"
    if fault is not None:
        place = set_aside(path)
        logger.warning("%s differs from its checksum or size (%s): kept as %s", path, fault, place)
        return False
    _write_record(path, found["sha256"])
    return True


def _count_missing_bytes(files: Iterable[File], folder: Path) -> int:
    """Bytes still to be fetched, as far as they are known."""
    parts = ((file, get_part_path(file.urls[0], folder / file.name)) for file in files if file.size)
    return sum((file.size or 0) - (p.stat().st_size if p.is_file() else 0) for file, p in parts)


def _fetch(file: File, folder: Path, *, tries: int, timeout_s: float, wait_s: float) -> None:
    target = folder / file.name
    failures: list[Exception] = []
    for url in file.urls:
        try:
            part = transfer(
                url, target, size=file.size, tries=tries, timeout_s=timeout_s, wait_s=wait_s
            )
            _accept(file, part, target, url=url)
        except (ConnectionError, ValueError) as error:
            logger.warning("%s", error)
            failures.append(error)
            continue
        for mirror in file.urls:
            discard(get_part_path(mirror, target))
        return
    reasons = "; ".join(str(error) for error in failures)
    wrong = all(isinstance(error, ValueError) for error in failures)
    raise (ValueError if wrong else ConnectionError)(
        f"{file.name} cannot be fetched ({reasons}): try again later, or put the file into "
        f"{folder.absolute()} by other means and run this again, which checks it"
    )


def _accept(file: File, part: Path, target: Path, *, url: str) -> None:
    """Check what came, record its digest, and give it its name.

    Raises:
        ValueError: it is not the published file; it is removed.
    """
    found = _compute_digests(part, file)
    if fault := _describe_fault(file, part, found):
        discard(part)
        raise ValueError(f"{url} gives {fault}: removed")
    _write_record(target, found["sha256"])
    part.replace(target)


def _describe_fault(file: File, path: Path, found: dict[str, str]) -> str | None:
    """How a file differs from the published one, or None."""
    if file.size is not None and (size := path.stat().st_size) != file.size:
        return f"{size} bytes, but the published file has {file.size}"
    for kind, published in (("sha256", file.sha256), ("md5", file.md5)):
        if published is not None and kind in found and found[kind] != published:
            return f"{kind} {found[kind]}, but the published file has {published}"
    return None


def _compute_digests(path: Path, file: File) -> dict[str, str]:
    """SHA-256 of a file, and its MD5 where only that is published."""
    made = {"sha256": hashlib.sha256()}
    if file.md5 and not file.sha256:
        made["md5"] = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            for digest in made.values():
                digest.update(chunk)
    return {kind: digest.hexdigest() for kind, digest in made.items()}


def _get_record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _read_record(path: Path) -> str | None:
    record = _get_record_path(path)
    return record.read_text(encoding="utf-8").split(" ")[0] if record.is_file() else None


def _write_record(path: Path, sha256: str) -> None:
    if _read_record(path) != sha256:
        with whole(_get_record_path(path)) as partial:
            partial.write_text(f"{sha256}  {path.name}\n", encoding="utf-8")
