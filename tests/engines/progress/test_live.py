"""Tests of medseg.engines.progress.live: the display on a terminal."""

import logging
from contextlib import redirect_stderr

import pytest
from engines.progress.terminal import Terminal

from medseg.engines.progress.live import LiveDisplay


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


@pytest.fixture
def display():
    return LiveDisplay("own")


def test_it_opens_with_what_the_run_is(display, terminal):
    with redirect_stderr(terminal):
        display.open({"bundle": "liver", "folder": "runs/liver/1"})
        display.close()
    assert "liver" in terminal.getvalue()
    assert "runs/liver/1" in terminal.getvalue()


def test_the_bar_counts_and_shows_the_note_of_each_step(display, terminal):
    with redirect_stderr(terminal):
        display.open({})
        display.begin("epoch 1/2", 3)
        for loss in ("loss 0.5", "loss 0.25"):
            display.advance(loss)
        display._bars.refresh()
    shown = terminal.getvalue()
    assert "epoch 1/2" in shown
    assert "2/3" in shown
    assert "loss 0.25" in shown


def test_a_line_is_shown_without_markup_and_printable(display, terminal):
    with redirect_stderr(terminal):
        display.open({})
        display.say("class [red]x[/] \x1b[31m")
    assert "class [red]x[/] \\x1b[31m" in terminal.getvalue()


def test_what_others_log_is_shown_above_and_what_the_caller_logs_is_not(display, terminal):
    with redirect_stderr(terminal):
        handler = logging.StreamHandler(terminal)
        logging.root.addHandler(handler)
        logging.root.setLevel(logging.INFO)
        display.open({})
        logging.getLogger("other").info("of another")
        logging.getLogger("own").info("of the caller")
        display.close()
        logging.getLogger("own").info("after the end")
    shown = terminal.getvalue()
    assert "of another" in shown
    assert "of the caller" not in shown
    assert "after the end" in shown
    assert handler.stream is terminal


def test_after_the_end_nothing_moves(display, terminal):
    with redirect_stderr(terminal):
        display.open({})
        display.close()
        display.close()
        before = terminal.getvalue()
        display.begin("epoch 2/2", 1)
        display.advance()
    assert terminal.getvalue() == before
