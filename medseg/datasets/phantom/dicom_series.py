"""CT series: writes a volume as a folder of single-frame DICOM CT images.

Source: DICOM PS3.3 A.3 CT Image IOD, C.7.6.2 Image Plane and C.8.2.1 CT Image modules.
"""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from medseg.geometry import Geometry

HU_RANGE = (-1024, 3071)
"""The CT numbers that 12 stored bits hold with the intercept of the first of them."""


def write_ct_series(
    hu: NDArray[np.int16],
    affine: NDArray[np.float64],
    *,
    out_dir: Path,
    patient: str,
    rng: np.random.Generator,
) -> None:
    """Write one file per slice, conformant CT Image Storage, explicit VR little endian.

    Rows run to the patient's left, columns to the back, instance numbers from foot to head, and the
    order of the file names is random. UIDs are derived from the voxels, the grid and the name: the
    same volume has the same UIDs, another volume has others.

    Args:
        hu: (I, J, K) CT numbers in HU, within `HU_RANGE`, axes RAS+.
        affine: (4, 4) diagonal affine of the array, RAS+ in millimetres.
        out_dir: folder to make.
        patient: synthetic patient's name, also the patient's ID.
        rng: shuffles the file names.
    """
    out_dir.mkdir(parents=True)
    digest = hashlib.sha256(hu.tobytes() + affine.tobytes()).hexdigest()
    stored = (hu[::-1, ::-1] - HU_RANGE[0]).astype("<u2")
    columns, rows, slices = hu.shape
    first_mm = Geometry((columns, rows, slices), affine).affine_lps @ [columns - 1, rows - 1, 0, 1]
    spacing_mm = np.abs(np.diag(affine)[:3])
    files = rng.permutation(slices) + 1
    for k, file in enumerate(files):
        image = _make_image(stored[:, :, k].T, spacing_mm=spacing_mm, source=(digest, patient))
        image.PatientName = f"{patient}^Synthetic"
        image.PatientID = patient
        image.InstanceNumber = k + 1
        image.SOPInstanceUID = generate_uid(entropy_srcs=["image", digest, patient, str(k)])
        image.file_meta = _make_file_meta(image)
        height_mm = first_mm[2] + k * spacing_mm[2]
        image.ImagePositionPatient = [_format_decimal(v) for v in (*first_mm[:2], height_mm)]
        image.SliceLocation = _format_decimal(height_mm)
        image.save_as(out_dir / f"IM{file:04d}.dcm", enforce_file_format=True)


def _make_image(
    pixels: NDArray[np.uint16], *, spacing_mm: NDArray[np.float64], source: tuple[str, str]
) -> Dataset:
    """Make one image with all that the images of the series share."""
    image = Dataset()
    _add_patient_and_study(image, source)
    _add_series(image, source)
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.AcquisitionNumber = 1
    image.ImageComments = "Synthetic image, not of a person"
    image.BurnedInAnnotation = "NO"
    image.PixelSpacing = [_format_decimal(spacing_mm[1]), _format_decimal(spacing_mm[0])]
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.SliceThickness = _format_decimal(spacing_mm[2])
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows, image.Columns = pixels.shape
    image.BitsAllocated = 16
    image.BitsStored = 12
    image.HighBit = 11
    image.PixelRepresentation = 0
    image.RescaleIntercept = HU_RANGE[0]
    image.RescaleSlope = 1
    image.RescaleType = "HU"
    image.WindowCenter = 50
    image.WindowWidth = 400
    image.KVP = 120
    image.PixelData = np.ascontiguousarray(pixels).tobytes()
    return image


def _add_patient_and_study(image: Dataset, source: tuple[str, str]) -> None:
    image.SpecificCharacterSet = "ISO_IR 192"
    image.PatientBirthDate = ""
    image.PatientSex = "O"
    image.StudyInstanceUID = generate_uid(entropy_srcs=["study", *source])
    image.StudyID = "1"
    image.StudyDate = image.SeriesDate = image.AcquisitionDate = image.ContentDate = "20200101"
    image.StudyTime = image.SeriesTime = image.AcquisitionTime = image.ContentTime = "120000"
    image.StudyDescription = "Synthetic abdomen"
    image.AccessionNumber = ""
    image.ReferringPhysicianName = ""


def _add_series(image: Dataset, source: tuple[str, str]) -> None:
    image.SOPClassUID = CTImageStorage
    image.Modality = "CT"
    image.SeriesInstanceUID = generate_uid(entropy_srcs=["series", *source])
    image.SeriesNumber = 1
    image.SeriesDescription = "Synthetic portal venous phase"
    image.BodyPartExamined = "ABDOMEN"
    image.PatientPosition = "HFS"
    image.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame of reference", *source])
    image.PositionReferenceIndicator = ""
    image.Manufacturer = "medseg"
    image.ManufacturerModelName = "phantom"


def _make_file_meta(image: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = image.SOPClassUID
    meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return meta


def _format_decimal(value: float) -> str:
    """Write a decimal string (VR DS) of at most 16 characters."""
    return f"{value:.4f}"
