"""Write DICOM: the DICOM objects of a case, beside its label map."""

from __future__ import annotations

import logging
import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.data.image_reader import ImageReader
from monai.transforms import MapTransform
from monai.utils import ImageMetaKey
from numpy.typing import NDArray

from medseg.base.files import remove
from medseg.export.parametric_map import FIRST_MAP, write_parametric_map
from medseg.export.rtstruct import write_rtstruct
from medseg.export.segmentation import SegmentationType, write_seg
from medseg.export.segments import Algorithm
from medseg.export.source.images import SourceImages, describe_source
from medseg.export.structured_report import write_sr
from medseg.inference.outputs.label_map import read_class_indices
from medseg.inference.outputs.notes import MEASURED, add_found
from medseg.inference.outputs.probabilities import ProbabilityFiles, read_probabilities
from medseg.inference.outputs.source import get_source_geometry
from medseg.inference.outputs.value_unit import find_unit
from medseg.inference.preview.source import VALUES
from medseg.ingest.dicom.series import Series
from medseg.ingest.reader import VolumeReader
from medseg.labels import Label, make_table

logger = logging.getLogger(__name__)

MAP = "_probability_{}.dcm"
"""What follows the name of a case in the name of the map of a label's probability."""

ENDINGS = {"seg": "_seg.dcm", "rtstruct": "_rtstruct.dcm", "sr": "_sr.dcm"}
"""What follows the name of a case in the names of its DICOM objects."""


_TYPES: Mapping[str, SegmentationType] = {
    "binary": "BINARY",
    "labelmap": "LABELMAP",
    "fractional": "FRACTIONAL",
}


