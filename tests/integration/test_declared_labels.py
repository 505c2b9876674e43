"""Label values outside the user's dataset.json: training, evaluation and prepare judge alike."""

import json
import re
from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from medseg.base.errors import find_root_cause
from medseg.datasets import hippocampus, lits, phantom

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
SETS = {"liver": ("ct", lits), "liver_3d": ("ct", lits), "hippocampus": ("mr", hippocampus)}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Folders of masks that hold 0, 1 and 2."""
    root = tmp_path_factory.mktemp("published")
    return {
        kind: phantom.write(kind, root / kind, cases=8, size=48, slices=3) for kind in ("ct", "mr")
    }


def _declare(root, labels):
    content = json.loads((root / "dataset.json").read_text()) | {"labels": labels}
    (root / "dataset.json").write_text(json.dumps(content))


def _read_first(name, config, root):
    """Read the first case as a training or an evaluation does; returns its name."""
    choices = ConfigParser.load_config_file(str(BUNDLES / name / "configs" / f"{config}.json"))
    parser = ConfigParser({**choices, "dataset_dir": str(root)})
    case = SETS[name][1].list_cases(root)[0]
    read = "load" if config == "train" else "validate#preprocessing"
    parser.get_parsed_content(read)(case)
    return case["case"]


@pytest.mark.parametrize("config", ["train", "evaluate"])
@pytest.mark.parametrize("name", SETS)
def test_a_value_outside_dataset_json_is_refused_in_the_words_of_prepare(
    name, config, published, tmp_path, caplog
):
    kind, dataset = SETS[name]
    root = published[kind]
    said = r"holds 2 \(\d+ voxels\), outside the declared \[0, 1\]"
    _declare(root, {"0": "background", "1": "spleen"})
    with pytest.raises(Exception) as caught:  # noqa: PT011 (MONAI's own, around ours)
        _read_first(name, config, root)
    cause = find_root_cause(caught.value)
    assert isinstance(cause, ValueError)
    assert dataset.list_cases(root)[0]["label"] in str(cause)
    assert re.search(said, str(cause))
    with pytest.raises(ValueError, match="cases are faulty"):
        dataset.prepare(root, tmp_path / "out")
    assert re.search(said, caplog.text)


@pytest.mark.parametrize("config", ["train", "evaluate"])
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(
    "labels", [{"0": "bg", "1": "spleen", "2": "cyst"}, {"bg": 0, "kidney": [1, 2]}, {}]
)
def test_the_names_of_labels_guard_nothing(name, config, labels, published):
    root = published[SETS[name][0]]
    _declare(root, labels)
    assert _read_first(name, config, root)
