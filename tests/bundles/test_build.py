"""Tests of medseg.bundles.build, and of what the committed configs say."""

import json
import re
import shutil
from pathlib import Path

import pytest
from monai.bundle import ConfigWorkflow

from medseg.bundles import build
from medseg.bundles.layers.merge import CONFIG_NAMES, OVERLAY, merge_configs
from medseg.bundles.layers.references import find_references, find_unused

REPOSITORY = Path(__file__).resolve().parents[2]
BUNDLES = REPOSITORY / "bundles"
COMMITTED = [(name, workflow) for name in build.list_names(BUNDLES) for workflow in build.WORKFLOWS]

BASE = {
    "imports": ["$import medseg.networks", "$import medseg.losses"],
    "network_def": {"_target_": "Net", "channels": "@channels"},
    "training": ["$medseg.networks.check(@network_def)"],
    "run": "%training",
    "never_read": 1,
}
TASK = {
    "_layers_": ["extra"],
    "name": "toy",
    "channels": [1, 2],
    "run": "%training#0",
}


@pytest.fixture
def folder(tmp_path):
    """A folder with the layers of one small task."""
    tasks = tmp_path / "layers" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "toy.json").write_text(json.dumps(TASK))
    (tasks.parent / "base.json").write_text(json.dumps(BASE))
    for name in ("train", "segment", "extra"):
        (tasks.parent / f"{name}.json").write_text("{}")
    (tasks.parent / "logging.conf").write_text("[loggers]\n")
    (tmp_path / "toy" / "configs").mkdir(parents=True)
    (tmp_path / "toy" / "configs" / "metadata.json").write_text("{}")
    return tmp_path


def _config(folder, name="toy", workflow="train"):
    return json.loads((folder / name / "configs" / f"{workflow}.json").read_text())


def test_build_writes_configs_and_links_and_then_nothing(folder):
    written = {str(path.relative_to(folder / "toy")) for path in build.build("toy", folder)}
    configs = {f"configs/{name}.json" for name in CONFIG_NAMES}
    assert written == {*configs, "configs/logging.conf", *build.FLAT_NAMES}
    assert build.build("toy", folder) == []


def test_the_task_comes_last_and_wins(folder):
    build.build("toy", folder)
    assert _config(folder)["run"] == TASK["run"]


def test_a_config_holds_what_its_workflow_uses_and_no_more(folder):
    build.build("toy", folder)
    config = _config(folder)
    assert config.keys() == {
        *("_generated_", "name", "channels", "imports", "network_def", "training", "run")
    }
    assert config["imports"] == ["$import medseg.networks"]


def test_choices_come_before_the_wiring(folder):
    build.build("toy", folder)
    assert list(_config(folder))[:3] == ["_generated_", "name", "channels"]


def test_after_the_opening_come_the_choices_of_the_task_and_then_those_of_its_layers(folder):
    (folder / "layers" / "extra.json").write_text(json.dumps({"of_layer": 1, "channels": [3]}))
    task = {
        **TASK,
        "of_task": 2,
        "training": ["$medseg.networks.f(@network_def, @of_task, @of_layer)"],
    }
    (folder / "layers" / "tasks" / "toy.json").write_text(json.dumps(task))
    build.build("toy", folder)
    keys = list(_config(folder))
    assert keys[1:5] == ["name", "channels", "of_task", "of_layer"]
    assert {"network_def", "training"} <= {*keys[5:]}


@pytest.mark.parametrize("name", build.list_names(BUNDLES))
def test_a_config_opens_with_what_the_task_is_and_how_it_is_learnt(name):
    text = (BUNDLES / name / "configs" / "train.json").read_text()
    lines = [line.partition(":")[0].strip('" ') for line in text.splitlines()]
    assert {"name", "dataset_dir", "read_cases", "classes"} <= {*lines[:15]}
    order = ("name", "dataset_dir", "read_cases", "classes", "window_hu", "image_size", "topology",
             "learning_rate", "max_epochs", "batch_size", "train")  # fmt: skip
    keys = list(json.loads(text))
    places = [keys.index(key) for key in order if key in keys]
    assert places == sorted(places)


