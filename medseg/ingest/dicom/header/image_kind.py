"""Image kind: what an object holds, by its SOP class and its Modality.

Either may be absent, and Modality may say "OT" (other) or a word of the sender's own. What the
other states then holds, so that CT without Modality is still asked for its rescale. Where each
names another kind of image, the rules go by Modality, and the contradiction is said.
"""

from __future__ import annotations

from pydicom import uid

CLASSES = {
    uid.CTImageStorage: "CT",
    uid.EnhancedCTImageStorage: "CT",
    uid.LegacyConvertedEnhancedCTImageStorage: "CT",
    uid.MRImageStorage: "MR",
    uid.EnhancedMRImageStorage: "MR",
    uid.EnhancedMRColorImageStorage: "MR",
    uid.LegacyConvertedEnhancedMRImageStorage: "MR",
    uid.PositronEmissionTomographyImageStorage: "PT",
    uid.EnhancedPETImageStorage: "PT",
    uid.LegacyConvertedEnhancedPETImageStorage: "PT",
    uid.NuclearMedicineImageStorage: "NM",
}
"""The Modality of each SOP class whose values have rules of their own (PS3.3 C.7.3.1.1.1)."""

_OTHER_CLASSES = {
    **dict.fromkeys((uid.UltrasoundImageStorage, uid.UltrasoundMultiFrameImageStorage), "US"),
    uid.EnhancedUSVolumeStorage: "US",
    **dict.fromkeys((uid.XRayAngiographicImageStorage, uid.EnhancedXAImageStorage), "XA"),
    uid.XRay3DAngiographicImageStorage: "XA",
    **dict.fromkeys((uid.XRayRadiofluoroscopicImageStorage, uid.EnhancedXRFImageStorage), "RF"),
    uid.ComputedRadiographyImageStorage: "CR",
    uid.DigitalXRayImageStorageForPresentation: "DX",
    uid.DigitalXRayImageStorageForProcessing: "DX",
    uid.DigitalMammographyXRayImageStorageForPresentation: "MG",
    uid.DigitalMammographyXRayImageStorageForProcessing: "MG",
    uid.BreastTomosynthesisImageStorage: "MG",
    uid.OphthalmicTomographyImageStorage: "OPT",
    uid.VLWholeSlideMicroscopyImageStorage: "SM",
    uid.VLEndoscopicImageStorage: "ES",
    uid.VLMicroscopicImageStorage: "GM",
    uid.VLPhotographicImageStorage: "XC",
    uid.RTImageStorage: "RTIMAGE",
}
"""Likewise of classes without such rules."""

RESCALED_KINDS = ("CT", "PT")
"""Their values mean nothing without a rescale (PS3.3 C.8.2.1, C.8.9.4)."""

MULTI_FRAME_CLASSES = (
    uid.EnhancedCTImageStorage,
    uid.EnhancedMRImageStorage,
    uid.EnhancedPETImageStorage,
    uid.EnhancedUSVolumeStorage,
    uid.LegacyConvertedEnhancedCTImageStorage,
    uid.LegacyConvertedEnhancedMRImageStorage,
    uid.LegacyConvertedEnhancedPETImageStorage,
)
"""They state position, orientation and rescale for each frame, in functional groups."""

_OTHER_IMAGES = (
    *("CR", "DX", "MG", "IO", "PX", "XA", "RF", "US", "IVUS", "ES", "GM", "SM", "OP", "OPT"),
    *("OCT", "IVOCT", "RTIMAGE", "XC", "DG", "LS", "BMD", "TG", "DMS"),
)
_DERIVED = ("SEG", "RTDOSE", "RTSTRUCT", "SR", "PR", "KO", "REG", "RWV")
"""Modalities of objects that are derived from images and are not images of a scanner."""

_KNOWN = frozenset((*CLASSES.values(), *_OTHER_IMAGES, *_DERIVED))
_STORAGE = "1.2.840.10008.5.1.4.1.1"
_NO_IMAGES = (f"{_STORAGE}.30", f"{_STORAGE}.66")
"""Parametric maps; raw data, registrations and every kind of segmentation (PS3.6 table A-1)."""


def find_kind(sop_class: uid.UID, modality: str) -> str:
    """Find the Modality that the rules use: "CT", "MR", "PT", ...; "" where neither states one.

    Example:
        >>> find_kind(uid.CTImageStorage, "OT"), find_kind(uid.CTImageStorage, "")
        ('CT', 'CT')
    """
    stated = modality.strip().upper()
    return stated if stated in _KNOWN else _find_kind_of_class(sop_class) or stated


def _find_kind_of_class(sop_class: uid.UID) -> str:
    return CLASSES.get(sop_class) or _OTHER_CLASSES.get(sop_class, "")


def describe_contradiction(sop_class: uid.UID, modality: str) -> str:
    """Describe how SOP class and Modality contradict each other; "" where both can be true.

    Example:
        >>> describe_contradiction(uid.CTImageStorage, "MR")
        'the SOP class is CT Image Storage and Modality says MR'
    """
    of_class, stated = _find_kind_of_class(sop_class), find_kind(sop_class, modality)
    if not of_class or of_class == stated or stated in _DERIVED:
        return ""
    return f"the SOP class is {sop_class.name} and Modality says {stated}"


def is_no_image(sop_class: uid.UID, modality: str) -> bool:
    """Whether SOP class or Modality names an object that is no image, such as SEG, dose or SR.

    Example:
        >>> is_no_image(uid.UID("1.2.840.10008.5.1.4.1.1.66.7"), "")  # label map segmentation
        True
    """
    return find_kind(sop_class, modality) in _DERIVED or is_class_without_image(sop_class)


def is_class_without_image(sop_class: uid.UID) -> bool:
    """A class of the standard that holds no image; one that is unknown or private may hold one."""
    if any(sop_class == root or sop_class.startswith(f"{root}.") for root in _NO_IMAGES):
        return True
    holds_one = "Image Storage" in sop_class.name or sop_class == uid.EnhancedUSVolumeStorage
    return sop_class.type == "SOP Class" and not holds_one
