"""Tests of medseg.inference.cases.existing: no output takes the place of anything unasked."""

import logging
import os

import pytest

from medseg.inference.cases.existing import check_existing, check_names, select_cases


def made(*names, folder="in", suffix=".jpg"):
    return [{"case": name, "image": f"{folder}/{name}{suffix}"} for name in names]


def names(cases, out, **choices):
    ends = {"existing": "refuse", "label": "_label.png", "preview": ".png", **choices}
    return [case["case"] for case in select_cases(cases, out, **ends)]


def test_without_outputs_every_case_is_to_do_whatever_the_mode(tmp_path):
    for existing in ("refuse", "skip", "overwrite"):
        assert names(made("a", "b"), tmp_path / "new", existing=existing) == ["a", "b"]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("there", ["a_label.png", "a.png"])
def test_any_output_that_is_there_refuses_the_run(tmp_path, there):
    (tmp_path / there).touch()
    with pytest.raises(
        ValueError, match=r"^1 of 2 cases would write over outputs in .* \(a\): pass --existing"
    ):
        names(made("a", "b"), tmp_path)


def test_skip_leaves_out_the_cases_with_a_label_map(tmp_path):
    (tmp_path / "a_label.png").touch()
    (tmp_path / "a.png").touch()
    assert names(made("a", "b"), tmp_path, existing="skip") == ["b"]


def test_skip_removes_the_lock_that_a_killed_run_left_of_a_case_that_is_done(tmp_path):
    for name in ("a_label.png", "a.png", ".a.lock", ".b.lock"):
        (tmp_path / name).touch()
    assert names(made("a", "b"), tmp_path, existing="skip") == ["b"]
    assert sorted(path.name for path in tmp_path.glob(".*")) == [".b.lock"]  # b takes its own


def test_skip_does_a_case_with_a_preview_alone_again_since_it_was_interrupted(tmp_path):
    (tmp_path / "a.png").touch()
    assert names(made("a", "b"), tmp_path, existing="skip") == ["a", "b"]


def test_overwrite_does_every_case(tmp_path):
    (tmp_path / "a_label.png").touch()
    assert names(made("a", "b"), tmp_path, existing="overwrite") == ["a", "b"]


@pytest.mark.parametrize("existing", ["refuse", "skip", "overwrite"])
@pytest.mark.parametrize("image", ["a.png", "a_label.png"])
def test_neither_output_takes_the_place_of_an_image_even_by_a_link(tmp_path, existing, image):
    (tmp_path / image).touch()
    (tmp_path / "link").symlink_to(tmp_path)
    cases = [{"case": "a", "image": str(tmp_path / image)}]
    with pytest.raises(ValueError, match=f"output {image} of case a would take the place of an"):
        names(cases, tmp_path / "link", existing=existing)


def test_an_output_that_two_cases_would_write_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^cases a and a_label would both write a_label\.png: re"):
        names(made("a", "a_label"), tmp_path)
    assert names(made("a", "a_label"), tmp_path, label=".nii.gz") == ["a", "a_label"]


def test_what_every_case_of_the_run_writes_refuses_it_too(tmp_path):
    (tmp_path / "a_more.npy").touch()
    assert names(made("a", "b"), tmp_path) == ["a", "b"]
    with pytest.raises(
        ValueError, match=r"^1 of 2 cases would write over outputs in .* \(a\): pass"
    ):
        names(made("a", "b"), tmp_path, asked=["_more.npy"])


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (["a_label.png", "a.png"], "so a_more.npy is not written nor 1 other file: pass --exist"),
        (["a_label.png", "a.png", "a_more.npy"], "so a_more.json is not written: pass --existing"),
        (["a_label.png", "a_more.npy", "a_more.json"], "so a.png is not written: pass --existing"),
        (["a_label.png", "a.png", "a_more.npy", "a_more.json"], None),
        (["a_more.npy"], None),
    ],
)
def test_skip_tells_what_the_cases_that_are_done_lack(tmp_path, caplog, there, told):
    for name in there:
        (tmp_path / name).touch()
    todo = names(made("a", "b"), tmp_path, existing="skip", asked=["_more.npy", "_more.json"])
    assert todo == (["b"] if "a_label.png" in there else ["a", "b"])
    warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(warnings) == (told is not None)
    assert told is None or warnings[0].startswith(f"already done, {told}")