def test_the_note_names_the_layers_in_order(folder):
    build.build("toy", folder)
    for workflow, layer in (("train", "train"), ("evaluate", "segment"), ("inference", "segment")):
        sources = f"layers/base.json, layers/{layer}.json, layers/extra.json, layers/tasks/toy.json"
        assert f"{sources} by" in _config(folder, workflow=workflow)["_generated_"]


def test_a_task_may_name_other_layers_for_each_workflow(folder):
    task = {**TASK, "_layers_": {"train": ["extra"], "evaluate": [], "inference": []}}
    (folder / "layers" / "tasks" / "toy.json").write_text(json.dumps(task))
    build.build("toy", folder)
    assert "extra.json" in _config(folder)["_generated_"]
    assert "extra.json" not in _config(folder, workflow="evaluate")["_generated_"]


def test_a_task_that_names_layers_for_inference_alone_has_that_config_alone(folder):
    task = {**TASK, "_layers_": {"inference": []}}
    (folder / "layers" / "tasks" / "toy.json").write_text(json.dumps(task))
    build.build("toy", folder)
    built = {path.name for path in (folder / "toy" / "configs").glob("*.json")}
    assert built - {"metadata.json"} == {"inference.json"}


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (None, "toy.json names no layers for train: list some in _layers_"),
        ({"train": [], "inference": []}, "toy.json names no layers for evaluate"),
        (["extra", "ctt"], "names the layer 'ctt', which is not there: name one of base, extra, "),
    ],
)
def test_a_task_that_names_no_layers_or_unknown_ones_is_refused(folder, named, said):
    (folder / "layers" / "tasks" / "toy.json").write_text(json.dumps({**TASK, "_layers_": named}))
    with pytest.raises(ValueError, match=said):
        build.build("toy", folder)


def test_the_overlay_for_several_processes_is_its_layer_alone(folder):
    layer = {"network": "$medseg.losses.wrap(@network_def)", "+training": ["$@network"]}
    (folder / "layers" / "train.json").write_text(json.dumps({"_only_": {OVERLAY: layer}}))
    build.build("toy", folder)
    overlay = _config(folder, workflow=OVERLAY)
    assert overlay.pop("_generated_").endswith("give it after train.json")
    assert overlay == layer
    assert "$import medseg.losses" in _config(folder)["imports"]  # the overlay brings none


@pytest.mark.parametrize("name", build.list_names(BUNDLES))
def test_the_overlay_changes_only_what_it_says_and_leaves_no_key_unused(name):
    files = [BUNDLES / name / "configs" / f"{file}.json" for file in ("train", OVERLAY)]
    train, overlay = (json.loads(file.read_text()) for file in files)
    merged = merge_configs(files)
    stated = {key.lstrip("+").partition("#")[0] for key in overlay}
    assert {key for key in merged if merged[key] != train.get(key)} == stated
    assert merged["train"]["handlers"] == train["train"]["handlers"] + overlay["+train#handlers"]
    assert find_unused(merged, (*build.ALWAYS, *build.SEVERAL)) == []
    lines = [line.split()[-1] for line in train["imports"]]
    used = set(re.findall(r"\$(medseg\.[a-z_.]+|ignite\.distributed)\.", json.dumps(overlay)))
    assert used <= {*lines}


def test_short_lists_are_on_one_line(folder):
    build.build("toy", folder)
    assert '"channels": [1, 2],' in (folder / "toy" / "configs" / "train.json").read_text()


def test_an_edited_config_is_stale_until_it_is_built(folder):
    build.build("toy", folder)
    path = folder / "toy" / "configs" / "train.json"
    path.write_text(path.read_text().replace("toy", "edited"))
    assert build.find_stale("toy", folder) == [path]
    assert build.build("toy", folder) == [path]
    assert build.find_stale("toy", folder) == []


