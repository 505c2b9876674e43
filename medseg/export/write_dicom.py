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
from medseg.export.segmentation import write_seg
from medseg.export.segments import Algorithm
from medseg.export.source_images import describe_source
from medseg.inference.outputs.label_map import read_class_indices
from medseg.inference.outputs.notes import add_found
from medseg.inference.outputs.source import get_source_geometry
from medseg.ingest.dicom.series import Series
from medseg.ingest.reader import VolumeReader
from medseg.labels import make_table

logger = logging.getLogger(__name__)

SEG_ENDING = "_seg.dcm"
"""What follows the name of a case in the name of its DICOM Segmentation."""


class WriteDicomd(MapTransform):
    """Writes `<output_dir>/<case>_seg.dcm` where the image is a DICOM series, else nothing.

    It holds the voxels that `WriteLabelMapd` writes, and belongs to the patient and the study of
    the series. What the headers of the series lack, or hold against the standard, does not stop it:
    one line of the log says what it was. An object of an earlier label map of the case is removed,
    also where no new one is written.

    Args:
        keys: key of the label map, (1, I, J, K), already brought back to the source grid.
        output_dir: folder, made if absent.
        classes: the foreground classes in order: their names, or each with the label values that
            it gathers.
        reader: what read the image, which knows the series.
        made_by: the bundle and its version, such as "liver 0.1.0".
        seg: "binary" or "labelmap", see `write_seg`; None for no object.
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
        made_by: str = "",
        seg: str | None = "binary",
        image_key: str = "image",
    ) -> None:
        super().__init__(keys)
        self.output_dir = Path(output_dir)
        self.labels = make_table(classes)
        self.reader = reader
        name, _, version = made_by.partition(" ")
        self.algorithm = Algorithm(name or "unnamed", version or "unknown")
        self.seg = seg
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        for key in self.key_iterator(data):
            path = self.output_dir / f"{data['case']}{SEG_ENDING}"
            remove(path)
            series = self._find_series(data)
            if series is None or self.seg is None:
                continue
            images = describe_source(series)
            if images.notes:
                logger.warning("case %s: %s", data["case"], "; ".join(images.notes))
            write_seg(
                read_class_indices(data[key], name=path.name),
                path,
                source=images,
                geometry=get_source_geometry(data[self.image_key]),
                labels=self.labels,
                algorithm=self.algorithm,
                segmentation_type="LABELMAP" if self.seg == "labelmap" else "BINARY",
            )
            data = add_found(data, seg=path.name)
        return dict(data)

    def _find_series(self, data: Mapping[Hashable, Any]) -> Series | None:
        path = data[self.image_key].meta.get(ImageMetaKey.FILENAME_OR_OBJ)
        if not isinstance(self.reader, VolumeReader) or not isinstance(path, (str, os.PathLike)):
            return None
        return self.reader.find_series(Path(path))
