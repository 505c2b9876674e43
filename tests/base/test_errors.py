"""Tests of medseg.base.errors."""

import contextlib
import errno
import gc
import json
import os
import shutil
import subprocess
import sys
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from medseg.base import errors, watch
from medseg.bundles import build
from medseg.networks import NestedUNet, load_weights


def _raised(call) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - any error is passed on
        call()
    return caught.value


def _documented() -> None:
    build.list_names("/nowhere")


def _run(statement: str, **environment: str) -> subprocess.CompletedProcess:
    start = "from medseg.base import errors\nfrom medseg.bundles import build\n"
    code = f"{start}errors.print_errors_in_one_line()\n{statement}"
    known = {key: value for key, value in os.environ.items() if key != "MEDSEG_TRACEBACK"}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**known, **environment}
    )


def test_the_root_cause_is_the_first_error_of_the_chain():
    first = ValueError("the reason")
    second, third = RuntimeError("applying transform"), RuntimeError("instantiating")
    second.__cause__, third.__cause__ = first, second
    assert errors.find_root_cause(third) is first
    assert errors.find_root_cause(first) is first


def _ring() -> tuple[BaseException, BaseException]:
    """Two errors that stand behind each other, as `raise first from second` can leave them."""
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__context__, second.__cause__ = second, first, first
    return first, second


def test_causes_in_a_ring_are_each_named_once():
    first, second = _ring()
    assert [*errors.list_causes(first)] == [first, second]
    assert errors.find_root_cause(first) is second
    assert errors.explain_config_fault(first) is None
    assert errors.explain_lost_process(first) is None


def test_the_frames_of_errors_that_stand_behind_each_other_are_cleared():
    images = []

    def fail(error: BaseException) -> None:
        image = np.zeros(1)
        images.append(weakref.ref(image))
        raise error

    first, second = _ring()
    for error in (first, second):
        with contextlib.suppress(ValueError):
            fail(error)
    first.__cause__, second.__context__ = second, first
    assert all(image() is not None for image in images)
    errors.forget_frames(first)
    gc.collect()
    assert [image() for image in images] == [None, None]


def test_a_documented_error_hides_the_one_it_explains(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"cut short")
    explained = _raised(lambda: load_weights(NestedUNet(2, 1, 1), tmp_path / "model.pt"))
    wrapper = RuntimeError("Failed to evaluate '$medseg.networks.load_weights(...)'")
    wrapper.__cause__ = explained
    assert explained.__cause__ is not None
    assert errors.find_root_cause(wrapper) is explained


def test_an_error_that_medseg_raises_is_documented():
    assert errors.is_documented(_raised(_documented))


