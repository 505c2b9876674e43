"""medseg: medical image segmentation with the UNet++ family, on MONAI, PyTorch and Ignite.

Importing this package imports none of its parts, `import medseg.networks` and the like do; it turns
off the telemetry of the packages below, see `medseg.base.telemetry`.
"""

from importlib.metadata import version

from medseg.base.telemetry import turn_off as _turn_off_telemetry

_turn_off_telemetry()

__version__ = version("medseg")
