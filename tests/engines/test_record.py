"""Tests of medseg.engines.record: which changes make a run another run."""

import shutil

import pytest

from medseg.engines import record
from medseg.engines.record import check_record, run_record

CHOICES = {"fold": 0, "seed": 0, "classes": {"liver": [1, 2]}, "window_hu": [-160, 240]}


def case(folder, name, *, image=b"image", label=b"label"):
    """A case whose files hold those bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {key: folder / f"{name}.{key}" for key in ("image", "label")}
    for path, content in zip(paths.values(), (image, label), strict=True):
        path.write_bytes(content)
    return {"case": name, "patient": name, **{key: str(path) for key, path in paths.items()}}


def of(choices=CHOICES, training=(), validation=()):
    return run_record(choices, training=training, validation=validation)


def test_the_same_choices_and_cases_pass(tmp_path):
    cases = [case(tmp_path, name) for name in "ab"]
    check_record("resume.pt", of(training=cases), of(training=cases[::-1]))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"fold": 1}, r"\(fold was 0, is 1\)"),
        ({"seed": 7}, r"\(seed was 0, is 7\)"),
        ({"window_hu": [-100, 240]}, r"window_hu was \[-160, 240\], is \[-100, 240\]"),
        (
            {"classes": {"tumour": [2]}},
            r"classes was \{'liver': .1, 2.\}, is \{'tumour'",
        ),
        ({"fold": 1, "seed": 2}, r"\(fold was 0, is 1; seed was 0, is 2\)"),
    ],
)
def test_another_choice_is_refused_with_both_values(changed, said):
    with pytest.raises(ValueError, match=f"runs/resume.pt holds a run by other settings .*{said}"):
        check_record("runs/resume.pt", of(), of({**CHOICES, **changed}))


@pytest.mark.parametrize("key", record.MAY_CHANGE)
def test_how_long_where_and_by_what_machine_may_change(key):
    check_record("resume.pt", of({**CHOICES, key: "before"}), of({**CHOICES, key: "after"}))


def test_a_tuple_is_the_list_that_it_is_read_back_as():
    check_record("resume.pt", of(), of({**CHOICES, "window_hu": (-160, 240)}))


def test_a_key_that_a_later_version_added_is_not_compared():
    check_record("resume.pt", of(), of({**CHOICES, "new": 1}))
    check_record("resume.pt", of({**CHOICES, "old": 1}), of())


def test_the_batch_counts_for_all_processes_together(monkeypatch):
    one = of({"batch_size": 4})
    monkeypatch.setattr(record.idist, "get_world_size", lambda: 2)
    check_record("resume.pt", one, of({"batch_size": 2}))
    with pytest.raises(ValueError, match="batch_size was 4, is 8"):
        check_record("resume.pt", one, of({"batch_size": 4}))


def test_a_case_that_changes_sides_is_refused(tmp_path):
    a, b, c, d = (case(tmp_path, name) for name in "abcd")
    with pytest.raises(ValueError, match=r"other cases \(case b was for training, is for validati"):
        check_record("resume.pt", of(CHOICES, [a, b], [c]), of(CHOICES, [a], [b, c]))
    with pytest.raises(ValueError, match=r"\(case d is new\)"):
        check_record("resume.pt", of(training=[a]), of(training=[a, d]))
    with pytest.raises(ValueError, match=r"\(case b is gone\)"):
        check_record("resume.pt", of(training=[a, b]), of(training=[a]))


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"label": b"LABEL"}, False),  # of the same size
        ({"image": b"a longer image"}, False),
        ({}, True),
    ],
)
def test_a_case_is_known_by_its_label_and_the_size_of_its_image(tmp_path, changed, same):
    before = of(training=[case(tmp_path, "a")])
    after = of(training=[case(tmp_path, "a", **changed)])
    if same:
        check_record("resume.pt", before, after)
        return
    with pytest.raises(ValueError, match="case a has another image or label"):
        check_record("resume.pt", before, after)


def test_a_dataset_may_be_moved(tmp_path):
    before = of(training=[case(tmp_path / "here", "a")])
    shutil.move(tmp_path / "here", tmp_path / "there")
    moved = {key: value.replace("/here/", "/there/") for key, value in case_at(tmp_path).items()}
    check_record("resume.pt", before, of(training=[moved]))


def case_at(folder):
    return {"case": "a", "image": f"{folder}/here/a.image", "label": f"{folder}/here/a.label"}


def test_an_image_may_be_a_folder(tmp_path):
    series = tmp_path / "series"
    series.mkdir()
    item = {**case(tmp_path, "a"), "image": str(series)}
    (series / "1.dcm").write_bytes(b"slice")
    before = of(training=[item])
    (series / "2.dcm").write_bytes(b"slice")
    with pytest.raises(ValueError, match="case a has another image or label"):
        check_record("resume.pt", before, of(training=[item]))


def test_of_many_changes_the_first_are_named_and_the_others_counted(tmp_path):
    cases = [case(tmp_path, f"c{n}") for n in range(9)]
    with pytest.raises(ValueError, match=r"c0 is gone; .*c3 is gone; and 5 more\)"):
        check_record("resume.pt", of(training=cases), of())