def test_a_package_of_an_extra_that_is_missing_is_documented(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    assert errors.is_documented(_raised(lambda: NestedUNet(2, 1, 1, encoder="timm/nothing")))


def test_an_error_from_elsewhere_is_not_documented():
    assert not errors.is_documented(_raised(lambda: int("x")))
    assert not errors.is_documented(ValueError("never raised"))


def test_an_error_below_medseg_is_not_documented():
    assert not errors.is_documented(_raised(lambda: json.loads("{")))


def test_an_uncaught_documented_error_is_one_line():
    ran = _run("build.list_names('/nowhere')")
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: /nowhere holds no layers/tasks")
    assert len(ran.stderr.splitlines()) == 1


def test_the_cause_is_told_not_its_wrapper():
    ran = _run(
        "try:\n    build.list_names('/a')\nexcept OSError as e:\n    raise KeyError(1) from e"
    )
    assert ran.stderr.startswith("error: /a holds no layers/tasks")


def test_an_undocumented_error_keeps_its_traceback():
    ran = _run("1 / 0")
    assert ran.returncode == 1
    assert "Traceback" in ran.stderr


def test_a_process_that_lost_another_of_its_run_points_to_that_one():
    lost = RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:1")
    wrapper = RuntimeError("Failed to evaluate '$@train#trainer.run()'")
    wrapper.__cause__ = lost
    said = errors.explain_lost_process(lost)
    assert said == errors.explain_lost_process(wrapper)
    assert said is not None
    assert said.startswith("another process of this run has ended: see its own message")


@pytest.mark.parametrize(
    "error", [ConnectionResetError("Connection reset by peer"), RuntimeError("out of memory")]
)
def test_a_lost_download_or_any_other_error_is_no_lost_process(error):
    assert errors.explain_lost_process(error) is None


def test_the_environment_brings_the_traceback_back():
    ran = _run("build.list_names('/nowhere')", MEDSEG_TRACEBACK="1")
    assert ran.returncode == 1
    assert "Traceback" in ran.stderr


@pytest.mark.parametrize(("value", "shown"), [("1", True), ("", False)])
def test_an_empty_variable_asks_for_nothing(monkeypatch, value, shown):
    monkeypatch.setenv("MEDSEG_TRACEBACK", value)
    assert errors.show_traceback() is shown


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO]
)
def test_a_disk_that_fails_is_one_line_whoever_noticed_it(number):
    error = RuntimeError("cannot write")
    error.__cause__ = OSError(number, os.strerror(number), "events.out")
    assert errors.explain_disk_fault(error).startswith(
        f"the disk fails for events.out ({os.strerror(number)}): "
    )
    assert errors.explain_disk_fault(OSError(errno.ENOENT, "no such file")) is None
    assert errors.explain_disk_fault(ValueError("x")) is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_folder_that_is_gone_is_named_whoever_noticed(tmp_path):
    """TensorBoard's thread meets it first, and its error reaches whoever writes a curve."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(tmp_path / "run")
    shutil.rmtree(tmp_path / "run")

    def write():
        for step in range(100):
            writer.add_scalar("loss", 0.0, step)
            writer.flush()

    said = errors.explain_folder_fault(_raised(write))
    assert said.startswith(f"{tmp_path / 'run'} is not there, it was removed, moved or replaced")
    assert "\n" not in said


def test_a_file_that_is_missing_in_a_folder_is_another_fault(tmp_path):
    assert errors.explain_folder_fault(_raised((tmp_path / "a").read_bytes)) is None
    assert errors.explain_folder_fault(_raised((tmp_path / "b" / "a").read_bytes)) is not None
    assert errors.explain_folder_fault(ValueError("x")) is None


def test_a_disk_fault_without_a_file_names_the_folders_of_the_run(tmp_path, monkeypatch):
    """TensorBoard's writer says no more than "No space left on device"."""
    monkeypatch.setattr(watch, "_remembered", {})
    monkeypatch.setattr(watch, "_watches", set())  # those of other tests may still be there
    for name in ("runs", "models"):
        (tmp_path / name).mkdir()
        watch.remember(tmp_path / name)
    watch.remember(tmp_path / "runs" / "liver")  # not made yet
    runs, models = tmp_path / "runs", tmp_path / "models"
    free = {runs: 0, models: 2**40}
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=free[folder]))
    line = errors.explain_disk_fault(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert line.startswith(
        f"the disk fails for {runs} or {runs / 'liver'} (No space left on device)"
    )
    free[runs] = 2**40  # a quota does not show in what the disk has left
    line = errors.explain_disk_fault(OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)))
    assert line.startswith(f"the disk fails for {runs} or {models} or {runs / 'liver'} (")


def test_a_thread_whose_disk_fails_leaves_the_word_to_who_waits_for_it():
    code = (
        "import errno, os, sys, threading\n"
        "from medseg.base.errors import print_errors_in_one_line\n"
        "print_errors_in_one_line()\n"
        "def fail(number):\n"
        "    raise OSError(number, os.strerror(number))\n"
        "for number in (errno.ENOSPC, errno.ENOENT):\n"
        "    thread = threading.Thread(target=fail, args=(number,))\n"
        "    thread.start()\n"
        "    thread.join()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "No space left" not in done.stderr
    assert "No such file" in done.stderr


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 9.09 TiB for an array"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allo"
            "cate memory: you tried to allocate 192000000000000 bytes."
        ),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
    ],
)
def test_a_memory_that_is_too_small_is_one_line_with_what_to_lower(error):
    wrapped = RuntimeError("Failed to evaluate")
    wrapped.__cause__ = error
    assert errors.explain_memory_fault(wrapped).startswith("there is not enough memory (")
    assert "lower --batch_size, --image_size" in errors.explain_memory_fault(error)
    assert "\n" not in errors.explain_memory_fault(error)


