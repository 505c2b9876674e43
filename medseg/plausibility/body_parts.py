"""Body parts: whether two of DICOM's terms for BodyPartExamined can be meant of one scan.

The element is often a neighbour's name, the abdomen of a liver that the protocol calls CHEST; it is
seldom a foot. So parts are told apart by how far from each other they lie along the body.
"""

from collections.abc import Collection

HEAD, NECK, CHEST, ABDOMEN, PELVIS, LEG, ARM = range(7)

_TERMS = {
    HEAD: (
        *("HEAD", "BRAIN", "SKULL", "FACE", "ORBIT", "EYE", "EAR", "IAC", "JAW", "MAXILLA"),
        *("MANDIBLE", "NOSE", "SINUS", "PITUITARY", "HIPPOCAMPUS", "HEADNECK", "NECKHEAD", "TMJ"),
    ),
    NECK: ("NECK", "HEADNECK", "NECKHEAD", "CSPINE", "THYROID", "LARYNX", "CAROTID", "NECKCHEST"),
    CHEST: (
        *(
            "CHEST",
            "THORAX",
            "LUNG",
            "HEART",
            "CORONARYARTERY",
            "BREAST",
            "RIB",
            "STERNUM",
            "AORTA",
        ),
        *("TSPINE", "MEDIASTINUM", "CHESTABDOMEN", "CHESTABDPELVIS", "NECKCHEST", "SHOULDER"),
        *("NECKCHESTABDOMEN", "NECKCHESTABDPELV", "THORACICAORTA", "CLAVICLE", "SCAPULA", "AORTA"),
    ),
    ABDOMEN: (
        *("ABDOMEN", "LIVER", "KIDNEY", "SPLEEN", "PANCREAS", "STOMACH", "ADRENAL", "GALLBLADDER"),
        *("COLON", "LSPINE", "ABDOMENPELVIS", "CHESTABDOMEN", "CHESTABDPELVIS", "AORTA"),
        *("NECKCHESTABDOMEN", "NECKCHESTABDPELV", "ABDOMINALAORTA"),
    ),
    PELVIS: (
        *("PELVIS", "PROSTATE", "BLADDER", "UTERUS", "OVARY", "RECTUM", "HIP", "SSPINE", "COCCYX"),
        *("ABDOMENPELVIS", "CHESTABDPELVIS", "NECKCHESTABDPELV", "PELVISLOWEXTREMT"),
    ),
    LEG: (
        *("LEG", "KNEE", "FOOT", "ANKLE", "TOE", "THIGH", "FEMUR", "TIBIA", "CALF", "CALCANEUS"),
        *("EXTREMITY", "PELVISLOWEXTREMT", "LOWEXTREMITY", "PATELLA", "FIBULA", "HEEL"),
    ),
    ARM: (
        *("ARM", "HAND", "WRIST", "ELBOW", "FINGER", "THUMB", "FOREARM", "HUMERUS", "RADIUS"),
        *("ULNA", "UPEREXTREMITY", "EXTREMITY"),
    ),
}
"""Those of PS3.16 annex L that name a part of a person, by where they lie; some in several."""


def are_far_apart(part: str, others: Collection[str]) -> bool:
    """Whether a body part is none of the others, nor next to one of them.

    Args:
        part: a term as BodyPartExamined has it. One that is not known is far from nothing.
        others: likewise; those that are not known say nothing.

    Example:
        >>> are_far_apart("FOOT", ["LIVER"]), are_far_apart("CHEST", ["LIVER"])
        (True, False)
    """
    own = _list_places(part)
    places = {place for other in others for place in _list_places(other)}
    if not own or not places:
        return False
    return not any(_are_near(a, b) for a in own for b in places)


def _list_places(part: str) -> set[int]:
    return {place for place, terms in _TERMS.items() if part.upper() in terms}


def _are_near(a: int, b: int) -> bool:
    """Whether two places are one or touch; limbs, of which small fields are scanned, are alone."""
    return a == b or (abs(a - b) == 1 and not {a, b} & {LEG, ARM})
