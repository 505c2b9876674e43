"""Tests of scripts/demo.py; the whole of it is `make demo`."""

import importlib.util
import json

import pytest


@pytest.fixture
def demo(repository):
    spec = importlib.util.spec_from_file_location("demo", repository / "scripts" / "demo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_demo_trains_with_the_users_command_and_segments_a_dicom_folder(demo, tmp_path):
    commands = [" ".join(command) for _, command in demo.stages(tmp_path, epochs=6)]
    assert len(commands) == 5
    user = f"-m monai.bundle run training --config_file {tmp_path / 'liver' / 'train.json'}"
    assert user in commands[2]
    assert f"segment {tmp_path / 'data' / 'dicom' / 'liver_006'}" in commands[3]


def test_no_bundle_gets_weights_of_phantoms(demo, tmp_path):
    _, (_, copied), (_, trained), *_ = demo.stages(tmp_path, epochs=6)
    assert copied[-2:] == ["bundles/liver", str(tmp_path / "liver")]
    assert "bundles/liver" not in " ".join(trained)


def test_the_report_says_that_it_is_synthetic_and_gives_the_dice(demo, tmp_path, capsys):
    (tmp_path / "scores").mkdir()
    scores = {"classes": {"liver": {"dice": {"mean": 0.5}}}}
    (tmp_path / "scores" / "metrics_summary.json").write_text(json.dumps(scores))
    demo.report(tmp_path, seconds=1.0)
    shown = capsys.readouterr().out
    assert "SYNTHETIC SMOKE RUN" in shown
    assert "0.500" in shown
