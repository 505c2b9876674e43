"""Traits: the fields of an origin that distinguish volumes, and how much each may differ."""

from __future__ import annotations

from dataclasses import dataclass, replace

TRAIT_TOLERANCE = 0.02
"""Echo times, b-values and tube voltages of one scan may differ by this fraction (rounding)."""

GATED_TOLERANCE = 0.5
"""Repetition and inversion times of a gated stack follow the heart: they may differ by this."""

THICKNESS_TOLERANCE = 0.1
"""Thicknesses that were computed from rounded positions alternate between 1.2 and 1.3 mm."""


@dataclass(frozen=True)
class Trait:
    """A field of `Origin` that may differ, and how a message names it.

    `tolerance` is the fraction by which equal numbers may differ; None compares text.
    """

    field: str
    names: str
    unit: str = ""
    tolerance: float | None = None
    is_listed: bool = True


_KERNEL = Trait("kernel", "convolution kernels")
ACQUISITION = Trait("acquisition", "acquisition numbers", tolerance=0)
_REPETITION = Trait("repetition_time_ms", "repetition times", "ms", GATED_TOLERANCE)
_INVERSION = Trait("inversion_time_ms", "inversion times", "ms", GATED_TOLERANCE)
ACQUISITION_TIME = Trait("acquisition_time", "acquisition times", is_listed=False)
SAME_IN_ONE_VOLUME = (
    Trait("series_number", "series numbers", tolerance=0),
    Trait("tube_kv", "tube voltages", "kV", TRAIT_TOLERANCE),
    Trait("echo_time_ms", "echo times", "ms", TRAIT_TOLERANCE),
    _REPETITION,
    _INVERSION,
    Trait("flip_angle_degrees", "flip angles", "degrees", TRAIT_TOLERANCE),
    Trait("sequence_name", "sequence names"),
    Trait("scanning_sequence", "scanning sequences"),
    Trait("b_value", "b-values", "s/mm2", TRAIT_TOLERANCE),
    Trait("temporal_position", "temporal positions", tolerance=0),
    Trait("metabolite", "metabolite maps", is_listed=False),
)
"""One volume has one value of each of these."""

_MAY_CHANGE_ALONG = (
    Trait("thickness_mm", "slice thicknesses", "mm", THICKNESS_TOLERANCE),
    Trait("contrast_agent", "contrast agents", is_listed=False),
    Trait("patient_position", "patient positions"),
    Trait("filter_type", "filter types"),
)
"""Each of these may change along one volume, but not alternate."""

_IRRADIATION = Trait("irradiation", "irradiation events", is_listed=False)
MUST_NOT_ALTERNATE = (
    *_MAY_CHANGE_ALONG,
    Trait("stack", "stacks"),
    Trait("description", "series descriptions", is_listed=False),
    Trait("protocol", "protocol names", is_listed=False),
    Trait("comments", "image comments", is_listed=False),
    Trait("series_time", "series times", is_listed=False),
    Trait("echo_number", "echo numbers", tolerance=0),
    Trait("sequence_variant", "sequence variants"),
    Trait("scan_options", "scan options"),
    Trait("magnetization_transfer", "magnetization transfers"),
    Trait("reconstruction", "reconstruction methods"),
    _IRRADIATION,
    Trait("temporal_index", "temporal positions", tolerance=0),
    Trait("cardiac_phase", "cardiac phases", "%", TRAIT_TOLERANCE),
    Trait("respiratory_phase", "respiratory phases", "%", TRAIT_TOLERANCE),
    Trait("direction", "diffusion directions", is_listed=False),
    Trait("laterality", "lateralities"),
    Trait("image_laterality", "image lateralities"),
)
MAY_INTERLEAVE_AT_EDGES = (_IRRADIATION,)
"""Each turn of the tube has one value of these; two turns may interleave at their edges."""