def test_skip_says_nothing_of_what_only_may_be_written(tmp_path, caplog):
    (tmp_path / "a_label.png").touch()
    (tmp_path / "a.png").touch()
    with caplog.at_level(logging.WARNING):
        assert names(made("a"), tmp_path, existing="skip", others=["_more.npy"]) == []
    assert not caplog.records


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="below cannot be written to"):
        names(made("a"), tmp_path / "file" / "below")


def test_two_cases_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"two cases in .* are named a, b: rename one of them"):
        check_names(made("a", "b", "c", "b", "a"), tmp_path)
    check_names(made("a", "b"), tmp_path)


@pytest.mark.parametrize(
    ("existing", "todo"), [("skip", ["b"]), ("overwrite", ["a", "b"])], ids=["skip", "overwrite"]
)
def test_each_known_mode_passes_the_check_and_chooses_its_cases(existing, todo, tmp_path):
    (tmp_path / "a.nii.gz").touch()
    check_existing(existing)
    cases = select_cases(
        made("a", "b"), tmp_path, existing=existing, label=".nii.gz", preview=".png"
    )
    assert [case["case"] for case in cases] == todo


def test_another_mode_is_refused():
    with pytest.raises(ValueError, match="one of refuse, skip, overwrite, got 'ask'"):
        check_existing("ask")


# ---- what lies where an output is to be


PLACES = {
    "a broken link": lambda place: place.symlink_to(place.parent / "nothing"),
    "a link in a circle": lambda place: place.symlink_to(place),
    "a link to a folder": lambda place: place.symlink_to(place.parent),
    "a folder": lambda place: place.mkdir(),
    "a pipe, socket or device and not a file": os.mkfifo,
}


@pytest.mark.parametrize("existing", ["refuse", "skip", "overwrite"])
@pytest.mark.parametrize("output", ["a_label.png", "a.png", "a_more.npy"])
@pytest.mark.parametrize("what", PLACES)
def test_what_is_no_file_is_refused_at_the_place_of_an_output(tmp_path, what, output, existing):
    PLACES[what](tmp_path / output)
    with pytest.raises(
        ValueError, match=f"^output {output} of case a cannot be .* where {what} has"
    ):
        names(made("a", "b"), tmp_path, existing=existing, others=["_more.npy"])
    assert os.path.lexists(tmp_path / output)


def test_a_link_to_a_file_is_an_output_that_is_there(tmp_path):
    (tmp_path / "kept").touch()
    (tmp_path / "a_label.png").symlink_to(tmp_path / "kept")
    with pytest.raises(ValueError, match=r"^1 of 1 case would write over outputs"):
        names(made("a"), tmp_path)
    assert names(made("a"), tmp_path, existing="skip") == []
    assert names(made("a"), tmp_path, existing="overwrite") == ["a"]


def test_a_plan_does_not_mind_what_lies_there(tmp_path):
    (tmp_path / "a_label.png").symlink_to(tmp_path / "nothing")
    assert names(made("a"), tmp_path, existing=None) == ["a"]


@pytest.mark.parametrize("letter", ["a", "é"])
def test_a_name_longer_than_the_disk_takes_is_refused_before_anything_runs(tmp_path, letter):
    room = (255 - len("_label.png")) // len(letter.encode())
    assert names(made(letter * room), tmp_path) == [letter * room]
    with pytest.raises(ValueError, match=r"has a name of 25[67] bytes, .* may have 255: rename"):
        names(made("b", letter * (room + 1)), tmp_path / "new")
    assert names(made(letter * room), tmp_path, others=["_more.than.npy"]) == [letter * room]
    with pytest.raises(ValueError, match=r"_probabilities\.npy has a name of"):
        names(made(letter * room), tmp_path, asked=["_probabilities.npy"])
