"""Write report: the page of each case, beside its label map."""

from __future__ import annotations

import logging
import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.data.image_reader import ImageReader
from monai.transforms import MapTransform
from monai.utils import ImageMetaKey

from medseg.base.files import remove
from medseg.geometry import Geometry
from medseg.inference.outputs.label_map import read_class_indices
from medseg.inference.outputs.notes import FACTS, MEASURED, add_found, format_note, read_notes
from medseg.inference.outputs.source import get_source_geometry
from medseg.inference.outputs.value_unit import find_unit, get_unit
from medseg.inference.preview.display import measure_limits
from medseg.inference.preview.source import DRAWN, VALUES, read_again
from medseg.inference.preview.thumbnail import draw_thumbnail
from medseg.ingest.dicom.series import Series
from medseg.ingest.dicom.series_label import read_series_label
from medseg.ingest.reader import VolumeReader
from medseg.labels import make_table
from medseg.report.page.bundle_card import BundleCard, read_bundle_card
from medseg.report.page.case_page import ENDING, CaseFacts, write_case_page
from medseg.report.page.index_page import write_index
from medseg.report.page.patient import read_patient
from medseg.report.page.shown_volume import shrink_volume
from medseg.report.page.windows import list_windows
from medseg.report.provenance import describe_provenance, hash_file
from medseg.report.record_segmentation import RecordSegmentation

logger = logging.getLogger(__name__)

_MOST_RANKED = 2**25
"""Of the voxels of a larger volume, one of eight counts for the percentiles of its window."""

_SIDES = dict(zip("RLAPSI", ("right", "left", "front", "back", "head", "feet"), strict=True))

_FILES = ("measurements", "seg", "rtstruct", "sr")
"""The entries of a case's facts that name files of it."""


