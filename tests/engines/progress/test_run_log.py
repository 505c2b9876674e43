"""Tests of medseg.engines.progress.run_log: the file run.log of a run."""

import io
import logging

import pytest

from medseg.engines.progress import run_log
from medseg.engines.progress.run_log import RUN_LOG, RunLog, keep_log

logger = logging.getLogger("medseg.test_run_log")


@pytest.fixture
def console():
    """The console of a process, as a bundle's logging.conf sets it up."""
    stream = io.StringIO()
    logging.root.addHandler(logging.StreamHandler(stream))
    logging.root.setLevel(logging.INFO)
    run_log._kept.lines.clear()
    yield stream
    logging.captureWarnings(False)


@pytest.fixture
def monai_logger(console):
    """One of MONAI's, which has a stream of its own."""
    found, stream = logging.getLogger("monai.test_run_log"), io.StringIO()
    found.setLevel(logging.INFO)
    found.propagate = False
    own = logging.StreamHandler(stream)
    found.addHandler(own)
    yield found, stream
    found.handlers.clear()


def test_the_log_of_a_run_begins_with_what_was_logged_before_its_folder_was_known(
    tmp_path, console
):
    keep_log()
    logger.info("before")
    log = RunLog(tmp_path)
    log.open()
    logger.info("within")
    log.close()
    logger.info("after")
    lines = (tmp_path / RUN_LOG).read_text().splitlines()
    assert [line.split(": ")[1] for line in lines] == ["before", "within"]
    assert all(" INFO medseg.test_run_log: " in line for line in lines)
    assert console.getvalue().split() == ["before", "within", "after"]


def test_a_run_that_does_not_begin_writes_no_log(tmp_path, console):
    keep_log()
    RunLog(tmp_path)
    logger.info("refused")
    assert not (tmp_path / RUN_LOG).exists()


def test_a_resumed_run_goes_on_with_its_log(tmp_path, console):
    for line in ("one", "two"):
        log = RunLog(tmp_path)
        log.open()
        logger.info(line)
        log.close()
    assert [line[-3:] for line in (tmp_path / RUN_LOG).read_text().splitlines()] == ["one", "two"]


def test_what_monai_informs_of_is_in_the_log_alone_and_its_warnings_on_the_console_too(
    tmp_path, console, monai_logger
):
    monai, own = monai_logger
    keep_log()
    monai.info("summary")
    log = RunLog(tmp_path)
    log.open()
    monai.warning("beware")
    log.close()
    written = (tmp_path / RUN_LOG).read_text()
    assert "summary" in written
    assert "beware" in written
    assert console.getvalue() == "beware\n"
    assert own.getvalue() == ""


def test_what_monai_logs_while_the_log_is_set_up_anew_is_kept(tmp_path, console, monai_logger):
    """As MONAI does by logging.conf, and then says so."""
    keep_log()
    for handler in list(logging.root.handlers):
        logging.root.removeHandler(handler)
    monai_logger[0].info("set up")
    log = RunLog(tmp_path)
    log.open()
    log.close()
    assert "set up" in (tmp_path / RUN_LOG).read_text()
    assert console.getvalue() == ""


def test_calling_it_twice_changes_nothing(tmp_path, console):
    keep_log()
    keep_log()
    logger.info("once")
    log = RunLog(tmp_path)
    log.open()
    keep_log()
    logger.info("again")
    log.close()
    assert (tmp_path / RUN_LOG).read_text().count("once") == 1
    assert (tmp_path / RUN_LOG).read_text().count("again") == 1


def test_a_disk_that_takes_no_more_does_not_end_the_run(tmp_path, console, capsys):
    log = RunLog(tmp_path)
    log.open()

    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    log._file.stream.close()
    log._file.stream = Full()
    logger.info("lost")
    log.close()
    assert capsys.readouterr().err == ""


def test_only_the_last_thousand_lines_are_kept(console):
    keep_log()
    for number in range(1500):
        logger.info("%d", number)
    assert len(run_log._kept.lines) == 1000
    assert run_log._kept.lines[0].endswith(": 500")
