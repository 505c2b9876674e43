"""Run log: everything that a training logs, in the file run.log of its folder.

What is logged before the folder is in use, such as MONAI's summary of the overrides, is kept until
then. A run that is refused before its first epoch writes no file.
"""

import logging
import os
import warnings
from collections import deque
from contextlib import suppress
from pathlib import Path

from medseg.base.text import log_printable_text
from medseg.engines.progress.console import FORMAT, log_plainly, log_to_console

RUN_LOG = "run.log"
_LONGEST = 1000  # lines that are kept before a training begins


def keep_log(*, console: bool = False) -> None:
    """From now on, keep what is logged for the log of a run, and let MONAI log as all others do.

    MONAI's loggers write to the standard output, in a style of their own. Now they take part in the
    one log: their warnings go to the standard error, and their other messages only to run.log.
    Warnings for MONAI's own developers are ignored. On a terminal the lines of the log have neither
    time nor module. A second call changes nothing.

    Args:
        console: set up a log on the standard error where there is none, because no `logging.conf`
            is read later.

    Example:
        >>> keep_log()
    """
    if console:
        log_to_console()
    warnings.filterwarnings("ignore", module=r"monai\.")
    logging.captureWarnings(True)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("monai."):
            _join(logging.getLogger(name))
    if not any(isinstance(handler, (_Kept, _File)) for handler in logging.root.handlers):
        logging.root.addHandler(_kept)
    log_plainly()
    log_printable_text()


class RunLog:
    """The file run.log, from the start of a training to its end; a resumed run goes on with it.

    If the disk is full, a missing log line does not end the run; the other files raise the error.

    Args:
        folder: of the run.

    Raises:
        OSError: in `open`, the file cannot be written.

    Example:
        >>> log = RunLog("runs/liver/2026-01-02_03-04-05")
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.path = Path(folder) / RUN_LOG
        self._file: _File | None = None

    def open(self) -> None:
        """Write what was kept, and from now on all that is logged."""
        self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = _File(self.path, encoding="utf-8")
        self._file.setFormatter(logging.Formatter(FORMAT))
        self._file.write([*_kept.lines])
        _kept.lines.clear()
        logging.root.removeHandler(_kept)
        logging.root.addHandler(self._file)
        log_printable_text()

    def close(self) -> None:
        """Write no more; a second call does nothing."""
        if self._file is not None:
            logging.root.removeHandler(self._file)
            self._file.close()
            self._file = None


class _Kept(logging.Handler):
    """Keeps the last lines as text, since the traceback of a record may keep images in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=_LONGEST)
        self.setFormatter(logging.Formatter(FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record as a line."""
        self.lines.append(self.format(record))


_kept = _Kept()


class _File(logging.FileHandler):
    """A log file; lines that cannot be written are left out."""

    def write(self, lines: list[str]) -> None:
        """Write lines that are formatted."""
        if self.stream is not None:
            with suppress(OSError):
                self.stream.writelines(f"{line}\n" for line in lines)
                self.flush()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Ignore a line that cannot be written, see `RunLog`."""


class _Joined(logging.Handler):
    """Hands what MONAI logs to the handlers of the root logger, to the console only warnings."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record on."""
        handlers = list(logging.root.handlers)
        if not any(isinstance(handler, (_Kept, _File)) for handler in handlers):
            handlers.append(_kept)  # MONAI sets up the log anew before it reads a config
        for handler in handlers:
            is_log = isinstance(handler, (_Kept, _File))
            if is_log or record.levelno >= max(handler.level, logging.WARNING):
                handler.handle(record)


_joined = _Joined()


def _join(logger: logging.Logger) -> None:
    """Let one of MONAI's loggers take part in the log, not write to a stream of its own."""
    for handler in list(logger.handlers):
        if type(handler) is logging.StreamHandler:
            logger.removeHandler(handler)
    logger.propagate = False
    logger.addHandler(_joined)
