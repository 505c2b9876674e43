"""Tests of medseg.planning.collect_notes."""

import logging

import pytest

from medseg.planning.collect_notes import collect_notes

logger = logging.getLogger("medseg.datasets.own.pair_files")


def test_each_warning_of_the_block_is_kept_once_and_none_after_it():
    with collect_notes() as notes:
        logger.warning("%d cases", 3)
        logger.info("no warning")
        logger.warning("3 cases")
        logging.getLogger("other").warning("of another program")
        logger.error("and a fault")
    logger.warning("later")
    assert notes == ["3 cases", "and a fault"]


def test_warnings_are_still_printed_where_no_other_handler_is(monkeypatch, capsys):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with collect_notes() as notes:
        logger.warning("%d cases", 3)
    assert capsys.readouterr().err == "3 cases\n"
    assert notes == ["3 cases"]


def test_no_handler_stays_where_the_block_fails():
    before = list(logging.getLogger("medseg").handlers)
    with pytest.raises(ValueError, match="x"), collect_notes():
        raise ValueError("x")
    assert logging.getLogger("medseg").handlers == before
