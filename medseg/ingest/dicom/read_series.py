"""Read series: decode a series that was found into one volume of physical values.

It is the last step of `medseg.ingest.load`, and public, as `find_series` is: whoever judges series
before reading them calls the two one by one.
"""

from __future__ import annotations

import logging

import numpy as np

from medseg.geometry import Geometry
from medseg.ingest.dicom.pixels.rescale import CT_PADDING_HU, read_volume
from medseg.ingest.dicom.resample import resample
from medseg.ingest.dicom.series import Series
from medseg.ingest.reasons import IngestError, Verdict

logger = logging.getLogger(__name__)


def read_series(series: Series) -> tuple[np.ndarray, Geometry]:
    """Decode a series that `find_series` found; what was repaired or noted is logged.

    Returns:
        The volume (columns, rows, slices), in HU for CT, of the type that `read_volume` gives, and
        its geometry.

    Raises:
        IngestError: the series is refused, or its pixels cannot be decoded.

    Example:
        >>> (series,) = find_series("study")  # doctest: +SKIP
        >>> volume, geometry = read_series(series)  # doctest: +SKIP
    """
    if series.verdict is Verdict.REFUSE or series.geometry is None:
        raise IngestError(series.reason, series.finding, remedy=series.remedies[0])
    if series.message:
        logger.warning("%s", series.message)
    volume = read_volume(series.slices)
    if series.resampling is not None:
        fill = CT_PADDING_HU if series.slices[0].rescaled_kind == "CT" else 0
        volume = resample(volume, series.resampling, fill=fill)
    return volume, series.geometry
