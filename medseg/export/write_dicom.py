"""Write DICOM: the DICOM objects of a case, beside its label map."""

from __future__ import annotations

import logging
import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.config import KeysCollection
from monai.data.image_reader import ImageReader
from monai.transforms import MapTransform
from monai.utils import ImageMetaKey

from medseg.base.files import remove
from medseg.export.rtstruct import write_rtstruct
from medseg.export.segmentation import SegmentationType, write_seg
from medseg.export.segments import Algorithm
from medseg.export.source_images import SourceImages, describe_source
from medseg.export.structured_report import write_sr
from medseg.inference.outputs.label_map import read_class_indices
from medseg.inference.outputs.notes import MEASURED, add_found
from medseg.inference.outputs.source import get_source_geometry
from medseg.ingest.dicom.series import Series
from medseg.ingest.reader import VolumeReader
from medseg.labels import make_table

logger = logging.getLogger(__name__)

ENDINGS = {"seg": "_seg.dcm", "rtstruct": "_rtstruct.dcm", "sr": "_sr.dcm"}
"""What follows the name of a case in the names of its DICOM objects."""


class WriteDicomd(MapTransform):
    """Writes the DICOM objects of a case where its image is a DICOM series, else nothing.

    The Segmentation `<case>_seg.dcm` holds the voxels that `WriteLabelMapd` writes, and the RT
    Structure Set `<case>_rtstruct.dcm` their outlines; the Structured Report `<case>_sr.dcm` has
    what was measured of them. They belong to the patient and the study of the series. What its
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
        seg: "binary" or "labelmap", see `write_seg`; None for no Segmentation.
        rtstruct: whether to write an RT Structure Set.
        sr: whether to write a Structured Report, which refers to the Segmentation. The case's data
            must have the measurements, which `WriteMeasurementsd` adds.
        modality: "CT" has its values in HU.
        image_key: the image as it went into the network; its meta data know the file and its grid.

    Raises:
        ValueError: a Structured Report without a Segmentation; in the call, a label map that holds
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
        modality: str = "",
        image_key: str = "image",
    ) -> None:
        super().__init__(keys)
        if sr and seg is None:
            raise ValueError(
                "a DICOM Structured Report refers to a DICOM Segmentation, and seg is null: "
                "set seg to binary, or sr to False"
            )
        self.output_dir = Path(output_dir)
        self.labels = make_table(classes)
        self.reader = reader
        name, _, version = made_by.partition(" ")
        self.algorithm = Algorithm(name or "unnamed", version or "unknown")
        self.seg = seg
        self.rtstruct = rtstruct
        self.sr = sr
        self.unit = "HU" if modality == "CT" else ""
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        for key in self.key_iterator(data):
            paths = {kind: self.output_dir / f"{data['case']}{e}" for kind, e in ENDINGS.items()}
            for path in paths.values():
                remove(path)
            wanted = {"seg": self.seg is not None, "rtstruct": self.rtstruct, "sr": self.sr}
            series = self._find_series(data)
            if series is None:
                continue
            data = add_found(data, series_uid=series.uid)
            if not any(wanted.values()):
                continue
            images = describe_source(series)
            if images.notes:
                logger.warning("case %s: %s", data["case"], "; ".join(images.notes))
            self._write_masks(data, key, paths, images)
            if self.sr:
                self._write_sr(data, paths["sr"], paths["seg"], images)
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
            kind: SegmentationType = "LABELMAP" if self.seg == "labelmap" else "BINARY"
            write_seg(mask, paths["seg"], segmentation_type=kind, **options)
        if self.rtstruct:
            write_rtstruct(mask, paths["rtstruct"], **options)

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
            unit=self.unit,
        )

    def _find_series(self, data: Mapping[Hashable, Any]) -> Series | None:
        path = data[self.image_key].meta.get(ImageMetaKey.FILENAME_OR_OBJ)
        if not isinstance(self.reader, VolumeReader) or not isinstance(path, (str, os.PathLike)):
            return None
        return self.reader.find_series(Path(path))