def test_a_changed_layer_makes_the_config_stale(folder):
    build.build("toy", folder)
    (folder / "layers" / "base.json").write_text(json.dumps({**BASE, "name": "x", "device": "cpu"}))
    changed = {path.name for path in build.find_stale("toy", folder)}
    assert changed == {f"{workflow}.json" for workflow in build.WORKFLOWS}


def test_a_file_in_the_place_of_a_link_gives_way(folder):
    build.build("toy", folder)
    link = folder / "toy" / "train.json"
    link.unlink()
    link.write_text("a copy")
    assert build.build("toy", folder) == [link]
    assert link.is_symlink()


def test_where_links_cannot_be_made_the_flat_names_are_copies(folder, monkeypatch):
    """As in a checkout with core.symlinks=false, where git writes the target as text."""

    def refuse(*_):
        raise OSError("no links here")

    build.build("toy", folder)
    for flat in build.FLAT_NAMES:
        (folder / "toy" / flat).unlink()
        (folder / "toy" / flat).write_text(f"configs/{flat}")
    monkeypatch.setattr(Path, "symlink_to", refuse)
    assert len(build.build("toy", folder)) == len(build.FLAT_NAMES)
    assert build.build("toy", folder) == []
    for flat in build.FLAT_NAMES:
        place = folder / "toy" / flat
        assert not place.is_symlink()
        assert place.read_bytes() == (folder / "toy" / "configs" / flat).read_bytes()


def test_names_are_the_tasks(folder):
    assert build.list_names(folder) == ["toy"]


def test_a_folder_without_layers_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no layers/tasks: run from the repository"):
        build.list_names(tmp_path)


@pytest.mark.parametrize("act", [build.build, build.find_stale])
def test_an_unknown_task_is_refused(folder, act):
    with pytest.raises(FileNotFoundError, match=r"no bundle 'lung' in .*: name one of toy"):
        act("lung", folder)


@pytest.mark.parametrize("name", build.list_names(BUNDLES))
def test_committed_configs_are_what_their_layers_give(name):
    assert build.find_stale(name, BUNDLES) == []


@pytest.mark.parametrize(("name", "workflow"), COMMITTED)
def test_every_key_of_a_committed_config_is_used(name, workflow):
    config = _config(BUNDLES, name, workflow)
    assert find_unused(config, (*build.ALWAYS, *build.WORKFLOWS[workflow])) == []


@pytest.mark.parametrize(("name", "workflow"), COMMITTED)
def test_plain_run_is_the_named_workflow(name, workflow):
    run_id = build.WORKFLOWS[workflow][0]
    assert _config(BUNDLES, name, workflow)["run"] == f"%{run_id}"
    assert isinstance(_config(BUNDLES, name, workflow)[run_id], list)


@pytest.mark.parametrize("name", build.list_names(BUNDLES))
def test_no_handler_is_named_by_its_place_in_the_list(name):
    """MONAI Label puts a handler in front; MONAI reads `_target_` of each entry."""
    train, overlay = (_config(BUNDLES, name, file) for file in ("train", OVERLAY))
    assert "#handlers#" not in json.dumps([train, overlay])
    handlers = [*train["train"]["handlers"], *overlay["+train#handlers"]]
    assert all("_target_" in handler for handler in handlers)


def _list_lists(value):
    """Every list of a config, at any depth."""
    if isinstance(value, list):
        yield value
    for part in value.values() if isinstance(value, dict) else value:
        if isinstance(part, (dict, list)):
            yield from _list_lists(part)


