"""Source: the values of the file that an image came from, read again and without a word."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from monai.data import MetaTensor
from monai.data.image_reader import ImageReader
from monai.utils import ImageMetaKey

VALUES = "values"
"""The key of a case's data with the values of its file, as `read_again` gives them, for writers
that are called while the preview is made."""

DRAWN = "drawn"
"""The key of a case's data with the path of its preview, for the same writers: it is drawn already,
and does not lie in its place yet."""


def read_again(image: MetaTensor, reader: ImageReader) -> np.ndarray:
    """The values of the file that an image came from; of several channels of a volume the first.

    What the reader logs is left out: it said so when it read the image for the network.

    Raises:
        ValueError: the file has another shape by now.
    """
    path = image.meta[ImageMetaKey.FILENAME_OR_OBJ]
    shape = tuple(int(n) for n in image.meta["spatial_shape"])
    with silence_thread("medseg.ingest"):
        values = reader.get_data(reader.read(path))[0]
    if values.shape[-len(shape) :] != shape:
        raise ValueError(
            f"{path} has the shape {values.shape} and had {shape} when it was segmented: it was "
            "changed in between, segment it again"
        )
    return values[0] if values.ndim == 4 else values


@contextmanager
def silence_thread(package: str) -> Iterator[None]:
    """Drop what the loggers of a package and of its modules log in this thread.

    Other threads log as ever, such as the one that reads the next case.
    """
    here = threading.get_ident()

    def is_of_another_thread(record: logging.LogRecord) -> bool:
        return record.thread != here

    names = [n for n in logging.root.manager.loggerDict if f"{n}.".startswith(f"{package}.")]
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addFilter(is_of_another_thread)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_of_another_thread)
