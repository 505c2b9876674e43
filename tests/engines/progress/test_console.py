"""Tests of medseg.engines.progress.console: the style of a log on a terminal and elsewhere."""

import configparser
import io
import logging
import os
import pty
import subprocess
import sys
from contextlib import redirect_stderr
from pathlib import Path

import pytest
from engines.progress.terminal import Terminal

from medseg.base.text import log_printable_text
from medseg.engines.progress.console import _LEVELS, FORMAT, log_plainly, log_to_console

CONFIG = Path(__file__).resolve().parents[3] / "bundles/layers/logging.conf"
RUN = (
    "import logging.config, sys; logging.config.fileConfig(sys.argv[1]);"
    "from medseg.engines import keep_log; keep_log(); logging.info('12 slices')"
)


def log_to(stream, form=FORMAT):
    """What is logged to a stream that is the standard error, by a handler of this format."""
    with redirect_stderr(stream):
        logging.root.addHandler(logging.StreamHandler())
        logging.root.handlers[-1].setFormatter(logging.Formatter(form))
        logging.root.setLevel(logging.INFO)
        log_printable_text()
        log_plainly()
        log_printable_text()
        logging.info("12 slices")
        logging.warning("it is %s", "odd")
        logging.error("gone")
    return stream.getvalue().splitlines()


def test_on_a_terminal_a_line_is_its_message(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert log_to(Terminal()) == ["12 slices", "warning: it is odd", "error: gone"]


def test_a_format_of_the_user_stays(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert log_to(Terminal(), "mine: %(message)s")[0] == "mine: 12 slices"


def test_elsewhere_each_line_has_time_and_level_and_no_module():
    assert [line.split(maxsplit=2)[2] for line in log_to(io.StringIO())] == [
        *("INFO: 12 slices", "WARNING: it is odd", "ERROR: gone"),
    ]


def test_the_format_is_that_of_the_bundles():
    config = configparser.RawConfigParser()
    config.read(CONFIG)
    assert config["formatter_plain"]["format"] == FORMAT


def test_where_no_log_is_set_up_it_is_as_the_bundles_say(monkeypatch):
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    levels = {name: logging.getLogger(name).level for name in _LEVELS}
    try:
        with redirect_stderr(io.StringIO()) as stream:
            log_to_console()
            log_to_console()
            logging.info("12 slices")
            logging.getLogger("ignite").error("which nobody needs")
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
    assert [line.split(maxsplit=2)[2] for line in stream.getvalue().splitlines()] == [
        "INFO root: 12 slices"
    ]
    config = configparser.RawConfigParser()
    config.read(CONFIG)
    loggers = [config[name] for name in config if "qualname" in config[name]]
    stated = {logger["qualname"]: logger["level"] for logger in loggers}
    assert {name: logging.getLevelName(level) for name, level in _LEVELS.items()}.items() <= (
        stated.items()
    )


def read_to_the_end(terminal):
    """What is written to a terminal, until the last writer is gone."""
    found = b""
    while True:
        try:
            found += os.read(terminal, 4096)
        except OSError:  # of Linux, where nobody writes any more
            return found.decode()


@pytest.mark.long
def test_a_process_on_a_terminal_logs_plainly():
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", RUN, str(CONFIG)]
    with subprocess.Popen(command, stderr=theirs, env={**os.environ, "TERM": "xterm"}) as process:
        os.close(theirs)
        shown = read_to_the_end(ours)
    os.close(ours)
    assert process.returncode == 0
    assert shown == "12 slices\r\n"
