"""Tests of medseg.inference.cases.run: what a case that fails costs the others."""

import logging
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import weakref
from contextlib import nullcontext
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import Dataset
from monai.engines import SupervisedEvaluator
from monai.inferers import SimpleInferer
from monai.transforms import Compose, EnsureChannelFirstd, Lambdad, LoadImaged

from medseg.base.files import whole
from medseg.inference import (
    CasesFailedError,
    OverlapTileInferer,
    Predictor,
    find_cases,
    run_cases,
)
from medseg.inference.cases import report
from medseg.inference.cases.read_ahead import COPIES_OF_NEXT
from medseg.inference.cases.report import REPORT
from medseg.inference.cases.run import plan_cases
from medseg.inference.outputs.case_files import CaseFiles
from medseg.inference.outputs.notes import add_found
from medseg.inference.tiles.sweep import CancelledError
from medseg.ingest.reader import VolumeReader
from medseg.networks import NestedUNet


class Sum(torch.nn.Module):
    """A network that fails where a case says so."""

    def forward(self, x):
        if x.max() % 13 == 0:
            raise ZeroDivisionError("thirteen")
        return x


def evaluator(*, done, postprocessing=None):
    """An evaluator that writes down which values it has done."""

    def note(data):
        if data["pred"].max() == 7:
            raise RuntimeError("seven")
        done.append(int(data["pred"].max()))
        return data

    return SupervisedEvaluator(
        device="cpu",
        val_data_loader=[],
        epoch_length=1,
        network=Sum(),
        postprocessing=postprocessing or note,
    )


def dataset(values, transform=None):
    images = [torch.full((1, 2, 2), float(value)) for value in values]
    data = [{"case": f"c{v}", "image": x, "label": x} for v, x in zip(values, images, strict=True)]
    return Dataset(data, transform)


def test_every_case_is_run_once_and_counted():
    done = []
    assert run_cases(evaluator(done=done), dataset([1, 2, 3])) == 3
    assert done == [1, 2, 3]


def test_each_case_that_is_done_is_one_line_with_what_was_found_and_the_seconds(caplog, capfd):
    def find(data):
        return add_found(add_found(data, [f"liver {int(data['pred'].max())}.0 mL"]), ["2 objects"])

    caplog.set_level(logging.INFO, logger="medseg.inference")
    with pytest.raises(CasesFailedError):
        run_cases(evaluator(done=[], postprocessing=find), dataset([1, 13, 3]))
    first, failed, third = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(r"case c1: liver 1\.0 mL, 2 objects, \d+\.\d s", first)
    assert failed.startswith("case c13 failed: ")
    assert re.fullmatch(r"case c3: liver 3\.0 mL, 2 objects, \d+\.\d s", third)
    assert "\r" not in capfd.readouterr().err


def test_on_a_terminal_the_line_of_a_case_stands_alone(monkeypatch, caplog, capfd):
    monkeypatch.setattr("medseg.inference.cases.run.is_on_terminal", lambda: True)
    caplog.set_level(logging.INFO, logger="medseg.inference")

    def find(data):
        return add_found(data, ["liver 1.0 mL"])

    run_cases(evaluator(done=[], postprocessing=find), dataset([1]))
    assert not caplog.records
    (line,) = capfd.readouterr().err.splitlines()
    assert re.fullmatch(r"case c1: liver 1\.0 mL, \d+\.\d s", line)


def test_of_a_case_that_fails_no_file_appears_and_the_earlier_ones_stay(tmp_path):
    (tmp_path / "c7_seg.dcm").write_text("earlier")

    def save(data):
        value = int(data["pred"].max())
        for ending in ("_seg.dcm", "_sr.dcm"):
            with whole(tmp_path / f"c{value}{ending}") as partial:
                partial.write_text(str(value))
        if value == 7:
            raise OSError(28, "No space left on device")
        return data

    with pytest.raises(CasesFailedError):
        run_cases(evaluator(done=[], postprocessing=save), dataset([1, 7, 3]))
    there = {path.name: path.read_text() for path in tmp_path.iterdir()}
    done = {f"c{n}{end}": str(n) for n in (1, 3) for end in ("_seg.dcm", "_sr.dcm")}
    assert there == {**done, "c7_seg.dcm": "earlier"}


