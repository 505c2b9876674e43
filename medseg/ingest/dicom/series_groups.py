"""Series groups: group headers into series, also where UIDs are absent or useless."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from medseg.ingest.dicom.header.slice import Slice

Groups = dict[tuple[str, ...], list[Slice]]
"""The slices of each series, by the key that distinguishes it from others."""

FEWEST_LONE_SLICES = 3
"""With fewer files that state a series UID each, nothing shows that they are one stack."""


def group_by_series(files: Iterable[Sequence[Slice]]) -> Groups:
    """Group the slices of files into series; without a UID, folders of the same instances are one.

    Args:
        files: the headers of each file, one or more.
    """
    groups: Groups = {}
    for headers in files:
        groups.setdefault(_find_key(headers[0]), []).extend(headers)
    return _join_copied_folders(groups)


def _find_key(header: Slice) -> tuple[str, ...]:
    """The UID; without it, the folder, study, patient and series number."""
    if header.series_uid:
        return (header.series_uid,)
    origin = header.origin
    return (str(header.path.parent), origin.study, origin.patient, origin.series_number)


def _join_copied_folders(groups: Groups) -> Groups:
    """Put slices without series UID in one group where another folder holds the same instances."""
    joined: Groups = {}
    first_of: dict[tuple[object, ...], tuple[str, ...]] = {}
    for key, slices in groups.items():
        instances = {s.instance for s in slices}
        if len(key) > 1 and "" not in instances and len(instances) == len(slices):
            key = first_of.setdefault((key[1:], frozenset(instances)), key)
        joined.setdefault(key, []).extend(slices)
    return joined


def find_lone_slices(groups: Groups) -> Iterator[list[tuple[str, ...]]]:
    """The keys of series of one slice each that may be one, of which every file has its own UID.

    ITK makes a UID up whenever it writes a file and none is set, and so do some anonymisers. Such
    files lie in one folder and are of one patient, SeriesNumber, description, modality and size.
    """
    alike: dict[tuple[object, ...], list[tuple[str, ...]]] = {}
    for key, slices in groups.items():
        (first, *more), uid = slices, slices[0].series_uid
        if uid and not more and first.frames <= 1:
            origin, size = first.origin, (first.rows, first.columns)
            place = (first.path.parent, origin.patient, origin.series_number, origin.description)
            alike.setdefault((*place, first.kind, size), []).append(key)
    return (keys for keys in alike.values() if len(keys) >= FEWEST_LONE_SLICES)
