"""Tests of medseg.inference.cases.report: what a program learns of the cases."""

import logging

from medseg.inference.cases import report
from medseg.inference.cases.report import DONE, REPORT, report_case


def test_a_report_is_told_to_those_who_listen_and_is_no_line_of_the_log(caplog):
    told = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(getattr(record, REPORT))
    logger = logging.getLogger(report.__name__)
    logger.addHandler(handler)
    with caplog.at_level(logging.DEBUG):
        report_case(DONE, "a", seconds=1.5)
    logger.removeHandler(handler)
    report_case(DONE, "b")
    assert told == [(DONE, {"case": "a", "seconds": 1.5})]
    assert not caplog.records
