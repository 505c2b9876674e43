"""Console: the log on the standard error, without modules; on a terminal it has no time either."""

import logging
import sys

from medseg.base.console_streams import is_on_terminal

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
"""The format of the `logging.conf` of every bundle, and of run.log."""

_SHOWN = "%(asctime)s %(levelname)s: %(message)s"
"""The same without the module, which says nothing to a user."""

_LEVELS = {"ignite": logging.CRITICAL, "monai.data.nvimgcodec_pydicom_plugin": logging.ERROR}
"""Levels for loggers of other packages whose messages nobody needs, as in each `logging.conf`."""


class PlainFormatter(logging.Formatter):
    """Formats a record as its message; a warning or an error begins with its level.

    Example:
        >>> record = logging.LogRecord("a", logging.WARNING, "", 0, "it is %s", ("odd",), None)
        >>> PlainFormatter().format(record)
        'warning: it is odd'
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        return f"{level}{super().format(record)}"


def log_to_console() -> None:
    """Log to the standard error as the `logging.conf` of a bundle says, if no log is set up.

    Example:
        >>> log_to_console()
    """
    if logging.root.handlers:
        return
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=FORMAT)
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)


def log_plainly() -> None:
    """Log to the standard error without modules, and to a terminal without time, in one style.

    A format that the user chose by another `logging.conf` stays. Call it again for new handlers.
    """
    for handler in logging.root.handlers:
        formatter = getattr(handler.formatter, "inner", handler.formatter)
        is_ours = formatter is not None and formatter._fmt == FORMAT
        if is_ours and isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr:
            plain = PlainFormatter() if is_on_terminal() else logging.Formatter(_SHOWN)
            handler.setFormatter(plain)
