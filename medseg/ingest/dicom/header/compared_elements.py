"""Compared elements: the standard elements that may distinguish two interleaved volumes.

All that the dictionary knows of images and their acquisition, but for what follows from the place
of a slice or from its pixels, what counts images, what refers to other objects, and names.
"""

from __future__ import annotations

from pydicom.datadict import DicomDictionary
from pydicom.tag import BaseTag

_GROUPS = (0x0008, 0x0012, 0x0018, 0x0020, 0x0032, 0x0038, 0x0040, 0x0050, 0x0054)
"""Groups of elements that are compared wherever a file states them."""

_COMPARED_OF_OTHER_GROUPS = (
    *("PatientAge", "PatientSize", "PatientWeight", "CorrectedImage", "QualityControlImage"),
    *("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction"),
)

_VRS = frozenset(
    (
        *("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "SH", "SL"),
        *("SQ", "SS", "ST", "TM", "UI", "UL", "US", "US or SS"),
    )
)
"""Value representations of all but person names, links and large content."""

_LEFT_OUT = frozenset(
    (
        # of every file by itself, or compared by rules of their own
        *("SOPInstanceUID", "SOPClassUID", "InstanceNumber", "InstanceCreationDate"),
        *("InstanceCreationTime", "InstanceCreatorUID", "SpecificCharacterSet", "ImageType"),
        *("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality"),
        *("ConversionType", "RetrieveAETitle", "StorageMediaFileSetUID", "InstanceAvailability"),
        *("DimensionIndexValues", "InStackPositionNumber", "FrameAcquisitionNumber", "FrameType"),
        *("FrameAcquisitionDateTime", "FrameReferenceDateTime", "NumberOfFrames"),
        *("ImagesInAcquisition", "NumberOfSlices", "NumberOfSeriesRelatedInstances"),
        *("ConcatenationUID", "InConcatenationNumber", "InConcatenationTotalNumber"),
        "ConcatenationFrameOffsetNumber",
        # of the place of a slice, or of its pixels
        *("ImagePositionPatient", "ImageOrientationPatient", "ImagePosition", "ImageOrientation"),
        *("SliceLocation", "SliceSensitivityFactor", "PixelSpacing", "Rows", "Columns"),
        *("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue"),
        *("PlanePositionSequence", "PlaneOrientationSequence", "PlanePositionVolumeSequence"),
        *("PlaneOrientationVolumeSequence", "PixelMeasuresSequence", "SpacingBetweenSlices"),
        *("PixelValueTransformationSequence", "RealWorldValueMappingSequence"),
        # of other objects
        *("DerivationImageSequence", "DefinitionSourceSequence", "FrameExtractionSequence"),
        *("ContributingSOPInstancesReferenceSequence", "ConversionSourceAttributesSequence"),
        *("ContributingSourcesSequence", "RelatedSeriesSequence", "ContentSequence"),
        *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
        *("UnassignedSharedConvertedAttributesSequence", "DimensionIndexSequence"),
        *("UnassignedPerFrameConvertedAttributesSequence", "DimensionOrganizationSequence"),
        *("PrivateDataElementCharacteristicsSequence", "IconImageSequence"),
        *("OriginalAttributesSequence", "ModifiedAttributesSequence"),
    )
)
_REFERENCES = ("Referenced", "Source")
"""Names of what refers to other objects begin so. One volume may be made of two others by turns."""


def _is_compared(vr: str, keyword: str) -> bool:
    is_left_out = keyword in _LEFT_OUT or keyword.startswith(_REFERENCES)
    return bool(keyword) and vr in _VRS and not is_left_out


COMPARED_IN_SEQUENCES = {
    BaseTag(tag): keyword
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items()
    if _is_compared(vr, keyword)
}
"""Keywords of the elements that are compared within an item of a sequence, by their tags."""

COMPARED_IN_FILES = {
    tag: keyword
    for tag, keyword in COMPARED_IN_SEQUENCES.items()
    if tag.group in _GROUPS or keyword in _COMPARED_OF_OTHER_GROUPS
}
"""Keywords of the elements that are compared where a file states them, by their tags."""

COMPARED_SEQUENCES = frozenset(
    BaseTag(tag)
    for tag, (vr, *_) in DicomDictionary.items()
    if vr == "SQ" and tag in COMPARED_IN_SEQUENCES
)
"""Those of `COMPARED_IN_SEQUENCES` whose value is a sequence."""
