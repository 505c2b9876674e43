"""medseg: medical image segmentation with the UNet++ family, on MONAI, PyTorch and Ignite.

Importing this package imports none of its parts, `import medseg.networks` and the like do; it turns
off the telemetry of the packages below, see `medseg.base.telemetry`. `medseg.segment` and
`medseg.Segmenter` are imported when they are asked for.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

from medseg.base.telemetry import turn_off as _turn_off_telemetry

_turn_off_telemetry()

__version__ = version("medseg")

_FUNCTIONS = ("Segmenter", "segment")


def __getattr__(name: str) -> Any:
    """What is public at the top, imported when it is asked for."""
    if name in _FUNCTIONS:
        return getattr(import_module("medseg.bundles.segmenter"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
