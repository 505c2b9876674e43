"""medseg: medical image segmentation with the UNet++ family, on MONAI, PyTorch and Ignite.

Importing this package imports none of its parts; `import medseg.networks` and the like do.
"""

from importlib.metadata import version

__version__ = version("medseg")
