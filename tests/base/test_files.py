"""Tests of medseg.base.files."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from medseg.base.errors import is_documented
from medseg.base.files import (
    check_apart,
    check_folder,
    check_place,
    keep_aside,
    remove,
    set_aside,
    whole,
)


def test_the_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "mask.nii.gz"
    with whole(path) as partial:
        partial.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("length", [11, 247, 255])
def test_the_temporary_name_is_the_files_own_however_long_on_the_same_disk(tmp_path, length):
    name = "mask.nii.gz".rjust(length, "a")
    with whole(tmp_path / name) as partial:
        partial.touch()
        assert partial.name == name
        assert partial.parent.parent == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_name_that_no_disk_takes_is_told(tmp_path):
    told = refused(tmp_path / ("a" * 256))
    assert told.endswith("cannot be written (File name too long): choose a shorter name")


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_is_not_to_be_replaced_stays(tmp_path, monkeypatch, has_links):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "mask.nii.gz"
    with whole(path, replace=False) as partial:
        partial.write_text("first")
    with (
        pytest.raises(FileExistsError, match="written by another program at the same time"),
        whole(path, replace=False) as partial,
    ):
        partial.write_text("second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_folders_are_made(tmp_path):
    with whole(str(tmp_path / "a" / "b" / "scores.csv")) as partial:
        partial.touch()
    assert (tmp_path / "a" / "b" / "scores.csv").exists()


def test_an_error_leaves_what_was_there_before(tmp_path):
    path = tmp_path / "model.pt"
    path.write_text("old")

    def interrupted():
        with whole(path) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), whole(tmp_path / "mask.nii.gz"):
        pass
    assert not list(tmp_path.iterdir())


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    with whole(tmp_path / "a") as one, whole(tmp_path / "a") as other:
        assert one != other
        one.touch()
        other.touch()


def test_a_file_set_aside_keeps_its_content_under_a_dated_name(tmp_path):
    path = tmp_path / "metrics.csv"
    for text in ("first", "second"):
        path.write_text(text)
        os.utime(path, (0, 0))  # of the same second: both are kept all the same
        set_aside(path)
    assert not path.exists()
    assert sorted(p.read_text() for p in tmp_path.glob("metrics-*.csv")) == ["first", "second"]


def other_disk(monkeypatch):
    """Folders named `other` are on another disk, for the calls that care."""
    for name in ("link", "rename", "replace"):
        call = getattr(os, name)

        def refuse(source, target, *args, call=call, **options):
            if ("other" in Path(source).parts) != ("other" in Path(target).parts):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            return call(source, target, *args, **options)

        monkeypatch.setattr(os, name, refuse)


def test_a_file_is_set_aside_on_another_disk_too(tmp_path, monkeypatch):
    other_disk(monkeypatch)
    path = tmp_path / "model.pt"
    path.write_text("earlier")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    kept = set_aside(path, tmp_path / "other" / "replaced")
    assert kept.read_text() == "earlier"
    assert kept.stat().st_mtime == 1_000_000_000
    assert not path.exists()
    assert list(kept.parent.iterdir()) == [kept]


def test_a_file_that_finds_no_room_on_another_disk_stays_where_it_is(tmp_path, monkeypatch):
    other_disk(monkeypatch)
    path = tmp_path / "model.pt"
    path.write_text("earlier")
    monkeypatch.setattr(shutil, "copy2", fails(errno.ENOSPC))
    with pytest.raises(OSError, match=r"model-.*pt cannot be written \(No space left"):
        set_aside(path, tmp_path / "other")
    assert path.read_text() == "earlier"
    assert list((tmp_path / "other").iterdir()) == []


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second disk")
def test_a_file_moves_between_two_real_disks(tmp_path):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        path = Path(memory) / "model.pt"
        path.write_bytes(bytes(range(256)) * 1000)
        kept = set_aside(path, tmp_path / "replaced")
        assert not path.exists()
        assert kept.read_bytes() == bytes(range(256)) * 1000


def test_what_a_link_leads_to_is_set_aside_and_not_the_link(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "best.pt").write_text("earlier")
    (tmp_path / "model.pt").symlink_to("store/best.pt")
    kept = set_aside(tmp_path / "model.pt", tmp_path / "replaced")
    assert kept.read_text() == "earlier"
    assert not kept.is_symlink()
    assert (tmp_path / "store" / "best.pt").read_text() == "earlier"


def test_a_file_kept_aside_stays_in_its_place_and_is_kept_once(tmp_path):
    path = tmp_path / "model.pt"
    path.write_text("earlier")
    kept = [keep_aside(path, tmp_path / "replaced") for _ in range(2)]
    assert kept[0] == kept[1]
    assert path.read_text() == kept[0].read_text() == "earlier"
    with whole(path) as partial:
        partial.write_text("later")
    assert kept[0].read_text() == "earlier"


def test_nothing_is_set_aside_where_there_is_nothing(tmp_path):
    assert set_aside(tmp_path / "absent") is None


@pytest.mark.parametrize("name", ["a.nii.gz", "a.b.NII.GZ", "a.csv", "é" * 120 + ".nii.gz"])
def test_what_is_set_aside_keeps_its_suffix_and_finds_room_for_the_date(tmp_path, name):
    (tmp_path / name).write_text("old")
    kept = set_aside(tmp_path / name)
    end = "".join(Path(name).suffixes[-2:] if name.lower().endswith("gz") else ".csv")
    assert kept.name.endswith(end)
    assert len(os.fsencode(kept.name)) <= 255
    assert kept.name[0] == name[0]
    assert kept.read_text() == "old"


# ---- what cannot be written


def fails(number):
    """A function that fails as the system does, by the number of the error."""

    def fail(*_args, **_options):
        raise OSError(number, os.strerror(number))

    return fail


def refused(path, *, kind=OSError):
    """What is said of a path that cannot be written: one line, documented, and no file is left."""
    before = sorted(Path(path).parent.rglob("*"))
    with pytest.raises(kind) as caught, whole(path) as partial:
        partial.write_text("new")
    assert is_documented(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(Path(path).parent.rglob("*")) == before
    return str(caught.value)


@pytest.mark.parametrize(("below", "kind"), [("", FileExistsError), ("images", NotADirectoryError)])
def test_a_file_in_the_place_of_a_folder_is_named(tmp_path, below, kind):
    (tmp_path / "out").touch()
    path = tmp_path / "out" / below / "a.png"
    told = refused(path, kind=kind)
    remedy = "move it away or choose another folder"
    assert told == f"{path} cannot be written ({tmp_path / 'out'} is not a folder): {remedy}"


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path):
    (tmp_path / "a.png").mkdir()
    told = refused(tmp_path / "a.png", kind=IsADirectoryError)
    assert told.startswith(f"{tmp_path / 'a.png'} cannot be written (it is a folder): move it")


@pytest.mark.parametrize("step", ["mkdir", "open", "replace"])
def test_a_folder_that_is_not_ours_to_write_is_told(tmp_path, monkeypatch, step):
    def fail(self, *_args, **_options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, step, fail)
    told = refused(tmp_path / "a.png", kind=PermissionError)
    why = "(Permission denied): choose a folder that you may write to"
    assert told == f"{tmp_path / 'a.png'} cannot be written {why}"


@pytest.mark.parametrize("step", ["pathlib.Path.write_text", "os.fsync"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_and_what_was_there_stays(tmp_path, monkeypatch, step, number):
    path = tmp_path / "model.pt"
    path.write_bytes(b"old")
    monkeypatch.setattr(step, fails(number))
    told = refused(path)
    why = f"({os.strerror(number)}): make room on that disk or choose another folder"
    assert told == f"{path} cannot be written {why}"
    assert path.read_bytes() == b"old"


def test_the_number_and_the_cause_of_the_error_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", fails(errno.ENOSPC))
    with pytest.raises(OSError, match="cannot be written") as caught, whole(tmp_path / "a") as file:
        file.touch()
    assert caught.value.errno == caught.value.__cause__.errno == errno.ENOSPC


def test_an_error_of_another_file_passes_as_it_is(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match=r"^\[Errno 2\].*'.*/absent'"),
        whole(tmp_path / "a.png"),
    ):
        (tmp_path / "absent").read_bytes()


def test_the_file_that_could_not_be_written_is_named_not_one_around_it(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", fails(errno.ENOSPC))

    def nested():
        with whole(tmp_path / "outer"), whole(tmp_path / "inner") as partial:
            partial.touch()

    with pytest.raises(OSError, match=f"^{tmp_path / 'inner'} cannot be written"):
        nested()


def test_a_file_set_aside_says_where_it_cannot_be(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(
        OSError,
        match=r"/out/out cannot be written \(\S+/out is not a folder\): "
        "move",
    ):
        set_aside(tmp_path / "out", tmp_path / "out")


def test_a_file_is_removed_if_there_is_one(tmp_path):
    (tmp_path / "a").touch()
    for _ in range(2):
        remove(tmp_path / "a")
        assert not (tmp_path / "a").exists()
    (tmp_path / "b").mkdir()
    with pytest.raises(OSError, match=r"/b cannot be written \(it is a folder\): move it away"):
        remove(tmp_path / "b")


def test_a_folder_that_can_be_made_or_written_passes_and_is_left_as_it_was(tmp_path):
    for folder in (tmp_path, tmp_path / "new" / "below"):
        check_folder(folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("below", "told"),
    [
        ("file", "it is not a folder"),
        ("file/a/b", "{file} is not a folder"),
        ("gone", "it is not a folder"),
    ],
)
def test_a_file_or_dead_link_in_the_place_of_a_folder_is_told_with_its_name(tmp_path, below, told):
    (tmp_path / "file").touch()
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match="cannot be written to") as error:
        check_folder(tmp_path / below)
    reason = told.format(file=tmp_path / "file")
    assert str(error.value).startswith(f"{tmp_path / below} cannot be written to ({reason}): ")
    assert is_documented(error.value)


def test_a_folder_of_another_is_told_whatever_the_permissions_say(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "mkdir", fails(errno.EACCES))
    with pytest.raises(
        PermissionError, match=r"\(Permission denied\): choose a folder that you may"
    ):
        check_folder(tmp_path / "new")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc")
def test_a_folder_below_proc_is_refused_even_for_root():
    with pytest.raises(
        OSError, match=r"^/proc/x cannot be written to \(.*\): choose another folder"
    ):
        check_folder("/proc/x")


@pytest.mark.parametrize("folder", ["e" * 256, "/".join(["e" * 200] * 21)])
def test_a_path_that_no_system_takes_is_told_by_its_length(tmp_path, folder):
    length = len(f"{tmp_path}/{folder}")
    with pytest.raises(OSError, match=rf"\({length} bytes\), or one of its names is too") as caught:
        check_folder(tmp_path / folder)
    assert is_documented(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_outputs_in_the_folder_of_the_inputs_are_refused_also_through_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    for out in (tmp_path, tmp_path / "link", tmp_path / "no" / ".."):
        (tmp_path / "no").mkdir(exist_ok=True)
        with pytest.raises(
            ValueError, match="is the folder of the inputs: write to another folder"
        ):
            check_apart(out, tmp_path)


def test_outputs_anywhere_else_pass(tmp_path):
    (tmp_path / "a.png").touch()
    (tmp_path / "below").mkdir()
    check_apart(tmp_path / "below", tmp_path)  # or it raises
    check_apart(tmp_path / "new", tmp_path)
    check_apart(tmp_path, tmp_path / "a.png")  # what a file is written beside is checked by name
    check_apart(tmp_path, tmp_path / "absent")


# ---- places


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (Path.mkdir, "a folder"),
        (os.mkfifo, "a pipe, socket or device and not a file"),
        (lambda place: place.symlink_to(place), "a link in a circle"),
        (lambda place: place.symlink_to(place.parent / "nothing"), "a broken link"),
        (lambda place: place.symlink_to(place.parent), "a link to a folder"),
    ],
)
def test_a_place_where_something_else_lies_than_a_file_is_refused(tmp_path, make, what):
    make(tmp_path / "model.pt")
    with pytest.raises(OSError, match=f"model.pt is {what}: move it away, or choose another name$"):
        check_place(tmp_path / "model.pt")


def test_a_place_is_free_or_holds_a_file_or_a_link_to_one(tmp_path):
    check_place(tmp_path / "new" / "model.pt")
    (tmp_path / "model.pt").touch()
    check_place(tmp_path / "model.pt")
    (tmp_path / "link.pt").symlink_to(tmp_path / "model.pt")
    check_place(tmp_path / "link.pt")


def test_a_name_is_as_long_as_the_disk_takes(tmp_path):
    check_place(tmp_path / ("a" * 255))
    with pytest.raises(OSError, match="has a name of 256 bytes, longer than the 255: ch"):
        check_place(tmp_path / ("a" * 256))


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
import numpy as np, torch
from medseg.base.files import whole
try:
    with whole(sys.argv[1]) as partial:
        WRITE
except OSError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.long
@pytest.mark.parametrize(
    "write",
    [
        "torch.save(torch.zeros(100_000), partial)",
        "np.save(partial.open('wb'), np.zeros(100_000))",
        "partial.write_bytes(bytes(100_000))",
    ],
)
def test_a_writer_that_does_not_say_why_it_failed_is_asked_of_the_disk(tmp_path, write):
    path = tmp_path / "model.pt"
    path.write_text("earlier")
    code = LIMITED.replace("WRITE", write)
    said = subprocess.check_output([sys.executable, "-c", code, str(path)], text=True)
    assert said.startswith(f"OSError {path} cannot be written (File too large): raise the limit")
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_another_error_of_a_writer_stays_what_it_is(tmp_path):
    def fail():
        with whole(tmp_path / "a") as partial:
            partial.write_text("half")
            raise RuntimeError("of its own")

    with pytest.raises(RuntimeError, match="of its own"):
        fail()
    assert list(tmp_path.iterdir()) == []
