"""Transfer: one file from one address, taken up again where it was cut.

What has come so far lies in `<name>.<8 digits of the address>.part`, and beside it what identifies
the version on the server (a strong ETag, else the date of the last change). The rest is asked for
with `Range` and `If-Range`, so a file that changed in between, or a server that knows no ranges,
starts again from the first byte (RFC 9110, sections 13.1.5 and 14).
"""

import hashlib
import http.client
import logging
import os
import re
import shutil
import ssl
import time
from email.message import Message
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tqdm import tqdm

from medseg import __version__
from medseg.base.files import whole

logger = logging.getLogger(__name__)

SPARE_BYTES = 64 * 2**20
"""What must stay free on the disk beside the file."""

_CHUNK = 2**20
_LONGEST_WAIT_S = 30.0
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)  # statuses that may pass by themselves
_Failure = (URLError, http.client.HTTPException, ssl.SSLError, ConnectionError, TimeoutError)


class CutError(ConnectionError):
    """The connection ended before the whole file had come."""


def transfer(
    url: str,
    target: Path,
    *,
    size: int | None = None,
    tries: int = 5,
    timeout_s: float = 30.0,
    wait_s: float = 1.0,
) -> Path:
    """Fetch `url` and give the path of the whole, still unchecked part file for `target`.

    Args:
        url: an http or https address; redirections are followed.
        target: the file to be; its folder is made.
        size: length in bytes if known; a server that states another is refused at once.
        tries: attempts in a row that may end without anything new.
        timeout_s: longest silence of the server.
        wait_s: pause after a failed attempt, doubled each time up to half a minute.

    Raises:
        ConnectionError: the server refuses, is not there, or cuts the file `tries` times in a row.
        ValueError: the address is no http address, there is a web page instead of the file, or it
            has another length than `size`.
        OSError: the disk has not enough room.

    Example:
        >>> transfer("https://example.org/a.zip", Path("a.zip"))  # doctest: +SKIP
        PosixPath('a.zip.1f2e3d4c.part')
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"address {url} is neither http nor https: correct the table of datasets")
    target.parent.mkdir(parents=True, exist_ok=True)
    part, furthest, failed = get_part_path(url, target), -1, 0
    while True:
        try:
            _fetch_rest(url, part, name=target.name, size=size, timeout_s=timeout_s)
            return part
        except _Failure as error:
            reason, is_temporary = _describe_error(error)
        reached = _get_length(part)
        failed, furthest = (0, reached) if reached > furthest else (failed + 1, furthest)
        if not is_temporary or failed + 1 >= tries:
            raise ConnectionError(f"{url}: {reason} ({reached} bytes came)")
        logger.warning("%s: %s after %d bytes; trying again", url, reason, reached)
        time.sleep(min(wait_s * 2**failed, _LONGEST_WAIT_S))


def get_part_path(url: str, target: Path) -> Path:
    """The part file of one address, so that a mirror does not spoil what came from another."""
    address = hashlib.sha256(url.encode()).hexdigest()[:8]
    return target.with_name(f"{target.name}.{address}.part")


def discard(part: Path) -> None:
    """Remove a part file and what is known of it."""
    for path in (part, _get_version_path(part)):
        path.unlink(missing_ok=True)


def check_space(folder: Path, needed: int) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises:
        OSError: less than `needed` bytes and some to spare are free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise OSError(
            f"{folder.absolute()} has {free / 1e9:.2f} GB free and {needed / 1e9:.2f} GB are "
            "needed: make room or choose another folder"
        )


def _fetch_rest(url: str, part: Path, *, name: str, size: int | None, timeout_s: float) -> None:
    """Ask for what is missing and append it; for all of it where that is not possible."""
    version = _read_version(part)
    if version is None:
        discard(part)
    have = _get_length(part)
    if size is not None and have == size:
        return
    headers = {"User-Agent": f"medseg/{__version__}", "Accept-Encoding": "identity"}
    if have and version is not None:
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    try:
        answer = urlopen(Request(url, headers=headers), timeout=timeout_s)
    except HTTPError as error:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _check_complete(error.headers, part, have=have)
        raise
    with answer:
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            raise ValueError(f"{url} gives a web page instead of the file: see it in a browser")
        begin, total = _read_extent(answer, part, have=have, version=version)
        if total is not None and size is not None and total != size:
            discard(part)
            raise ValueError(
                f"{url} has {total} bytes, but the published file has {size}: try later"
            )
        if begin == 0:
            discard(part)
            _write_version(answer.headers, part)
        check_space(part.parent, (total or size or begin) - begin)
        _append(answer, part, begin=begin, total=total, name=name)


def _check_complete(headers: Message, part: Path, *, have: int) -> None:
    """Nothing lies beyond what has come: it is the whole file, or not of this file."""
    if headers.get("Content-Range") != f"bytes */{have}":
        discard(part)
        raise CutError(f"the server has no range from {have}")


def _read_extent(
    answer: http.client.HTTPResponse, part: Path, *, have: int, version: str | None
) -> tuple[int, int | None]:
    """Where the body begins in the file, and the length of the whole file if it is stated."""
    if answer.status != HTTPStatus.PARTIAL_CONTENT:
        length = answer.headers.get("Content-Length", "")
        return 0, int(length) if length.isdigit() else None
    stated = answer.headers.get("Content-Range", "none")
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", stated)
    now = _find_version(answer.headers)
    if match is None or int(match[1]) != have or (now and now != version):
        discard(part)
        raise CutError(f"the server sent the range {stated} of version {now or 'unknown'}")
    return have, int(match[2])


def _append(
    answer: http.client.HTTPResponse, part: Path, *, begin: int, total: int | None, name: str
) -> None:
    have = begin
    bar = tqdm(total=total, initial=begin, desc=name, unit="B", unit_scale=True, disable=None)
    with bar, part.open("ab") as file:
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            have += len(chunk)
            bar.update(len(chunk))
        file.flush()
        os.fsync(file.fileno())
    if total is not None and have != total:
        if have > total:
            discard(part)
        raise CutError(f"{have} of {total} bytes came")


def _find_version(headers: Message) -> str:
    """What identifies this version of the file, or nothing; a weak ETag does not."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")


def _write_version(headers: Message, part: Path) -> None:
    """Keep the version; without it the file cannot be taken up again."""
    if version := _find_version(headers):
        with whole(_get_version_path(part)) as partial:
            partial.write_text(version, encoding="utf-8")


def _read_version(part: Path) -> str | None:
    path = _get_version_path(part)
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _describe_error(error: Exception) -> tuple[str, bool]:
    """What went wrong, and whether it may pass by itself."""
    if isinstance(error, HTTPError):
        error.close()
        return f"the server answers {error.code} {error.reason}", error.code in _TEMPORARY
    cause = error.reason if isinstance(error, URLError) else error
    reason = " ".join(str(cause).split()) or type(cause).__name__
    return reason, not isinstance(cause, ssl.SSLCertVerificationError)


def _get_length(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _get_version_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.version")