def test_the_reason_of_a_single_case_is_said_once_by_the_error_of_the_run(caplog):
    with pytest.raises(CasesFailedError, match=r"^case c13 failed: ZeroDivisionError: thirteen$"):
        run_cases(evaluator(done=[]), dataset([13]))
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.fixture
def reports():
    """What a program learns of the cases."""
    told = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(getattr(record, REPORT))
    logger = logging.getLogger(report.__name__)
    logger.addHandler(handler)
    yield told
    logger.removeHandler(handler)


@pytest.mark.parametrize("on_terminal", [False, True])
def test_a_program_learns_the_same_of_a_case_whatever_the_log_shows(
    monkeypatch, reports, caplog, on_terminal
):
    monkeypatch.setattr("medseg.inference.cases.run.is_on_terminal", lambda: on_terminal)
    caplog.set_level(logging.ERROR, logger="medseg.inference.cases.run")

    def find(data):
        return add_found(add_found(data, ["liver"], volumes_ml={"liver": 1.0}), mask="a.nii.gz")

    with pytest.raises(CasesFailedError):
        run_cases(evaluator(done=[], postprocessing=find), dataset([1, 13]))
    (done, first), failed = reports
    assert done == "done"
    assert first.pop("seconds") >= 0
    assert first == {"case": "c1", "volumes_ml": {"liver": 1.0}, "mask": "a.nii.gz"}
    assert failed == ("failed", {"case": "c13", "reason": "ZeroDivisionError: thirteen"})


