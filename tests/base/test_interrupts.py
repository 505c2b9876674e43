"""Tests of medseg.base.interrupts: an interrupt is one, whatever becomes of it in an import."""

import signal
import subprocess
import sys

import pytest

from medseg.base.interrupts import get_remedy, set_remedy

PRESS = "import os, signal; press = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
SWALLOW = "\n try:\n  press()\n except BaseException:\n  {}"
HALF = "raise ImportError('cannot load module more than once')"


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRESS + code],
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def test_an_interrupt_in_an_import_ends_the_process_though_the_import_swallows_it():
    begin = "from medseg.base.interrupts import *; remember_interrupts()\n"
    ended = run(f"{begin}with end_at_once('interrupted: run it again'):{SWALLOW.format('pass')}")
    assert (ended.returncode, ended.stderr) == (130, "\ninterrupted: run it again\n")


def test_what_is_said_is_the_text_of_the_command_unless_another_was_set():
    assert get_remedy("run it again") == "run it again"
    set_remedy(lambda: "go on with b")
    assert get_remedy("run it again") == "go on with b"
    set_remedy(None)
    assert get_remedy("run it again") == "run it again"


def test_an_interrupt_after_the_imports_raises_as_ever():
    ended = run(
        "from medseg.base.interrupts import *; remember_interrupts()\n"
        "with end_at_once('interrupted: nothing was begun'): pass\n"
        "try: press()\nexcept KeyboardInterrupt: print(was_interrupted())\n"
    )
    assert (ended.returncode, ended.stdout) == (0, "True\n")


@pytest.mark.parametrize(("seconds", "is_said"), [(0, False), (0.5, True)])
def test_an_interrupt_that_takes_long_to_end_is_acknowledged_once(seconds, is_said):
    ended = run(
        "import time\nfrom medseg.base import interrupts\ninterrupts._PATIENCE_S = 0.1\n"
        "interrupts.remember_interrupts()\n"
        "for _ in range(2):\n try: press()\n except KeyboardInterrupt: pass\n"
        f"time.sleep({seconds}); print(interrupts.get_remedy('end')); time.sleep(0.3)\n"
    )
    assert ended.stderr == "\nstopping: the step that runs now is ended first\n" * is_said


def test_a_handler_of_somebody_else_is_left_in_place():
    ended = run(
        "from medseg.base.interrupts import *; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "remember_interrupts()\n"
        "with end_at_once('interrupted: nothing was begun'): press()\n"
        "print(was_interrupted())"
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "False\n", "")


@pytest.mark.parametrize("fault", [HALF, "raise RuntimeError('Failed to evaluate')"])
def test_an_error_that_an_interrupt_causes_is_told_as_the_interrupt(fault):
    ended = run(
        "from medseg.base.interrupts import *; remember_interrupts()\n"
        "from medseg.cli.errors import one_line_errors\n"
        f"with one_line_errors('go on'):{SWALLOW.format(fault)}"
    )
    assert ended.stderr.startswith("\ninterrupted: go on\n")


def test_a_bundle_that_monai_runs_tells_it_likewise():
    swallow = SWALLOW.format(HALF).replace("\n ", "\n")
    code = "from medseg.base import errors; errors.print_errors_in_one_line()"
    ended = run(code + swallow)
    assert ended.stderr.startswith("interrupted: finished work is kept: ")
    assert len(ended.stderr.splitlines()) == 1
