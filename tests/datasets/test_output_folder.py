"""Tests of medseg.datasets.output_folder: where a dataset may be prepared."""

import pytest
from datasets.published import items, write

from medseg.datasets import output_folder, prepared


def check_out(out, source, **options):
    output_folder.check_output_folder(out, source, **({"name": "toy"} | options))


def test_a_new_folder_and_one_of_an_earlier_run_are_taken(tmp_path):
    write(tmp_path / "out", items(tmp_path / "out", 3))
    (tmp_path / "set").mkdir()
    (tmp_path / "set.zip").touch()
    for source in ("set", "set.zip", "absent"):
        check_out(tmp_path / "out", tmp_path / source)
        check_out(tmp_path / "new" / "out", tmp_path / source)
    assert not (tmp_path / "new").exists()  # asking makes nothing


def test_an_archive_may_lie_in_the_folder(tmp_path):
    (tmp_path / "set.zip").touch()
    check_out(tmp_path, tmp_path / "set.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]


@pytest.mark.parametrize("inner", ["", "out", "a/b/out", "../set", "../set/out"])
def test_the_source_and_a_folder_in_it_are_refused(tmp_path, inner):
    (tmp_path / "set").mkdir()
    with pytest.raises(
        ValueError, match=r"^\S+ is or lies in the source \S+: pass another folder to --out"
    ):
        check_out(tmp_path / "set" / inner, tmp_path / "set")


def test_a_folder_that_holds_the_source_is_refused(tmp_path):
    (tmp_path / "a" / "set").mkdir(parents=True)
    with pytest.raises(
        ValueError, match=r"^\S+ holds the source \S+/set: pass another folder to --out"
    ):
        check_out(tmp_path, tmp_path / "a" / "set")


def test_links_to_the_source_are_followed(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "set")
    for out, source in (("link", "set"), ("link/out", "set"), ("set", "link"), ("set/out", "link")):
        with pytest.raises(ValueError, match="is or lies in the source"):
            check_out(tmp_path / out, tmp_path / source)


def test_a_file_is_no_folder_to_write(tmp_path):
    (tmp_path / "set.zip").touch()
    with pytest.raises(
        ValueError, match=r"^\S+/set\.zip is not a folder: pass a new folder to --out, or"
    ):
        check_out(tmp_path / "set.zip", tmp_path / "set.zip")


def test_a_folder_of_another_dataset_is_refused(tmp_path):
    write(tmp_path / "data" / "out", items(tmp_path / "data" / "out", 3))
    told = r"^\S+/out holds datalist.json of dataset toy: pass to --out another folder for other$"
    with pytest.raises(ValueError, match=told):
        check_out(tmp_path / "data" / "out", tmp_path / "absent", name="other")
    with pytest.raises(ValueError, match=r"/data holds out/datalist\.json of dataset toy: pass"):
        check_out(tmp_path / "data", tmp_path / "absent")


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_a_folder_with_a_datalist_of_no_known_dataset_is_refused(tmp_path, content):
    (tmp_path / "datalist.json").write_text(content)
    with pytest.raises(ValueError, match=r"holds datalist\.json of dataset unknown: pass"):
        check_out(tmp_path, tmp_path / "absent")


def test_a_view_has_a_datalist_of_its_own_name(tmp_path):
    for view in ("one", "two"):
        prepared.write(
            tmp_path / view,
            f"toy-{view}",
            items(tmp_path / view, 3),
            label_values=(0, 255),
        )
    check_out(tmp_path, tmp_path / "absent", views=("one", "two"))
    with pytest.raises(ValueError, match=r"holds two/datalist\.json of dataset toy-two: pass"):
        check_out(tmp_path, tmp_path / "absent", views=("one",))
    with pytest.raises(ValueError, match=r"holds one/datalist\.json of dataset toy-one: pass"):
        check_out(tmp_path, tmp_path / "absent")