class WriteDicomd(MapTransform):
    """Writes the DICOM objects of a case where its image is a DICOM series, else nothing.

    The Segmentation `<case>_seg.dcm` holds the voxels that `WriteLabelMapd` writes, and the RT
    Structure Set `<case>_rtstruct.dcm` their outlines; the Structured Report `<case>_sr.dcm` has
    what was measured of them. A parametric map `<case>_probability_<value>.dcm` holds the
    probability of a label. They belong to the patient and the study of the series. What its
    headers lack, or hold against the standard, does not stop them: one line of the log says what it
    was. Objects of an earlier label map of the case are removed, also where no new ones are
    written.

    Args:
        keys: key of the label map, (1, I, J, K), already brought back to the source grid.
        output_dir: folder, made if absent.
        classes: the foreground classes in order: their names, or each with the label values that
            it gathers.
        reader: what read the image, which knows the series.
        made_by: the bundle and its version, such as "liver 0.1.0".
        seg: "binary", "labelmap" or "fractional", which holds the probabilities themselves, see
            `write_seg`; None for no Segmentation.
        rtstruct: whether to write an RT Structure Set.
        sr: whether to write a Structured Report, which refers to the Segmentation. The case's data
            must have the measurements, which `WriteMeasurementsd` adds.
        probability_maps: whether to write a parametric map for each label.
        probabilities: what names the files of the probabilities, which "fractional" and the maps
            are made of; None where none are written.
        modality: "CT" has its values in HU.
        image_key: the image as it went into the network; its meta data know the file and its grid.

    Raises:
        ValueError: a Structured Report without a Segmentation, or objects of probabilities without
            their files; in the call, a label map that holds
            no class indices, or a Structured Report where nothing was measured.
    """

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str | os.PathLike,
        *,
        classes: Sequence[str] | Mapping[str, Sequence[int]],
        reader: ImageReader | None = None,
        made_by: str = "",
        seg: str | None = "binary",
        rtstruct: bool = False,
        sr: bool = False,
        probability_maps: bool = False,
        probabilities: ProbabilityFiles | None = None,
        modality: str = "",
        image_key: str = "image",
    ) -> None:
        super().__init__(keys)
        if sr and seg is None:
            raise ValueError(
                "a DICOM Structured Report refers to a DICOM Segmentation, and seg is null: "
                "set seg to binary, or sr to False"
            )
        if (seg == "fractional" or probability_maps) and probabilities is None:
            raise ValueError(
                "seg fractional and probability_maps are made of the probabilities, which are not "
                "kept: set save_probabilities to True"
            )
        self.output_dir = Path(output_dir)
        self.labels = make_table(classes)
        self.reader = reader
        name, _, version = made_by.partition(" ")
        self.algorithm = Algorithm(name or "unnamed", version or "unknown")
        self.seg = seg
        self.rtstruct = rtstruct
        self.sr = sr
        self.probability_maps = probability_maps
        self.modality = modality
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        for key in self.key_iterator(data):
            paths = {kind: self.output_dir / f"{data['case']}{e}" for kind, e in ENDINGS.items()}
            maps = {
                label: self.output_dir / f"{data['case']}{MAP.format(label.index)}"
                for label in self.labels.foreground
            }
            for path in (*paths.values(), *maps.values()):
                remove(path)
            wanted = {"seg": self.seg is not None, "rtstruct": self.rtstruct, "sr": self.sr}
            series = self._find_series(data)
            if series is None:
                continue
            data = add_found(data, series_uid=series.uid)
            if not any(wanted.values()) and not self.probability_maps:
                continue
            images = describe_source(series)
            if images.notes:
                logger.warning("case %s: %s", data["case"], "; ".join(images.notes))
            self._write_masks(data, key, paths, images)
            if self.sr:
                self._write_sr(data, paths["sr"], paths["seg"], images)
            if self.probability_maps:
                self._write_maps(data, maps, images)
                data = add_found(data, probability_maps=[path.name for path in maps.values()])
            names = {kind: path.name for kind, path in paths.items() if wanted[kind]}
            data = add_found(data, **names)
        return dict(data)

    def _write_masks(
        self,
        data: Mapping[Hashable, Any],
        key: Hashable,
        paths: Mapping[str, Path],
        images: SourceImages,
    ) -> None:
        """Write the objects that hold the label map itself."""
        mask = read_class_indices(data[key], name=str(data["case"]))
        geometry = get_source_geometry(data[self.image_key])
        options: dict[str, Any] = {"labels": self.labels, "algorithm": self.algorithm}
        options |= {"source": images, "geometry": geometry}
        if self.seg is not None:
            kind = _TYPES[self.seg]
            stored = self._read_probabilities(data) if kind == "FRACTIONAL" else mask
            write_seg(stored, paths["seg"], segmentation_type=kind, **options)
        if self.rtstruct:
            write_rtstruct(mask, paths["rtstruct"], **options)

    def _write_maps(
        self, data: Mapping[Hashable, Any], maps: Mapping[Label, Path], images: SourceImages
    ) -> None:
        values = self._read_probabilities(data)
        geometry = get_source_geometry(data[self.image_key])
        for number, (one, (label, path)) in enumerate(zip(values, maps.items(), strict=True)):
            write_parametric_map(
                one,
                path,
                source=images,
                geometry=geometry,
                algorithm=self.algorithm,
                name=label.whole_name,
                series_number=FIRST_MAP + number,
            )

    def _read_probabilities(self, data: Mapping[Hashable, Any]) -> NDArray[np.float32]:
        """(labels, I, J, K) on the grid of the image."""
        geometry = get_source_geometry(data[self.image_key])
        return read_probabilities(self.output_dir, str(data["case"]), source=geometry)

    def _write_sr(
        self, data: Mapping[Hashable, Any], path: Path, seg: Path, images: SourceImages
    ) -> None:
        if MEASURED not in data:
            raise ValueError(
                "a DICOM Structured Report needs measurements, and nothing was measured: set "
                "measure to True, or sr to False"
            )
        write_sr(
            data[MEASURED],
            path,
            source=images,
            segmentation=seg,
            labels=self.labels,
            algorithm=self.algorithm,
            unit=find_unit(data[self.image_key], data.get(VALUES), modality=self.modality),
        )

    def _find_series(self, data: Mapping[Hashable, Any]) -> Series | None:
        path = data[self.image_key].meta.get(ImageMetaKey.FILENAME_OR_OBJ)
        if not isinstance(self.reader, VolumeReader) or not isinstance(path, (str, os.PathLike)):
            return None
        return self.reader.find_series(Path(path))