def test_another_runtime_error_is_no_want_of_memory():
    assert (
        errors.explain_memory_fault(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
        is None
    )
    assert errors.explain_memory_fault(ValueError("out of memory")) is None


def test_torch_says_what_is_known_here_when_it_gets_no_memory():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50, dtype=torch.uint8)
    assert errors.explain_memory_fault(caught.value) is not None


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ELOOP, errno.EISDIR])
def test_a_path_that_the_system_refuses_is_one_line_whoever_opened_it(number):
    error = OSError(number, os.strerror(number), "data/a.nii")
    message = f"data/a.nii cannot be used ({os.strerror(number)}): correct its permissions"
    assert str(errors.format_error(error)).startswith(message)
    wrapped = RuntimeError("Failed to evaluate")
    wrapped.__cause__ = error
    assert str(errors.format_error(wrapped)).startswith(message)


def test_other_errors_are_not_of_a_path():
    assert errors.explain_access_fault(OSError("no number")) is None
    assert errors.explain_access_fault(PermissionError(errno.EACCES, "no name")) is None
    assert errors.explain_access_fault(FileNotFoundError(errno.ENOENT, "not there", "a")) is None
    assert errors.format_error(RuntimeError("a bug")) is None


@pytest.mark.parametrize(
    "config",
    [
        {"imports": ["$import medseg.base.errors"], "x": "$medseg.base.errors.of_another()"},
        {"x": {"_target_": "medseg.engines.OfAnotherVersion"}},
    ],
)
def test_a_config_of_another_version_is_one_line(config):
    from monai.bundle import ConfigParser

    imports = ["$import medseg", *config.get("imports", [])]
    with pytest.raises(Exception) as caught:  # noqa: PT011 - MONAI's own
        ConfigParser({**config, "imports": imports}).get_parsed_content("x")
    said = errors.format_error(caught.value)
    assert said is not None
    assert "the config was made by another version of medseg; use that version" in said
    assert "\n" not in said


def test_our_own_faults_are_not_taken_for_another_version():
    assert errors.format_error(AttributeError("'NoneType' object has no attribute 'x'")) is None


def test_a_class_that_no_package_has_is_named():
    absent = ModuleNotFoundError("Cannot locate class or function path: 'monai.losses.Nonsense'.")
    said = errors.format_error(absent)
    assert said is not None
    assert said.startswith("monai.losses.Nonsense is not there: correct that _target_")
    assert errors.explain_missing_class(ModuleNotFoundError("No module named 'x'")) is None


def test_a_want_of_memory_that_medseg_states_keeps_its_own_remedy():
    frame = {"__name__": "medseg.x"}
    exec("def state(): raise MemoryError('pass --cache disk')", frame)
    with pytest.raises(MemoryError) as caught:
        frame["state"]()
    assert errors.format_error(caught.value) == "pass --cache disk"
    exec("def run_out(): raise MemoryError", frame)
    with pytest.raises(MemoryError) as caught:
        frame["run_out"]()
    assert errors.format_error(caught.value).startswith("there is not enough memory (MemoryError)")


def test_a_reader_that_the_system_ends_is_want_of_memory():
    ended = RuntimeError("DataLoader worker (pid 9) is killed by signal: Killed. ")
    assert errors.explain_memory_fault(ended).startswith("there is not enough memory (DataLoader")


def test_a_missing_package_of_ours_keeps_its_traceback():
    others = ModuleNotFoundError("No module named 'x'", name="x")
    assert "No module named 'x'): install it" in errors.explain_missing_package(others)
    ours = ModuleNotFoundError("No module named 'medseg.x'", name="medseg.x")
    assert errors.explain_missing_package(ours) is None
