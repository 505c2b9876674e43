"""Convert to DICOM: MR volumes and their labels as DICOM series with a SEG or an RTSTRUCT each.

python scripts/convert_to_dicom.py DATASET OUT [--count 40]

DATASET is one of the Medical Segmentation Decathlon, with imagesTr, labelsTr and dataset.json. Each
case becomes a folder of OUT with one patient: a series of MR images, and the labels as a DICOM
Segmentation (even cases) or an RT Structure Set (odd ones). Values are rounded to whole numbers,
of 0 to 65535. So `medseg new` can be tried on DICOM objects whose right masks are known.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from medseg.export import write_rtstruct, write_seg
from medseg.export.segments import Algorithm
from medseg.geometry import Geometry
from medseg.ingest import find_series
from medseg.labels import make_table

MOST = 2**16 - 1
"""The largest value that 16 bits hold; a volume with larger ones is scaled down to it."""

MADE_BY = Algorithm("conversion", "1")


def convert_case(image: Path, label: Path, out: Path, *, names: list[str], outlines: bool) -> None:
    """Write a volume as a series and its labels as one object into a folder."""
    volume = nib.as_closest_canonical(nib.load(image))
    geometry = Geometry(volume.shape, volume.affine)
    values = volume.get_fdata().clip(0)
    values = np.rint(values * min(1, MOST / max(values.max(), 1)))
    write_mr_series(values, geometry, out, name=out.name)
    mask = np.asarray(nib.as_closest_canonical(nib.load(label)).dataobj).astype(np.uint8)
    write = write_rtstruct if outlines else write_seg
    write(
        mask,
        out / ("rtstruct.dcm" if outlines else "seg.dcm"),
        source=find_series(out)[0],
        geometry=geometry,
        labels=make_table({name: [value] for value, name in enumerate(names, start=1)}),
        algorithm=MADE_BY,
    )


def write_mr_series(
    values: NDArray[np.float64], geometry: Geometry, out: Path, *, name: str
) -> None:
    """Write one MR image for each plane of a volume (I, J, K) of whole numbers, axes RAS+."""
    out.mkdir(parents=True)
    affine, spacing = geometry.affine_lps, geometry.spacing_mm
    directions = affine[:3, :3] / spacing
    for k in range(values.shape[2]):
        image = _describe(name)
        image.InstanceNumber = k + 1
        image.SOPInstanceUID = generate_uid(entropy_srcs=["image", name, str(k)])
        image.ImagePositionPatient = [f"{v:.6g}" for v in affine[:3] @ [0, 0, k, 1]]
        image.ImageOrientationPatient = [f"{v:.6g}" for v in directions[:, :2].T.flatten()]
        image.PixelSpacing = [f"{spacing[1]:.6g}", f"{spacing[0]:.6g}"]
        image.SliceThickness = f"{spacing[2]:.6g}"
        image.Columns, image.Rows = values.shape[:2]
        image.PixelData = np.ascontiguousarray(values[:, :, k].T.astype("<u2")).tobytes()
        image.file_meta = FileMetaDataset()
        image.file_meta.MediaStorageSOPClassUID = MRImageStorage
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.save_as(out / f"{k:04d}.dcm", enforce_file_format=True)


def _describe(name: str) -> Dataset:
    """What all images of a series share."""
    image = Dataset()
    image.SOPClassUID, image.Modality = MRImageStorage, "MR"
    image.PatientName, image.PatientID = f"{name}^", name
    image.PatientBirthDate = image.StudyDate = image.StudyTime = ""
    image.PatientSex = image.AccessionNumber = image.ReferringPhysicianName = image.StudyID = ""
    image.Manufacturer, image.SeriesNumber, image.AcquisitionNumber = "", 1, 1
    image.StudyInstanceUID = generate_uid(entropy_srcs=["study", name])
    image.SeriesInstanceUID = generate_uid(entropy_srcs=["series", name])
    image.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame", name])
    image.PositionReferenceIndicator = ""
    image.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    image.ScanningSequence, image.SequenceVariant, image.ScanOptions = "GR", "NONE", ""
    image.MRAcquisitionType, image.EchoTime, image.RepetitionTime = "3D", "", ""
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelRepresentation = 0
    return image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=None, help="cases; all by default")
    given = parser.parse_args()
    names = json.loads((given.dataset / "dataset.json").read_text())["labels"]
    classes = [names[value] for value in sorted(names, key=int) if int(value)]
    images = sorted((given.dataset / "imagesTr").glob("[!.]*.nii.gz"))[: given.count]
    for number, image in enumerate(images):
        out = given.out / image.name.removesuffix(".nii.gz")
        label = given.dataset / "labelsTr" / image.name
        convert_case(image, label, out, names=classes, outlines=bool(number % 2))
    print(f"{len(images)} studies: {given.out}")


if __name__ == "__main__":
    main()