@pytest.mark.parametrize(("name", "workflow"), COMMITTED)
def test_no_list_names_a_component_that_may_be_turned_off(name, workflow):
    """MONAI leaves such a one out of a list where it stands itself; a reference to it is None."""
    config = _config(BUNDLES, name, workflow)
    off = {f"@{key}" for key, of in config.items() if isinstance(of, dict) and "_disabled_" in of}
    assert not [item for each in _list_lists(config) for item in each if str(item) in off]


def test_no_choice_is_alike_in_all_tasks():
    """Such a one stands in a layer, once."""
    files = (BUNDLES / "layers" / "tasks").glob("*.json")
    first, *others = (json.loads(file.read_text()) for file in files)
    assert [key for key in first if all(task.get(key) == first[key] for task in others)] == []


def _list_blocks(value):
    """Every component of a layer but the shortest ones, as text."""
    if isinstance(value, dict):
        if "_target_" in value and len(value) > 3:
            yield json.dumps(value, sort_keys=True)
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _list_blocks(part)


def test_each_block_of_the_layers_stands_once():
    files = (BUNDLES / "layers").glob("*.json")
    blocks = [block for file in files for block in _list_blocks(json.loads(file.read_text()))]
    assert len(blocks) > 40
    assert len({*blocks}) == len(blocks)


@pytest.mark.parametrize("task", sorted((BUNDLES / "layers" / "tasks").glob("*.json")), ids=str)
def test_a_task_holds_no_wiring(task):
    config = json.loads(task.read_text())
    assert not find_references(config)
    assert "_target_" not in json.dumps(config)


@pytest.mark.parametrize("name", build.list_names(BUNDLES))
@pytest.mark.parametrize("workflow", build.WORKFLOWS)
def test_a_workflow_checks_each_of_its_choices_before_anything_is_read(name, workflow):
    config = json.loads((BUNDLES / name / f"{workflow}.json").read_text())
    plain = [
        key
        for key, value in config.items()
        if not any(mark in json.dumps(value) for mark in ("_target_", '"$', '"@', '"%'))
    ]
    assert set(plain) - {"_generated_", "choices"} <= set(config["choices"])
    assert all(value == f"@{key}" for key, value in config["choices"].items())
    errors, log, paths, command, choices = config["initialize"][:5]
    assert "print_errors_in_one_line()" in errors
    assert log == "$medseg.engines.keep_log()"
    assert "check_paths(" in paths
    assert command == "$medseg.bundles.keys.monai_command.check_monai_command()"
    assert choices == "$medseg.base.choices.check_choices(@choices)"


def test_the_page_on_layers_names_each_of_them():
    page = (BUNDLES / "README.md").read_text()
    rows = [
        re.findall(r"`(\w+)`", row.split("|")[1]) for row in page.splitlines() if row[:1] == "|"
    ]
    layers = {path.stem for path in (BUNDLES / "layers").glob("*.json")}
    assert layers <= {name for row in rows for name in row}


def test_a_config_that_monai_runs_finds_its_own_bundle_from_anywhere(
    committed, tmp_path, monkeypatch
):
    """Also where the working directory holds another bundle of that name."""
    elsewhere = tmp_path / "app" / "model"
    shutil.copytree(committed / "liver", elsewhere, symlinks=True)
    for here, root, expected in (
        (tmp_path, elsewhere, "app/model"),
        (committed.parent, committed / "liver", "bundles/liver"),
        (elsewhere, elsewhere, "."),
        (committed, elsewhere, str(elsewhere)),
    ):
        monkeypatch.chdir(here)
        for config in ("inference.json", "configs/inference.json"):
            workflow = ConfigWorkflow(
                str(root / config), logging_file=False, workflow_type="infer", initialize=[]
            )
            workflow.initialize()
            assert workflow.bundle_root == expected


@pytest.mark.parametrize("name", build.list_names(BUNDLES))
def test_a_training_looks_at_the_files_of_its_bundle_before_its_data(name):
    config = json.loads((BUNDLES / name / "train.json").read_text())
    assert config["training"][0] == "$medseg.bundles.check_complete(@bundle_root)"
