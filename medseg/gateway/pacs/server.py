"""Server: search, fetch and store by DICOMweb, where every fault has a line and a remedy."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from medseg import __version__
from medseg.base.console_streams import log_from
from medseg.gateway.failures import AttemptError, HopelessError, UnavailableError
from medseg.gateway.pacs.listed_series import KEYWORDS, ListedSeries, read_instance_uid, read_listed
from medseg.gateway.secrets import Secret
from medseg.gateway.settings import Server

_CONNECT_S = 10.0
_PAGE = 1000  # instances that are asked for at once
_AS_STORED = (("application/dicom", "*"),)
"""In whatever transfer syntax the server has them, so that nothing is decoded on the way."""

_SEARCH = "a search"
_NO_SERVICE = (404, 405, 501)
_BUSY = (408, 425, 429, 502, 503, 504)
_REFUSED = (401, 403, 407)
_ALREADY_THERE = (0x0111,)  # duplicate SOP instance (PS3.7 section C.5.8)
_OUT_OF_RESOURCES = range(0xA700, 0xA800)
_NEVER = (0x0122, *range(0xA900, 0xAA00), *range(0xC000, 0xD000))
"""Failure reasons of PS3.18 table I.2-2: class not supported, does not match, not understood."""

_UNREADABLE = (
    *(requests.RequestException, InvalidDicomError, ValueError, KeyError, TypeError, EOFError),
    *(AttributeError, IndexError, NotImplementedError),
)
"""What the packages raise of an answer that is not what it should be."""

_LOUD = ("dicomweb_client", "urllib3", "requests")


class DicomwebServer:
    """A PACS that knows DICOMweb.

    Nothing is tried again here, and no redirect is followed: credentials go to the address that the
    settings name. Proxies and passwords of the environment (such as .netrc) do not count.

    Args:
        settings: of the server.
        secret: its password or token, if it needs one.

    Raises:
        UnavailableError: in every method, the server cannot be reached, refuses the credentials or
            has no time.
        AttemptError: it fails at this request.
        OSError: a file of certificates is missing.
    """

    def __init__(self, settings: Server, secret: Secret | None) -> None:
        for file in (settings.ca_file, settings.client_certificate, settings.client_key):
            if file is not None and not file.is_file():
                raise FileNotFoundError(f"no such file of certificates: {file}: correct the path")
        self.settings = settings
        session = requests.Session()
        session.trust_env = False
        session.max_redirects = 0
        session.headers["User-Agent"] = f"medseg/{__version__}"
        if settings.ca_file is not None:
            session.verify = str(settings.ca_file)
        if settings.client_certificate is not None:
            pair = (settings.client_certificate, settings.client_key)
            session.cert = tuple(map(str, pair)) if settings.client_key else str(pair[0])
        if secret is not None and settings.user is not None:
            session.auth = (settings.user.encode(), secret.reveal().encode())
        elif secret is not None:
            session.headers["Authorization"] = f"Bearer {secret.reveal()}"
        self._client = DICOMwebClient(
            settings.url.rstrip("/"),
            session=session,
            permissive_uid=True,
            timeout=(min(_CONNECT_S, settings.timeout_seconds), settings.timeout_seconds),
        )
        self._client.set_http_retry_params(retry=False)

    def ask(self) -> None:
        """See whether it answers, with the least question there is."""
        with self._explaining(_SEARCH):
            self._client.search_for_series(limit=1)

    def list_series(
        self, modalities: Sequence[str] | None, *, since: str | None, page: int
    ) -> Iterator[ListedSeries]:
        """What the server has, each series once; one that it lists twice is marked.

        Args:
            modalities: are asked for one by one; None asks for all.
            since: the earliest date of a study, YYYYMMDD.
            page: so many are asked for at once.
        """
        all_found: dict[str, ListedSeries] = {}
        for modality in modalities or (None,):
            filters = {"Modality": modality, "StudyDate": since and f"{since}-"}
            stated = {key: value for key, value in filters.items() if value}
            offset = 0
            while True:
                entries = self._search_page(stated, offset=offset, page=page)
                found = [each for each in map(read_listed, entries) if each is not None]
                new = [each for each in found if each.series_uid not in all_found]
                for each in new:
                    other = all_found.setdefault(each.series_uid, each)
                    if other is not each:
                        both = (other.instances or 0) + (each.instances or 0)
                        merged = replace(other, is_doubled=True, instances=both or None)
                        all_found[each.series_uid] = merged
                offset += len(entries)
                if len(entries) < page or not new:  # a server that knows no offset repeats itself
                    break
        yield from all_found.values()

    def list_instances(self, study_uid: str, series_uid: str) -> set[str]:
        """The SOP Instance UIDs of a series; none where the server has no such series."""
        found: set[str] = set()
        while True:
            entries = self._list_page(study_uid, series_uid, offset=len(found))
            texts = {text for text in map(read_instance_uid, entries) if text}
            if not texts - found:
                return found
            found |= texts

    def fetch(self, study_uid: str, series_uid: str) -> Iterator[tuple[str, bytes]]:
        """The images of a series, byte for byte as the server has them, one in memory at a time.

        Returns:
            For each its SOP Instance UID and its file.
        """
        with self._explaining("sending images"):
            images = self._client.iter_series(study_uid, series_uid, media_types=_AS_STORED)
        while True:
            with self._explaining("sending images"):
                image = next(images, None)
                if image is None:
                    return
                found = str(image.SOPInstanceUID), _get_file(image)
            yield found

    def store(self, paths: Sequence[Path]) -> None:
        """Store objects, all of one study.

        Raises:
            HopelessError: the server says that it will never take one of them.
        """
        with self._explaining("storing"):
            objects = [dcmread(path) for path in paths]
            try:
                answer = self._client.store_instances(objects)
            except requests.HTTPError as error:
                answer = _read_refusal(error)
        _check_stored(answer)

    def _search_page(self, filters: dict[str, str], *, offset: int, page: int) -> list[Any]:
        with self._explaining(_SEARCH):
            return list(
                self._client.search_for_series(
                    fields=list(KEYWORDS), search_filters=filters, limit=page, offset=offset
                )
            )

    def _list_page(self, study_uid: str, series_uid: str, *, offset: int) -> list[Any]:
        with self._explaining(_SEARCH):
            try:
                return list(
                    self._client.search_for_instances(
                        study_uid, series_uid, limit=_PAGE, offset=offset
                    )
                )
            except requests.HTTPError as error:
                if error.response is not None and error.response.status_code == 404:
                    return []
                raise

    @property
    def _address(self) -> str:
        """Name and port of the settings, without anything secret."""
        parts = urlsplit(self.settings.url)
        return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"

    def _explain_silence(self, what: str) -> AttemptError:
        seconds = self.settings.timeout_seconds
        if what == _SEARCH:
            return AttemptError(
                f"the server at {self._address} did not answer within {seconds:g} s to a search: "
                "it is busy, or server.url names a port that is not of DICOMweb"
            )
        return AttemptError(f"the server did not answer within {seconds:g} s: {what}")

    def _explain_broken(self, error: Exception, what: str) -> UnavailableError:
        """What to say where there is no connection, or it was broken off."""
        is_broken = isinstance(error, requests.exceptions.ChunkedEncodingError)
        if not is_broken and "Connection aborted" not in str(error):
            return UnavailableError(
                f"the server at {self._address} cannot be reached: see whether it runs, and "
                "correct server.url if it is another"
            )
        if what != _SEARCH:
            return UnavailableError("the server broke the connection off: see whether it runs")
        return UnavailableError(
            f"the server at {self._address} broke the connection off: see whether it runs, and "
            "whether server.url names its DICOMweb port and not its DICOM port"
        )

    def _explain_status(self, error: requests.HTTPError, what: str) -> Exception:
        """What to say where a server answers with a fault."""
        status = 0 if error.response is None else error.response.status_code
        if status in _REFUSED:
            return UnavailableError(
                f"the server refuses the credentials (HTTP {status}): correct user, password or "
                "token"
            )
        if status in _BUSY:
            return UnavailableError(f"the server has no time (HTTP {status}): {what}")
        if status in _NO_SERVICE and what == _SEARCH:
            return UnavailableError(f"no DICOMweb at server.url (HTTP {status}): correct it")
        if status == 400 and what == _SEARCH:
            return AttemptError(
                "the server does not understand a search (HTTP 400): correct server.url if its "
                "DICOMweb is at another path"
            )
        return AttemptError(f"the server failed (HTTP {status}): {what}")

    @contextmanager
    def _explaining(self, what: str) -> Iterator[None]:
        """Turn what the packages raise into one line, without what they quote: UIDs, addresses."""
        try:
            with hush(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except requests.exceptions.SSLError as error:
            raise UnavailableError(
                "the server's certificate is not trusted, or it does not trust ours: name its CA "
                "in server.ca_file, or correct server.client_certificate"
            ) from error
        except requests.ReadTimeout as error:
            raise self._explain_silence(what) from error
        except requests.exceptions.TooManyRedirects as error:
            raise UnavailableError(
                "the server sends requests to another address: name that one in server.url"
            ) from error
        except requests.HTTPError as error:
            raise self._explain_status(error, what) from error
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            if "timed out" in str(error) and "connect timeout" not in str(error):
                raise self._explain_silence(what) from error
            raise self._explain_broken(error, what) from error
        except _UNREADABLE as error:
            if what == _SEARCH:
                raise AttemptError(
                    "no DICOMweb at server.url, whose answer to a search is not what DICOMweb says "
                    f"({type(error).__name__}): correct it"
                ) from error
            raise AttemptError(
                f"the server's answer is not what DICOMweb says ({type(error).__name__}): {what}"
            ) from error


def _get_file(image: Dataset) -> bytes:
    """The bytes that an image was read from."""
    source = getattr(image, "buffer", None)
    if not isinstance(source, BytesIO):
        raise ValueError("an image without its bytes")
    return source.getvalue()


@contextmanager
def hush() -> Iterator[None]:
    """Keep packages from logging UIDs and addresses."""
    with (
        log_from(logging.getLogger(_LOUD[0]), logging.CRITICAL),
        log_from(logging.getLogger(_LOUD[1]), logging.CRITICAL),
        log_from(logging.getLogger(_LOUD[2]), logging.CRITICAL),
    ):
        yield


def _read_refusal(error: requests.HTTPError) -> Dataset:
    """What a server says of objects that it did not store; raises the error where it says none."""
    if error.response is None or error.response.status_code not in (400, 409, 415):
        raise error
    try:
        answer = error.response.json()
        stated = Dataset.from_json(answer[0] if isinstance(answer, list) else answer)
    except Exception:  # whatever a server sends in place of DICOM JSON
        raise error from None
    if not stated.get("FailedSOPSequence"):
        raise error
    return stated


def _check_stored(answer: Dataset) -> None:
    reasons = [int(item.get("FailureReason", 0)) for item in answer.get("FailedSOPSequence") or ()]
    failed = [reason for reason in reasons if reason not in _ALREADY_THERE]
    if not failed:
        return
    shown = ", ".join(f"0x{reason:04X}" for reason in sorted(set(failed)))
    if any(reason in _NEVER for reason in failed):
        raise HopelessError(f"the server does not take the result (failure reason {shown})")
    if any(reason in _OUT_OF_RESOURCES for reason in failed):
        raise UnavailableError(f"the server has no room (failure reason {shown}): make room there")
    raise AttemptError(f"the server did not store the result (failure reason {shown})")
