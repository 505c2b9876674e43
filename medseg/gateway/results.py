"""Results: the objects of a series, whose UIDs belong to the series and the bundle alone.

What is computed again, on another machine or after a kill, may differ in a voxel. Its objects have
the same UIDs all the same, so that a PACS can never hold two results of one series and bundle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread

from medseg.base.files import whole
from medseg.export.source.patient_and_study import read_patient_id
from medseg.export.uids import make_uid
from medseg.gateway.failures import HopelessError


@dataclass(frozen=True)
class ResultUids:
    """The UIDs of one object."""

    series: str
    instance: str


def list_result_uids(series_uid: str, bundle: str, outputs: Sequence[str]) -> dict[str, ResultUids]:
    """The UIDs that the results of a series have, by kind of object.

    Example:
        >>> first = list_result_uids("1.2.3", "liver 0.1.0", ["seg"])
        >>> first == list_result_uids("1.2.3", "liver 0.1.0", ["seg"])
        True
        >>> first == list_result_uids("1.2.3", "liver 0.2.0", ["seg"])
        False
    """
    return {
        kind: ResultUids(
            series=str(make_uid("gateway series", kind, series_uid, bundle)),
            instance=str(make_uid("gateway instance", kind, series_uid, bundle)),
        )
        for kind in outputs
    }


def rename(paths: Mapping[str, Path], uids: Mapping[str, ResultUids]) -> None:
    """Give objects their UIDs, also where one refers to another.

    Args:
        paths: of the objects, by kind; each is replaced by the renamed one.
        uids: by kind.
    """
    objects = {kind: dcmread(path) for kind, path in paths.items()}
    new: dict[str, str] = {}
    for kind, found in objects.items():
        new[str(found.SOPInstanceUID)] = uids[kind].instance
        new[str(found.SeriesInstanceUID)] = uids[kind].series
    for kind, found in objects.items():
        for element in found.iterall():
            if element.VR == "UI" and isinstance(element.value, str):
                element.value = new.get(str(element.value), element.value)
        found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID
        with whole(paths[kind]) as partial:
            found.save_as(partial, enforce_file_format=True)


def check_results(
    paths: Mapping[str, Path], uids: Mapping[str, ResultUids], *, study_uid: str, series_uid: str
) -> None:
    """See that each object is whole, has its UIDs, and belongs to the series that it was made from.

    Raises:
        HopelessError: one does not, and must not be stored.
    """
    for kind, expected in uids.items():
        if kind not in paths or not paths[kind].is_file():
            raise HopelessError(f"the result has no {kind}")
        found = dcmread(paths[kind])
        own = (str(found.SOPInstanceUID), str(found.SeriesInstanceUID))
        if own != (expected.instance, expected.series):
            raise HopelessError(f"the {kind} has other UIDs than it must have")
        if str(found.StudyInstanceUID) != study_uid:
            raise HopelessError(
                f"the {kind} is of another study than its series: the UID of the study is missing "
                "or not allowed in the images"
            )
        if not _refers_to(found, series_uid):
            raise HopelessError(f"the {kind} does not refer to the series that it was made from")


def find_patient(images: Iterable[Path]) -> str:
    """The one PatientID that images state; "" where none states any. Some may leave it empty.

    Raises:
        HopelessError: they state several, or one that results cannot have.
    """
    stated = {read_patient_id(image) for image in images} - {""}
    if None in stated:
        raise HopelessError(
            "PatientID of the images is not allowed in DICOM (one text of at most 64 characters), "
            "and a result without it may be stored under another patient: correct it in the images"
        )
    if len(stated) > 1:
        raise HopelessError(
            f"the images state {len(stated)} PatientIDs, and a result may be stored under the "
            "wrong one: correct them in the images, blanks before them too"
        )
    return next(filter(None, stated), "")


def check_patient(paths: Mapping[str, Path], patient: str) -> None:
    """See that each object has the PatientID of the images that it was made from.

    Blanks before it count, and padding at its end does not.

    Raises:
        HopelessError: one has another, or none, and might be stored under another patient.
    """
    for kind, path in paths.items():
        if read_patient_id(path) != patient:
            raise HopelessError(
                f"the {kind} has another PatientID than the images, and may be stored under "
                "another patient: correct PatientID and SpecificCharacterSet of the images"
            )


def _refers_to(found: Dataset, series_uid: str) -> bool:
    return any(
        element.keyword == "SeriesInstanceUID" and str(element.value) == series_uid
        for element in found.iterall()
    )
