"""Tests of scripts/hatch_build.py."""

import os

import pytest

pytest.importorskip("hatchling", reason="pip install 'medseg[dev]'")


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "bundles" / "toy"
    (folder / "configs").mkdir(parents=True)
    for name in ("train.json", "metadata.json"):
        (folder / "configs" / name).write_text('{"name": "toy"}')
    return folder


@pytest.mark.parametrize("version", ["standard", "editable"])
def test_a_line_in_the_place_of_a_link_becomes_a_copy(script, bundle, version):
    (bundle / "train.json").write_text("configs/train.json")
    hook = script("hatch_build").FlatNames(str(bundle.parents[1]), {}, None, None, "", "wheel")
    hook.initialize(version, {})
    assert (bundle / "train.json").read_text() == '{"name": "toy"}'
    assert not (bundle / "metadata.json").exists()


def test_links_and_files_of_their_own_are_left_alone(script, bundle):
    (bundle / "train.json").symlink_to("configs/train.json")
    (bundle / "metadata.json").write_text('{"name": "other"}')
    script("hatch_build").copy_over_lines(bundle.parent)
    assert os.readlink(bundle / "train.json") == "configs/train.json"
    assert (bundle / "metadata.json").read_text() == '{"name": "other"}'
