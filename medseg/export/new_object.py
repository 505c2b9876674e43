"""New object: what the DICOM objects that medseg writes with highdicom have in common."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from medseg.base.console_streams import log_from
from medseg.export.segments import MANUFACTURER, Algorithm, find_software_version
from medseg.export.texts import make_long_string
from medseg.export.uids import make_uid


def describe_object(
    kind: str, identity: str, algorithm: Algorithm, *, series_number: int, description: str
) -> dict[str, Any]:
    """The arguments of highdicom that say which object this is, and what made it.

    Args:
        kind: of the object, such as "seg"; objects of two kinds are in different series.
        identity: its SOP Instance UID.
        algorithm: what made the content.
        series_number: of the series that the object is in.
        description: of that series.

    Example:
        >>> describe_object("seg", "2.25.1", Algorithm("liver", "1.0"), series_number=900,
        ...                 description="liver")["manufacturer"]
        'medseg'
    """
    return {
        "series_instance_uid": make_uid(f"{kind} series", identity),
        "series_number": series_number,
        "series_description": make_long_string(description),
        "sop_instance_uid": identity,
        "instance_number": 1,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": make_long_string(algorithm.name),
        "software_versions": find_software_version(),
        "device_serial_number": make_long_string(algorithm.version),
    }


@contextmanager
def hush_highdicom() -> Iterator[None]:
    """Within the block, keep highdicom from logging UIDs, and from warning of names it quotes."""
    with log_from(logging.getLogger("highdicom"), logging.CRITICAL), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The string .* person name")
        yield
