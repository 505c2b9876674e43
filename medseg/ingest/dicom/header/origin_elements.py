"""Origin elements: where a file, or a frame of an enhanced object, states fields of `Origin`."""

from __future__ import annotations

from pydicom.tag import Tag

AS_STORED = {
    "patient": "PatientID",
    "birth_date": "PatientBirthDate",
    "sex": "PatientSex",
    "study": "StudyInstanceUID",
    "series_number": "SeriesNumber",
    "kernel": "ConvolutionKernel",
    "component": "ComplexImageComponent",
    "acquisition": "AcquisitionNumber",
    "tube_kv": "KVP",
    "echo_time_ms": "EchoTime",
    "temporal_position": "TemporalPositionIdentifier",
    "trigger_time_ms": "TriggerTime",
    "acquisition_time": "AcquisitionTime",
    "repetition_time_ms": "RepetitionTime",
    "inversion_time_ms": "InversionTime",
    "flip_angle_degrees": "FlipAngle",
    "sequence_name": "SequenceName",
    "scanning_sequence": "ScanningSequence",
    "thickness_mm": "SliceThickness",
    "contrast_agent": "ContrastBolusAgent",
    "patient_position": "PatientPosition",
    "filter_type": "FilterType",
    "units": "Units",
    "description": "SeriesDescription",
    "protocol": "ProtocolName",
    "series_time": "SeriesTime",
    "echo_number": "EchoNumbers",
    "sequence_variant": "SequenceVariant",
    "scan_options": "ScanOptions",
    "reconstruction": "ReconstructionMethod",
    "comments": "ImageComments",
    "irradiation": "IrradiationEventUID",
    "reference_time_ms": "FrameReferenceTime",
    "body_part": "BodyPartExamined",
    "stack": "StackID",
    "magnetization_transfer": "MagnetizationTransfer",
    "laterality": "Laterality",
    "image_laterality": "ImageLaterality",
}
"""Elements whose values are text in the file."""

STORED_TAGS = {name: Tag(keyword) for name, keyword in AS_STORED.items()}

AS_NUMBERS = {
    "b_value": "DiffusionBValue",
    "direction": "DiffusionGradientOrientation",
    "temporal_index": "TemporalPositionIndex",
    "temporal_offset_s": "TemporalPositionTimeOffset",
    "cardiac_phase": "NominalPercentageOfCardiacPhase",
    "respiratory_phase": "NominalPercentageOfRespiratoryPhase",
    "trigger_delay_ms": "NominalCardiacTriggerDelayTime",
}
"""Elements whose values are binary numbers in the file."""

COMPARED_BY_OWN_RULES = frozenset(
    Tag(keyword) for name, keyword in (AS_STORED | AS_NUMBERS).items() if name != "body_part"
)
"""Elements that are compared by rules of their own. BodyPartExamined serves another purpose."""

FRAME_ELEMENTS = {
    "kernel": ("CTReconstructionSequence", "ConvolutionKernel"),
    "component": ("MRImageFrameTypeSequence", "ComplexImageComponent"),
    "acquisition": ("FrameContentSequence", "FrameAcquisitionNumber"),
    "tube_kv": ("CTXRayDetailsSequence", "KVP"),
    "echo_time_ms": ("MREchoSequence", "EffectiveEchoTime"),
    "repetition_time_ms": ("MRTimingAndRelatedParametersSequence", "RepetitionTime"),
    "inversion_time_ms": ("MRModifierSequence", "InversionTimes"),
    "flip_angle_degrees": ("MRTimingAndRelatedParametersSequence", "FlipAngle"),
    "thickness_mm": ("PixelMeasuresSequence", "SliceThickness"),
    "b_value": ("MRDiffusionSequence", "DiffusionBValue"),
    "temporal_position": ("FrameContentSequence", "TemporalPositionIndex"),
    "temporal_offset_s": ("TemporalPositionSequence", "TemporalPositionTimeOffset"),
    "trigger_time_ms": ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
    "cardiac_phase": ("CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase"),
    "respiratory_phase": (
        "RespiratorySynchronizationSequence",
        "NominalPercentageOfRespiratoryPhase",
    ),
    "stack": ("FrameContentSequence", "StackID"),
    "in_stack": ("FrameContentSequence", "InStackPositionNumber"),
    "dimensions": ("FrameContentSequence", "DimensionIndexValues"),
    "comments": ("FrameContentSequence", "FrameComments"),
    "reconstruction": ("CTReconstructionSequence", "ReconstructionAlgorithm"),
    "scan_options": ("MRModifierSequence", "SpectrallySelectedSuppression"),
    "magnetization_transfer": ("MRModifierSequence", "MagnetizationTransfer"),
    "metabolite": ("MRMetaboliteMapSequence", "MetaboliteMapDescription"),
    "image_laterality": ("FrameAnatomySequence", "FrameLaterality"),
    "irradiation": ("IrradiationEventIdentificationSequence", "IrradiationEventUID"),
    "reference_time_ms": ("FrameContentSequence", "FrameReferenceDateTime"),
    "acquisition_time": ("FrameContentSequence", "FrameAcquisitionDateTime"),
}
"""Where functional groups state the same (PS3.3 C.7.6.16.2, C.8.13.5 and C.8.15.3)."""

MACROS = frozenset(Tag(sequence) for sequence, _ in FRAME_ELEMENTS.values())

CONVERTED = (
    "UnassignedPerFrameConvertedAttributesSequence",
    "UnassignedSharedConvertedAttributesSequence",
)
"""Where legacy converted objects keep the elements of single slices (PS3.3 C.7.6.16.2.25)."""