class WriteReportd(MapTransform):
    """Writes `<case>_report.html`: one page with a viewer, the measurements and how it was made.

    When the command ends, `index.html` lists the cases of the folder, see `write_index`.

    The page needs no other file and no network. Place it behind the writers whose files it names,
    and within `WritePreviewd`, whose picture it shows where there is no JavaScript or WebGL2, and
    when it is printed. A report of an earlier label map is removed, also where none is written.

    Args:
        keys: key of the label map, (1, I, J, K), already brought back to the source grid.
        output_dir: folder, made if absent.
        classes: the foreground classes in order: their names, or each with the label values that
            it gathers.
        reader: what read the image, which knows the series; None for `VolumeReader()`.
        modality: "CT" has its values in HU, and its own windows, see `find_unit`.
        made_by: the bundle and its version.
        bundle_root: folder of the bundle, whose metadata say what it is for, and how good it is.
        record: of the command, which has the digests of weights and settings.
        window: the values that are drawn black and white at first.
        percentiles: the same as percentiles of the image, where there is no window.
        enabled: whether a report is written.
        show_patient: whether it shows name, identifier and birth date of the patient, and the
            description of the series, which may name the patient too.
        image_key: the image as it went into the network; its meta data know the file and its grid.

    Raises:
        ValueError: in the call, if the label map holds no class indices.
    """

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str | os.PathLike,
        *,
        classes: Sequence[str] | Mapping[str, Sequence[int]],
        reader: ImageReader | None = None,
        modality: str = "",
        made_by: str = "",
        bundle_root: str | os.PathLike | None = None,
        record: RecordSegmentation | None = None,
        window: Sequence[float] | None = None,
        percentiles: Sequence[float] | None = None,
        enabled: bool = True,
        show_patient: bool = False,
        image_key: str = "image",
    ) -> None:
        super().__init__(keys)
        self.output_dir = Path(output_dir)
        self.names = list(classes)
        self.labels = make_table(classes)
        self.reader = reader or VolumeReader()
        self.modality = modality
        self.made_by = made_by
        self.bundle_root = bundle_root
        self.record = record
        self.window = window
        self.percentiles = percentiles
        self.enabled = enabled
        self.show_patient = show_patient
        self.image_key = image_key
        if record is not None:
            record.at_end.append(partial(write_index, output_dir, refresh=not enabled))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        for key in self.key_iterator(data):
            path = self.output_dir / f"{data['case']}{ENDING}"
            remove(path)
            if not self.enabled:
                continue
            image = data[self.image_key]
            geometry = get_source_geometry(image)
            mask = read_class_indices(data[key], name=path.name)
            values = data[VALUES] if VALUES in data else read_again(image, self.reader)
            unit = find_unit(image, values, modality=self.modality)
            shown = shrink_volume(values, mask, geometry, unit=unit)
            facts = self._gather(data, values, unit)
            low, high = facts.window or list_windows(unit, shown.percentiles)[0].limits
            small = draw_thumbnail(values, mask, geometry, limits=(low, high))
            write_case_page(path, replace(facts, thumbnail=small), shown)
            logger.debug("report: %s", path)
            data = add_found(data, report=path.name)
        return dict(data)

    def _gather(self, data: Mapping[Hashable, Any], values: np.ndarray, unit: str) -> CaseFacts:
        """What the page says of a case."""
        image, case = data[self.image_key], str(data["case"])
        series = self._find_series(image)
        drawn = data.get(DRAWN)
        return CaseFacts(
            case=case,
            made_by=self.made_by,
            task=self._card.task,
            labels=self.labels,
            names=self.names,
            day=date.today(),
            notes=[_write_note(note) for note in read_notes(image)],
            measured=data.get(MEASURED),
            unit=unit,
            patient=read_patient(series) if series and self.show_patient else (),
            manifest=list(self._list_manifest(image, series)),
            files=list(_list_files(case, data)),
            preview=None if drawn is None else Path(drawn).read_bytes(),
            preview_file="" if drawn is None else f"{case}.png",
            window=self._find_window(values, unit),
        )

    def _find_window(self, values: np.ndarray, unit: str) -> tuple[float, float] | None:
        """That of the preview; None where the bundle has none, or one for another unit."""
        window = self.window if unit == get_unit(self.modality) else None
        if window is None and self.percentiles is None:
            return None
        part = values if values.size <= _MOST_RANKED else values[::2, ::2, ::2]
        return measure_limits(part, window=window, percentiles=self.percentiles)

    def _list_manifest(self, image: MetaTensor, series: Series | None) -> Iterator[tuple[str, str]]:
        """How the label map was made, as names and values."""
        about = {} if self.record is None else self.record.about
        yield "Bundle", self.made_by or "unknown"
        yield from self._card.list_facts()
        for name, entry in (
            ("Weights, SHA-256", "weights_sha256"),
            ("Settings, SHA-256", "settings_sha256"),
        ):
            yield name, about.get(entry) or "unknown"
        geometry = get_source_geometry(image)
        size = " x ".join(map(str, geometry.shape))
        spacing = " x ".join(f"{mm:.4g}" for mm in geometry.spacing_mm)
        yield "Image", f"{size} voxels of {spacing} mm, counted {_describe_axes(geometry)}"
        path = image.meta.get(ImageMetaKey.FILENAME_OR_OBJ)
        if series is not None:
            yield from self._list_series(series)
        if isinstance(path, (str, os.PathLike)) and os.path.isfile(path):
            yield "Source", f"{os.path.basename(path)}, SHA-256 {hash_file(path)}"
        run = self._provenance
        yield "Software", ", ".join(f"{name} {v}" for name, v in run["versions"].items())
        if run["commit"]:
            yield "medseg commit", run["commit"]
        yield "Device", run["device"]

    def _list_series(self, series: Series) -> Iterator[tuple[str, str]]:
        label = read_series_label(series)
        stated = {"Series number": label.number, "Body part": label.body_part}
        stated |= {"Phase": label.phase, "Series UID": series.uid}
        if self.show_patient:
            stated |= {"Description": label.description, "Date of the images": label.date}
        yield from ((name, value) for name, value in stated.items() if value)

    @cached_property
    def _card(self) -> BundleCard:
        return read_bundle_card(self.bundle_root)

    @cached_property
    def _provenance(self) -> dict[str, Any]:
        return describe_provenance("cpu" if self.record is None else self.record.device)

    def _find_series(self, image: MetaTensor) -> Series | None:
        path = image.meta.get(ImageMetaKey.FILENAME_OR_OBJ)
        if not isinstance(self.reader, VolumeReader) or not isinstance(path, (str, os.PathLike)):
            return None
        return self.reader.find_series(Path(path))


def _describe_axes(geometry: Geometry) -> str:
    """To which sides of the patient the voxels are counted: "to the left, the back, the head"."""
    return "to the " + ", the ".join(_SIDES[letter] for letter in geometry.orientation)


def _write_note(note: str) -> str:
    """A note as an item of the list of warnings."""
    return format_note(note).removeprefix("WARNING: ")


def _list_files(case: str, data: Mapping[Hashable, Any]) -> Iterator[str]:
    """The files of a case: its label map, which is written next, and those that were written."""
    yield f"{case}.nii.gz"
    facts = data.get(FACTS, {})
    for name in (facts[kind] for kind in _FILES if kind in facts):
        yield name
        if name.endswith(".json"):
            yield f"{name.removesuffix('.json')}.csv"
