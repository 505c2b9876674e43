"""Tests of medseg.ingest.dicom.header.compared_elements: what of the dictionary tells volumes
apart."""

from __future__ import annotations

import pytest
from pydicom.tag import Tag

from medseg.ingest.dicom.header.compared_elements import (
    COMPARED_IN_FILES,
    COMPARED_IN_SEQUENCES,
    COMPARED_SEQUENCES,
)


@pytest.mark.parametrize(
    "keyword",
    [
        *("AcquisitionDate", "ContentTime", "BodyPartExamined", "ImageLaterality", "StationName"),
        *("MRDiffusionSequence", "CTAdditionalXRaySourceSequence", "ContrastBolusAgentSequence"),
        *("RadiopharmaceuticalInformationSequence", "CorrectedImage", "WindowCenter"),
    ],
)
def test_what_says_how_an_image_came_about_is_compared(keyword):
    assert COMPARED_IN_FILES[Tag(keyword)] == COMPARED_IN_SEQUENCES[Tag(keyword)] == keyword
    assert (Tag(keyword) in COMPARED_SEQUENCES) == keyword.endswith("Sequence")


@pytest.mark.parametrize(
    "keyword",
    [
        *("PatientName", "OperatorsName", "SOPInstanceUID", "InstanceNumber", "SliceLocation"),
        *("InstanceCreationTime", "SourceImageSequence", "ReferencedImageSequence", "PixelData"),
        *("PlanePositionSequence", "InStackPositionNumber", "SliceSensitivityFactor"),
    ],
)
def test_names_places_counts_and_references_are_not_compared(keyword):
    assert Tag(keyword) not in COMPARED_IN_SEQUENCES


@pytest.mark.parametrize("keyword", ["PatientID", "PatientBirthDate", "BitsStored", "LUTData"])
def test_patients_and_pixels_have_rules_of_their_own(keyword):
    assert Tag(keyword) not in COMPARED_IN_FILES
