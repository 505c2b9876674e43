"""Made studies: DICOM studies of several series, one of which has labels."""

from __future__ import annotations

import numpy as np
from export.test_segmentation import ALGORITHM
from ingest.dicom_writer import as_mr, make_series, write_series

from medseg.export import write_seg
from medseg.ingest import find_series
from medseg.labels import make_table

SHAPE = (12, 16, 16)
"""Slices, rows and columns."""


def draw_box(patient):
    """The label of a patient, (columns, rows, slices)."""
    mask = np.zeros(SHAPE[::-1], np.uint8)
    mask[4:10, 3 + patient % 3 : 11, 2:8] = 1
    return mask


def make_image(patient, *, sign):
    """A box that is brighter, or darker, than what is round it, (slices, rows, columns)."""
    random = np.random.default_rng(10 * patient + sign + 1)
    noise = random.normal(0, 5, SHAPE).cumsum(axis=1)
    return (400 + noise + sign * 90.0 * draw_box(patient).T).astype(np.int16)


def write_image(folder, patient, stored, *, description, number, frame="1", step_mm=1.0, **more):
    """A series of MR in a folder of its own."""
    slices = as_mr(make_series(stored, step_mm=step_mm, pixel_spacing_mm=(1.0, 1.0), **more))
    uid = f"1.2.840.77.{patient}"
    for place, dataset in enumerate(slices):
        dataset.PatientID, dataset.StudyInstanceUID = f"Patient {patient}", f"{uid}.1"
        dataset.SeriesInstanceUID = f"{uid}.2.{number}"
        dataset.FrameOfReferenceUID = f"{uid}.3.{frame}"
        dataset.SOPInstanceUID = f"{uid}.4.{number}.{place}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.SeriesDescription, dataset.SeriesNumber = description, number
    write_series(folder, slices)
    (series,) = find_series(folder)
    return series


def write_study(root, patient, *, drawn_on="t1"):
    """A T1 and a FLAIR on one grid; one has a SEG, None for neither."""
    made = {
        name: write_image(
            root / f"p{patient}" / name,
            *(patient, make_image(patient, sign=sign)),
            description=description,
            number=number,
        )
        for name, sign, description, number in (
            ("t1", 1, "AX T1 Mustermann", 4),
            ("flair", -1, "Ax FLAIR fs", 7),
        )
    }
    if drawn_on:
        draw(made[drawn_on], draw_box(patient), root / f"p{patient}" / "seg.dcm")
    return made


def draw(series, mask, path):
    """Write a Segmentation of a box."""
    about = {"source": series, "geometry": series.geometry, "algorithm": ALGORITHM}
    write_seg(mask, path, labels=make_table(["box"]), **about)