TIME_TRAITS = (
    replace(_REPETITION, tolerance=TRAIT_TOLERANCE),
    replace(_INVERSION, tolerance=TRAIT_TOLERANCE),
    Trait("trigger_time_ms", "trigger times", "ms", tolerance=0),
    Trait("trigger_delay_ms", "trigger delays", "ms", tolerance=0),
    Trait("temporal_offset_s", "temporal offsets", "s", tolerance=0),
    Trait("reference_time_ms", "reference times", is_listed=False),
)
"""Values that also alternate if the slices of one volume were taken in an interleaved order.

Their slices are at most as thick as the smallest step; those of two volumes are thicker. Repetition
times of a gated stack follow the heartbeat, and may change to and fro as well.
"""
TIMES_OF_PACKAGES = frozenset(
    (
        *("acquisition_time", "reference_time_ms", "AcquisitionDateTime", "AcquisitionDate"),
        *("ContentTime", "ContentDate"),
    )
)
"""Times of day. Slices of one MR volume that was taken in several packages differ in them."""

_IN_OTHER_WORDS = {trait.field for trait in (*SAME_IN_ONE_VOLUME, *_MAY_CHANGE_ALONG)}
SAME_AT_ONE_PLACE = (
    *SAME_IN_ONE_VOLUME,
    *_MAY_CHANGE_ALONG,
    _KERNEL,
    *(trait for trait in MUST_NOT_ALTERNATE if trait.field not in _IN_OTHER_WORDS),
    ACQUISITION,
    *TIME_TRAITS[2:],
    ACQUISITION_TIME,
)
TRAIT_OF = {trait.field: trait for trait in SAME_AT_ONE_PLACE}

ABSENCE_IS_A_VALUE = frozenset(
    (
        *("contrast_agent", "b_value", "direction", "description", "comments", "scan_options"),
        *("magnetization_transfer", "inversion_time_ms", "temporal_position", "temporal_index"),
        *("temporal_offset_s", "trigger_time_ms", "trigger_delay_ms", "cardiac_phase"),
        *("respiratory_phase", "stack", "DerivationDescription", "FrameLabel"),
        *("CorrectedImage", "AttenuationCorrectionMethod", "ScatterCorrectionMethod"),
        *("RandomsCorrectionMethod", "CardiacCyclePosition", "RespiratoryCyclePosition"),
        *("ActualCardiacTriggerDelayTime", "NominalRespiratoryTriggerDelayTime"),
        *("ActualRespiratoryTriggerDelayTime", "ContrastBolusStartTime", "ContrastBolusVolume"),
        *("ContrastBolusRoute", "RequestedContrastAgent", "InversionTimes"),
        *("VelocityEncodingDirection", "VelocityEncodingMinimumValue", "DiffusionDirectionality"),
        *("ContrastBolusAgentSequence", "ContrastBolusUsageSequence", "MRDiffusionSequence"),
        *("ContrastBolusAdministrationRouteSequence", "MRVelocityEncodingSequence"),
        *("CardiacSynchronizationSequence", "RespiratorySynchronizationSequence"),
        *("TemporalPositionSequence", "MRArterialSpinLabelingSequence", "DerivationCodeSequence"),
        *("MRMetaboliteMapSequence", "metabolite", "MRModifierSequence"),
        *("InterventionDrugInformationSequence", "CTAdditionalXRaySourceSequence"),
        *("MultienergyCTProcessingSequence", "laterality", "image_laterality", "FrameLaterality"),
    )
)
"""Fields, keywords and sequences whose absence has a meaning: without contrast, for example.

All images have the other elements; a file without them has lost them on its way.
"""

_FREE_TEXT = ("description", "comments")
COMPARED_BY_ABSENCE = tuple(
    trait
    for trait in SAME_AT_ONE_PLACE
    if trait.field in ABSENCE_IS_A_VALUE
    and trait.field not in _FREE_TEXT
    and trait not in TIME_TRAITS
)
"""If every other slice leaves out one of these, there are two volumes, even without overlap.

Not among them: free text, which may be lost, and times, which one of two MR packages may lack.
"""