def test_a_program_learns_where_the_image_of_a_case_lies(reports, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    one = torch.ones(1, 2, 2)
    data = Dataset(
        [{"case": "c", "image": "ct.nii", "label": one}], Lambdad("image", lambda _: one)
    )
    run_cases(evaluator(done=[]), data)
    assert [facts.get("image") for _, facts in reports] == [str(tmp_path / "ct.nii")]


def test_a_case_of_which_nothing_is_said_has_its_seconds(caplog):
    caplog.set_level(logging.INFO, logger="medseg.inference")
    run_cases(evaluator(done=[]), dataset([1]))
    (line,) = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(r"case c1: \d+\.\d s", line)


def test_the_next_case_is_read_while_one_is_computed():
    begun = {number: threading.Event() for number in (1, 2, 3)}

    def read(image):
        begun[int(image.max())].set()
        return image

    class Waiting(Sum):
        def forward(self, x):
            following = int(x.max()) + 1
            assert following == 4 or begun[following].wait(timeout=60)
            assert not begun.get(following + 1, threading.Event()).is_set()
            return super().forward(x)

    done = []
    run = evaluator(done=done)
    run.network = Waiting()
    assert run_cases(run, dataset([1, 2, 3], Lambdad("image", read))) == 3
    assert done == [1, 2, 3]


@pytest.mark.parametrize("spare", [0, 1])
def test_the_next_case_is_read_where_the_plan_of_this_one_leaves_room(monkeypatch, spare):
    begun = {number: threading.Event() for number in (1, 2)}
    planned = []

    class Planning(SimpleInferer):
        def plan(self, image, network):
            assert not begun.get(int(image.max()) + 1, threading.Event()).is_set()
            planned.append(tuple(image.shape))
            return SimpleNamespace(needed_bytes=1000)

    def read(image):
        begun[int(image.max())].set()
        return image

    class Looking(Sum):
        def forward(self, x):
            if x.max() == 1:
                assert begun[2].wait(timeout=30 if spare else 0.2) == bool(spare)
            return super().forward(x)

    image_and_label = 2 * 4 * 4  # bytes
    free = COPIES_OF_NEXT * image_and_label + 1000 + spare
    monkeypatch.setattr("medseg.inference.cases.read_ahead.find_available_bytes", lambda: free)
    done = []
    run = evaluator(done=done)
    run.network, run.inferer = Looking(), Planning()
    assert run_cases(run, dataset([1, 2], Lambdad("image", read))) == 2
    assert done == [1, 2]
    assert planned == [(1, 1, 2, 2)] * 2


@pytest.mark.parametrize(
    ("values", "failures"),
    [
        ([1, 2, 3], {}),
        ([1, 13, 3], {"c13": "ZeroDivisionError: thirteen"}),
        ([1, 5, 3], {"c5": "ValueError: five"}),
    ],
    ids=["all done", "one failed in the network", "one failed in the loading"],
)
def test_of_the_cases_before_nothing_stays_in_memory(values, failures):
    items, batches = [], []

    class Watched(Dataset):
        def __getitem__(self, index):
            item = super().__getitem__(index)
            items.append(weakref.ref(item["image"]))
            if item["image"].max() == 5:
                raise ValueError("five")
            return item

    class Watching(Sum):
        def forward(self, x):
            before = [*items[: values.index(int(x.max())) + 1], *batches]  # its own item was copied
            _wait_until(lambda: all(tensor() is None for tensor in before))
            answer = x + 0
            batches.extend([weakref.ref(x), weakref.ref(answer)])
            super().forward(x)
            return answer

    done = []
    run = evaluator(done=done)
    run.network = Watching()
    cases = Watched(dataset(values).data, Lambdad(["image", "label"], torch.clone))
    failed = {}
    with nullcontext() if not failures else pytest.raises(CasesFailedError):
        run_cases(run, cases, on_failure=failed.__setitem__)
    assert failed == failures
    assert done == [value for value in values if f"c{value}" not in failures]
    _wait_until(lambda: all(tensor() is None for tensor in [*items, *batches]))


def _wait_until(condition):
    """The thread that read an item may take a moment to let it go."""
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("not within a minute")
        time.sleep(0.01)


def test_a_case_that_another_run_did_meanwhile_fails_alone_and_is_not_computed(tmp_path):
    (tmp_path / "c2.nii.gz").touch()
    claim = CaseFiles(tmp_path, ".nii.gz", existing="skip").claim
    done = []
    with pytest.raises(CasesFailedError) as failed:
        run_cases(evaluator(done=done), dataset([1, 2, 3]), claim=claim)
    assert re.match(r"\S+c2\.nii\.gz was written by another run", failed.value.failures["c2"])
    assert done == [1, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["c2.nii.gz"]


def test_no_case_is_nothing_to_do():
    assert run_cases(evaluator(done=[]), dataset([])) == 0


@pytest.mark.parametrize(
    ("bad", "reason"),
    [(13, "ZeroDivisionError: thirteen"), (7, "RuntimeError: seven"), (5, "ValueError: five")],
    ids=["in the network", "in the post-processing", "in the loading"],
)
def test_the_cases_after_a_failing_one_are_done_and_the_failure_is_raised(bad, reason, caplog):
    def read(image):
        if image.max() == 5:
            raise ValueError("five")
        return image

    done = []
    with pytest.raises(CasesFailedError, match=rf"1 of 4 cases failed \(c{bad}\)") as error:
        run_cases(evaluator(done=done), dataset([1, bad, 2, 3], Lambdad("image", read)))
    assert done == [1, 2, 3]
    assert error.value.failures == {f"c{bad}": reason}
    assert error.value.total == 4
    logged = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert [r.getMessage() for r in logged] == [f"case c{bad} failed: {reason}"]


def test_failures_in_a_row_are_all_told():
    done = []
    told = r"^3 of 4 cases failed \(c13, c7, c26\): the reasons are above$"
    with pytest.raises(CasesFailedError, match=told):
        run_cases(evaluator(done=done), dataset([13, 7, 26, 1]))
    assert done == [1]


def test_a_reason_is_told_once_and_not_in_the_summary_too(caplog):
    with pytest.raises(CasesFailedError) as error:
        run_cases(evaluator(done=[]), dataset([13, 1]))
    told = [*(record.getMessage() for record in caplog.records), str(error.value)]
    assert "\n".join(told).count("thirteen") == 1


# ---- outputs that somebody takes away while a run goes on


def _writing(out, *, disturb):
    """A post-processing that writes a file for each case, after `disturb` was given its value."""

    def write(data):
        value = int(data["pred"].max())
        disturb(value)
        with whole(out / f"{data['case']}.nii.gz") as partial:
            partial.write_text("mask")
        return data

    return write


@pytest.mark.parametrize("replaced", [True, False])
def test_a_case_whose_output_went_with_its_folder_has_failed_in_the_end(tmp_path, caplog, replaced):
    def disturb(value):
        if value == 3:
            shutil.rmtree(tmp_path / "out")
            if replaced:
                (tmp_path / "out").mkdir()

    run = evaluator(done=[], postprocessing=_writing(tmp_path / "out", disturb=disturb))
    with pytest.raises(
        CasesFailedError,
        match=r"^2 of 4 cases failed \(c1, c2\): .* the outputs of 2 cases \(c3, c4\) remain$",
    ):
        run_cases(run, dataset([1, 2, 3, 4]))
    assert f"c1.nii.gz was written and is no longer in {tmp_path / 'out'}" in caplog.text
    assert f"{tmp_path / 'out'} was removed, moved or replaced" in caplog.text


def test_an_output_that_is_gone_at_the_end_is_missed_and_so_are_all_with_the_last_case(tmp_path):
    out = tmp_path / "out"

    class TakesAway(Dataset):
        def __getitem__(self, index):
            if index == 1:
                while not (out / "c1.nii.gz").exists():
                    time.sleep(0.01)
                shutil.rmtree(out)
            return super().__getitem__(index)

    cases = TakesAway(dataset([1, 13]).data)
    run = evaluator(done=[], postprocessing=_writing(out, disturb=lambda _: None))
    told = r"^2 of 2 cases failed \(c13, c1\): .* the outputs of 0 cases remain$"
    with pytest.raises(CasesFailedError, match=told):
        run_cases(run, cases)


@pytest.mark.parametrize("content", [b"", b"cut"])
def test_a_case_whose_output_another_program_changed_has_failed_in_the_end(
    tmp_path, caplog, content
):
    def disturb(value):
        if value == 2:
            (tmp_path / "out" / "c1.nii.gz").write_bytes(content)

    run = evaluator(done=[], postprocessing=_writing(tmp_path / "out", disturb=disturb))
    with pytest.raises(CasesFailedError, match=r"^1 of 2 cases failed \(c1\)"):
        run_cases(run, dataset([1, 2]))
    assert "c1.nii.gz was written and was changed by another program in" in caplog.text


def test_outputs_of_earlier_runs_that_went_with_the_folder_are_missed_too(half_done):
    out = half_done / "out"
    find_cases(half_done / "in", output_dir=out, existing="skip")

    def disturb(value):
        shutil.rmtree(out)

    with pytest.raises(FileNotFoundError, match=r"lost: \S+/a\.nii\.gz; these remain"):
        run_cases(evaluator(done=[], postprocessing=_writing(out, disturb=disturb)), dataset([1]))


def test_of_many_failed_cases_the_first_are_named_and_the_others_counted():
    error = CasesFailedError({f"c{n}": "seven" for n in range(8)}, 9)
    assert str(error).startswith("8 of 9 cases failed (c0, c1, c2, c3, c4 and 3 more): ")


def test_the_engines_logger_is_as_before(caplog):
    engine = evaluator(done=[])
    level = engine.logger.level
    with pytest.raises(CasesFailedError):
        run_cases(engine, dataset([13]))
    assert engine.logger.level == level


def test_the_user_may_interrupt(monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cases(evaluator(done=[], postprocessing=interrupt), dataset([1, 2]))


def interrupt_while(values, transform, reading):
    """Interrupt a run in its first case, once `reading` says that the next one is being read."""

    def interrupt(_):
        assert reading.wait(timeout=60)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cases(evaluator(done=[], postprocessing=interrupt), dataset(values, transform))


def test_an_interrupted_run_does_not_wait_for_what_is_being_read():
    reading, released, read = threading.Event(), threading.Event(), []

    def wait(image):
        read.append(int(image.max()))
        if image.max() == 2:
            reading.set()
            released.wait(timeout=60)
        return image

    interrupt_while([1, 2, 3], Lambdad("image", wait), reading)
    assert not released.is_set()
    released.set()
    assert read == [1, 2]


def test_what_is_being_read_when_a_run_is_interrupted_is_given_up():
    reading, given_up = threading.Event(), threading.Event()

    def read(image):
        try:
            for _ in range(6000 if image.max() == 2 else 0):
                reading.set()
                time.sleep(0.01)
        except SystemExit:
            given_up.set()
            raise
        return image

    interrupt_while([1, 2], Lambdad("image", read), reading)
    assert given_up.wait(timeout=30)


INTERRUPTED = """
import os, signal, time
import torch
from monai.data import Dataset
from monai.engines import SupervisedEvaluator
from medseg.inference.cases.run import run_cases

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it

def read(case):
    end = time.monotonic() + (0 if case["case"] == "a" else 3600)
    while time.monotonic() < end:
        torch.zeros(64, 64).sort()
    return case

class Interrupt(torch.nn.Module):
    def forward(self, x):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(3600)

image = torch.zeros(1, 2, 2)
cases = Dataset([{"case": name, "image": image, "label": image} for name in "ab"], read)
run_cases(SupervisedEvaluator("cpu", [], Interrupt(), epoch_length=1), cases)
"""


@pytest.mark.long
def test_a_process_that_is_interrupted_ends_although_the_next_case_is_being_read():
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=600
    )
    assert ended.returncode == -signal.SIGINT, ended.stderr
    assert ended.stderr.splitlines()[-1] == "KeyboardInterrupt"


def test_a_cancelled_run_ends_there_and_its_case_has_not_failed(caplog):
    done, read, told = [], [], []

    def note(image):
        read.append(int(image.max()))
        return image

    run = evaluator(done=done)
    run.network = torch.nn.Identity()
    run.inferer = OverlapTileInferer(2, halo=0, cancelled=lambda: len(done) == 1)
    cases = dataset([1, 2, 3, 4, 5], Lambdad("image", note))
    with pytest.raises(CancelledError, match="stopped after 0 of 1 windows"):
        run_cases(run, cases, on_failure=lambda *failure: told.append(failure))
    assert done == [1]
    assert not {4, 5}.intersection(read)  # the third was being read
    assert not told
    assert "failed" not in caplog.text


def test_the_network_is_pruned_once_for_all_cases(monkeypatch):
    pruned = []
    prune = NestedUNet.prune
    monkeypatch.setattr(NestedUNet, "prune", lambda *a: pruned.append(a) or prune(*a))
    run = evaluator(done=[], postprocessing=dict)
    run.network = NestedUNet(2, 1, 2, channels=(2, 4, 6), deep_supervision=True)
    run.inferer = OverlapTileInferer(16, halo=0, level=1)
    image = torch.zeros(1, 16, 16)
    cases = Dataset([{"case": name, "image": image, "label": image} for name in "abc"])
    assert run_cases(run, cases) == 3
    assert len(pruned) == 1


def test_a_folder_is_segmented_with_weights_read_once_and_one_predictor(
    tmp_path, repository, monkeypatch
):
    config = ConfigParser.load_config_file(str(repository / "bundles/hippocampus/inference.json"))
    (tmp_path / "in").mkdir()
    for name in "abc":
        values = np.random.default_rng(0).random((20, 18, 16), np.float32)
        nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "in" / f"{name}.nii")
    config |= {"channels": [2, 4, 6], "image_size": [16, 16, 16], "device": "cpu"}
    config |= {"weights": str(tmp_path / "model.pt"), "predictor": "eager"}
    config |= {"input": str(tmp_path / "in"), "output_dir": str(tmp_path / "out")}
    torch.save(
        ConfigParser(config).get_parsed_content("network_def").state_dict(), config["weights"]
    )
    counted = {"read": 0, "made": 0}

    def counting(act, what):
        def count(*arguments, **options):
            counted[what] += not options.get("mmap")  # what weights carry is found without a read
            return act(*arguments, **options)

        return count

    monkeypatch.setattr(torch, "load", counting(torch.load, "read"))
    monkeypatch.setattr(Predictor, "__init__", counting(Predictor.__init__, "made"))
    ConfigParser(config).get_parsed_content("inference")
    assert len(list((tmp_path / "out").glob("?.nii.gz"))) == 3
    assert counted == {"read": 1, "made": 1}


def test_a_refused_study_is_told_in_the_words_of_ingest(ct, tmp_path):
    broken = shutil.copytree(ct / "dicom" / "liver_002", tmp_path / "in" / "b")
    first = sorted(broken.iterdir())[0]
    first.write_bytes(first.read_bytes()[:-1000])
    shutil.copytree(ct / "dicom" / "liver_002", tmp_path / "in" / "c")
    read = Compose([LoadImaged("image", reader=VolumeReader()), EnsureChannelFirstd("image")])
    cases = Dataset(find_cases(tmp_path / "in"), read)
    with pytest.raises(CasesFailedError, match=r"1 of 2 cases failed \(b\)") as error:
        run_cases(evaluator(done=[]), cases)
    assert error.value.failures["b"].endswith("copy or download the file again")


@pytest.mark.parametrize(
    "suffix", ["nii", "nii.gz", "hdr", "mgh", "mgz", "mha", "mhd", "nrrd", "nhdr", "seg.nrrd"]
)
def test_files_that_are_not_what_their_suffix_says_fail_one_by_one_and_the_run_ends(
    suffix, ct, tmp_path
):
    for name in "bd":
        (tmp_path / f"{name}.{suffix}").write_text("hello")
    shutil.copytree(ct / "dicom" / "liver_002", tmp_path / "e")
    read = Compose([LoadImaged("image", reader=VolumeReader()), EnsureChannelFirstd("image")])
    done: list = []
    with pytest.raises(CasesFailedError, match=r"2 of 3 cases failed \(b, d\)"):
        run_cases(evaluator(done=done), Dataset(find_cases(tmp_path), read))
    assert len(done) == 1


class Planned(SimpleNamespace):
    """A plan with a line and plain values."""

    def describe(self):
        return {"windows": self.windows}

    def __str__(self):
        return f"{self.windows} windows"


class Planner:
    """Plans images of values below 5 as so many windows, and refuses the others."""

    def plan(self, image, network):
        if (value := int(image.max())) >= 5:
            raise ValueError("too bright" if value < 9 else "far too bright")
        return Planned(windows=value)


def test_a_reason_that_cases_share_is_said_once_in_a_plan(caplog):
    with caplog.at_level(logging.INFO), pytest.raises(CasesFailedError) as error:
        plan_cases(Planner(), Sum(), dataset([1, 5, 6, 2, 9, 7]))
    assert [record.getMessage() for record in caplog.records] == [
        "case c1: 1 windows",
        "case c5 failed: ValueError: too bright",
        "case c2: 2 windows",
        "case c9 failed: ValueError: far too bright",
        "2 more cases failed as case c5 did: c6, c7",
    ]
    assert list(error.value.failures) == ["c5", "c6", "c9", "c7"]


def test_a_program_learns_the_plan_of_each_case_and_why_others_have_none(reports):
    with pytest.raises(CasesFailedError):
        plan_cases(Planner(), Sum(), dataset([1, 5, 6]))
    reason = "ValueError: too bright"
    assert reports == [
        ("planned", {"case": "c1", "plan": {"windows": 1}}),
        ("failed", {"case": "c5", "reason": reason}),
        ("failed", {"case": "c6", "reason": reason}),
    ]


def test_a_known_reason_is_not_repeated_for_each_case_that_is_segmented(caplog):
    with pytest.raises(CasesFailedError) as error:
        run_cases(evaluator(done=[]), dataset([13, 1, 26, 7]))
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert said == [
        "case c13 failed: ZeroDivisionError: thirteen",
        "case c7 failed: RuntimeError: seven",
        "1 more case failed as case c13 did: c26",
    ]
    assert error.value.failures["c26"] == "ZeroDivisionError: thirteen"
