"""Other elements: what else tells volumes apart whose slices lie between each other.

None of these means anything to ingest. They are compared as text where slices overlap, and only
there: of one volume none of them changes from slice to slice in a strict order of turns.
"""

from __future__ import annotations

import pydicom
from pydicom.datadict import keyword_for_tag
from pydicom.tag import Tag

from medseg.ingest.elements import stored_text
from medseg.ingest.private import counters

OF_FILES = (
    # when
    *("AcquisitionDate", "SeriesDate", "ContentDate", "ContentTime", "AcquisitionDateTime"),
    *("StudyDescription", "PerformedProcedureStepID", "AccessionNumber", "ImageIndex"),
    *("StudyDate", "StudyTime", "StudyID", "PerformedProcedureStepDescription", "StageNumber"),
    *("PatientAge", "PatientWeight", "BodyPartExamined", "ViewName", "InstitutionName"),
    *("ActualCardiacTriggerDelayTime", "CardiacCyclePosition", "RespiratoryCyclePosition"),
    *("NominalRespiratoryTriggerDelayTime", "ActualRespiratoryTriggerDelayTime", "HeartRate"),
    *("ContrastBolusStartTime", "ContrastBolusVolume", "ContrastBolusRoute", "FrameLabel"),
    # with what, and shown how
    *("RequestedContrastAgent", "DerivationDescription", "WindowCenter", "WindowWidth"),
    *("DeviceSerialNumber", "StationName", "Manufacturer", "ManufacturerModelName"),
    *("SoftwareVersions", "ReceiveCoilName", "TransmitCoilName"),
    # MR
    *("MRAcquisitionType", "EchoTrainLength", "PixelBandwidth", "NumberOfAverages"),
    *("ImagedNucleus", "MagneticFieldStrength", "NumberOfPhaseEncodingSteps", "PercentSampling"),
    *("InPlanePhaseEncodingDirection", "DiffusionDirectionality", "AcquisitionContrast"),
    *("VelocityEncodingDirection", "VelocityEncodingMinimumValue", "AcquisitionMatrix"),
    *("InversionTimes", "EffectiveEchoTime", "PulseSequenceName", "VariableFlipAngleFlag"),
    *("SAR", "AcquisitionDuration", "ImagingFrequency"),
    # CT
    *("ReconstructionDiameter", "DataCollectionDiameter", "ExposureTime", "XRayTubeCurrent"),
    *("Exposure", "ExposureModulationType", "FocalSpots", "RotationDirection", "RevolutionTime"),
    *("GantryDetectorTilt", "SpiralPitchFactor", "TableSpeed", "AcquisitionType"),
    *("ReconstructionAlgorithm", "MultienergyCTAcquisition", "TotalCollimationWidth"),
    *("TableHeight", "ReconstructionTargetCenterPatient", "DataCollectionCenterPatient"),
    # PET and NM
    *("CorrectedImage", "AttenuationCorrectionMethod", "ScatterCorrectionMethod"),
    *("RandomsCorrectionMethod", "DecayCorrection", "ActualFrameDuration", "SeriesType"),
    *("CountsSource", "EnergyWindowNumber", "Radiopharmaceutical"),
)
"""Keywords of what single slices state."""

_MACRO_NAMES = (
    *("FrameContentSequence", "CardiacSynchronizationSequence", "TemporalPositionSequence"),
    *("RespiratorySynchronizationSequence", "ContrastBolusUsageSequence", "FrameAnatomySequence"),
    *("MRImageFrameTypeSequence", "MRTimingAndRelatedParametersSequence", "MREchoSequence"),
    *("MRFOVGeometrySequence", "MRModifierSequence", "MRImagingModifierSequence"),
    *("MRReceiveCoilSequence", "MRTransmitCoilSequence", "MRDiffusionSequence"),
    *("MRAveragesSequence", "MRVelocityEncodingSequence", "MRArterialSpinLabelingSequence"),
    *("CTImageFrameTypeSequence", "CTAcquisitionTypeSequence", "CTAcquisitionDetailsSequence"),
    *("CTTableDynamicsSequence", "CTGeometrySequence", "CTReconstructionSequence"),
    *("CTExposureSequence", "CTXRayDetailsSequence", "MultienergyCTProcessingSequence"),
    *("PETFrameTypeSequence", "PETFrameAcquisitionSequence", "PETReconstructionSequence"),
    *("PETFrameCorrectionFactorsSequence", "RadiopharmaceuticalUsageSequence"),
)
_MACROS = frozenset(map(Tag, _MACRO_NAMES))
_COUNTED = frozenset(
    Tag(keyword)
    for keyword in (
        *("DimensionIndexValues", "InStackPositionNumber", "FrameType"),
        *("FrameAcquisitionNumber", "FrameAcquisitionDateTime", "FrameReferenceDateTime"),
    )
)
"""What counts frames, or is compared for itself."""

_TAGS = {keyword: Tag(keyword) for keyword in OF_FILES}

Others = tuple[tuple[str, str], ...]
"""Keywords, or names of private elements, and what they state, as text, where they state it."""


def read_others(dataset: pydicom.Dataset) -> Others:
    """Read what a file states, in the order of the list, and the private numbers behind it.

    Example:
        >>> dataset = pydicom.Dataset()
        >>> dataset.CorrectedImage = ["DECY", "ATTN"]
        >>> read_others(dataset)
        (('CorrectedImage', 'DECY\\\\ATTN'),)
    """
    found = (
        (keyword, stored_text(dataset, tag)) for keyword, tag in _TAGS.items() if tag in dataset
    )
    return (*((keyword, text) for keyword, text in found if text), *counters(dataset))


def read_frame_others(group: pydicom.Dataset) -> Others:
    """Read what the functional groups of one frame state, without what all frames share."""
    stated = [
        (item, tag)
        for macro_tag in _MACROS & group.keys()
        for item in _items(group, macro_tag)
        for tag in item.keys() - _COUNTED
    ]
    found = ((keyword_for_tag(tag), stored_text(item, tag)) for item, tag in stated)
    return tuple((keyword, text) for keyword, text in found if keyword and text)


def _items(group: pydicom.Dataset, tag: pydicom.tag.BaseTag) -> pydicom.Sequence:
    """The items of a macro; none where it is stated as something else."""
    value = group[tag].value
    return value if isinstance(value, pydicom.Sequence) else pydicom.Sequence()
