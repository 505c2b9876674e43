"""Every bundle end to end on a phantom of its modality: prepare, train an epoch, evaluate, segment.

The phantom is written in the layout in which the dataset is published, so each converter reads what
it reads in earnest. Networks are tiny; nothing here says how well a bundle segments.
"""

import csv
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from integration import commands
from monai.bundle import ConfigParser
from monai.transforms import MapTransform
from PIL import Image

from medseg.base.errors import find_root_cause
from medseg.bundles import build
from medseg.bundles.run import run_bundle
from medseg.datasets import phantom
from medseg.datasets.prepare import prepare

REPOSITORY = Path(__file__).resolve().parents[2]
TINY = ("--channels", "[2,4,6]", "--head_weights", "[1,1]", "--num_workers", "0", "--folds", "2")
TRAIN = ("--max_epochs", "1", "--val_interval", "1", "--mixed_precision", "False")


@dataclass(frozen=True)
class Recipe:
    """What a bundle is tried with: the phantom, its size, and the overrides that make it small."""

    kind: str
    dataset: str
    size: int = 48
    cases: int = 6
    test_cases: int = 1
    slices: int = 4
    choices: tuple[str, ...] = ()
    train_choices: tuple[str, ...] = ()


SQUARE = ("--image_size", "[32,32]")
RECIPES = {
    "brain_tumor": Recipe("brain", "brain_tumor", choices=SQUARE),
    "cityscapes": Recipe("city", "cityscapes", choices=SQUARE),
    "em_membrane": Recipe(
        "membrane", "em_membrane", cases=8, choices=(*SQUARE, "--tile_halo", "8")
    ),
    "hippocampus": Recipe("mr", "hippocampus", choices=("--image_size", "[16,16,16]")),
    "kitti_road": Recipe("road", "kitti_road", choices=SQUARE, cases=8),
    "liver": Recipe("ct", "liver", choices=SQUARE),
    "liver_3d": Recipe(
        "ct",
        "liver",
        choices=(
            "--image_size",
            "[16,16,16]",
            "--strides",
            "2",
            "--kernel_size",
            "3",
            "--spacing_mm",
            "[8,8,5]",
        ),
    ),
    "liver_slices": Recipe("slices", "liver_slices", choices=SQUARE),
    "lung_nodule": Recipe(
        "chest", "lung_nodule", size=64, slices=24, choices=("--patch_size", "16")
    ),
    "nuclei": Recipe("microscopy", "nuclei", choices=SQUARE),
    "polyp": Recipe("endoscopy", "polyp", choices=SQUARE),
}
SEPARATED = ("em_membrane", "nuclei")
"""Bundles that number the objects that they find."""
VOLUMES = ("hippocampus", "liver", "liver_3d", "liver_slices", "lung_nodule")


@dataclass(frozen=True)
class Workspace:
    """A folder with one bundle, without weights, and its prepared phantom."""

    root: Path
    name: str

    @property
    def bundle(self) -> Path:
        return self.root / "bundles" / self.name

    @property
    def weights(self) -> Path:
        """Those of the one run."""
        (file,) = (self.root / "runs" / self.name).glob("*/models/model.pt")
        return file

    def run(self, workflow: str, run_id: str, *overrides: str) -> None:
        choices = self.choose(workflow, *overrides)
        run_bundle(self.bundle, workflow, run_id=run_id, arguments=choices)

    def choose(self, workflow: str, *overrides: str) -> list[str]:
        """The command line of a workflow: what makes it small, and the overrides."""
        recipe = RECIPES[self.name]
        known = ConfigParser.load_config_file(str(self.bundle / f"{workflow}.json"))
        weights = [] if workflow == "train" else ["--weights", str(self.weights)]
        return _only_known([*TINY, *recipe.choices, *weights, *overrides], known)


def _only_known(pairs: Sequence[str], config: dict) -> list[str]:
    """The overrides that a workflow has: --num_workers is for training alone."""
    kept = [(key, value) for key, value in zip(pairs[::2], pairs[1::2], strict=True)]
    return [part for key, value in kept if key[2:].split("#")[0] in config for part in (key, value)]


@pytest.fixture(scope="module", params=sorted(RECIPES))
def workspace(request, tmp_path_factory):
    """The workspace of each bundle in turn, trained for one epoch; also the working directory."""
    name, recipe = request.param, RECIPES[request.param]
    root = tmp_path_factory.mktemp(name)
    shutil.copytree(
        REPOSITORY / "bundles" / name,
        root / "bundles" / name,
        symlinks=True,
        ignore=shutil.ignore_patterns("model.pt"),
    )
    published = phantom.write(
        recipe.kind,
        root / "published",
        cases=recipe.cases,
        test_cases=recipe.test_cases,
        size=recipe.size,
        slices=recipe.slices,
    )
    options = {"size": 16} if recipe.dataset == "lung_nodule" else {}
    prepare(recipe.dataset, published, root / "data" / recipe.dataset, options=options)
    deterministic = torch.are_deterministic_algorithms_enabled()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        made = Workspace(root, name)
        made.run("train", "training", *TRAIN, *recipe.train_choices)
        yield made
    torch.use_deterministic_algorithms(deterministic)


def images_to_segment(workspace):
    """The prepared images; a CT for the bundle that learns from slices and segments volumes."""
    if workspace.name == "liver_slices":
        ct = phantom.write("ct", workspace.root / "ct", cases=3, test_cases=0, size=48, slices=3)
        return ct / "imagesTr"
    view = "patches" if workspace.name == "lung_nodule" else ""
    return workspace.root / "data" / RECIPES[workspace.name].dataset / view / "images"


def test_every_bundle_has_a_recipe():
    assert set(RECIPES) == set(build.list_names(REPOSITORY / "bundles"))


@pytest.mark.long
def test_one_epoch_leaves_weights_that_the_network_takes(workspace):
    state = torch.load(workspace.weights, weights_only=True)
    assert all(torch.isfinite(value).all() for value in state.values() if value.is_floating_point())
    heads = [value for key, value in state.items() if key.endswith("head.weight")]
    assert len(heads) == 2  # X(0,1) and X(0,2) of the tiny network


@pytest.mark.long
def test_evaluation_scores_every_case_and_class(workspace):
    workspace.run("evaluate", "evaluating")
    config = ConfigParser.load_config_file(str(workspace.bundle / "evaluate.json"))
    with (workspace.root / f"runs/{workspace.name}/metrics.csv").open(newline="") as file:
        rows = [(row["case"], row["class"]) for row in csv.DictReader(file)]
    assert len(rows) == len(set(rows)) > 0
    assert {name for _, name in rows} == set(config["classes"])
    summary = json.loads(
        (workspace.root / f"runs/{workspace.name}/metrics_summary.json").read_text()
    )
    assert summary["failed"] == {}


@pytest.mark.long
def test_train_and_evaluate_configs_merged_as_in_the_model_zoo_give_the_same_scores(workspace):
    workspace.run("evaluate", "evaluating", "--output_dir", "alone")
    files = [str(workspace.bundle / "configs" / f"{each}.json") for each in ("train", "evaluate")]
    choices = workspace.choose("evaluate", "--output_dir", "merged", "--predictor", "eager")
    command = [sys.executable, "-m", "monai.bundle", "run", "evaluating", "--config_file"]
    done = commands.run([*command, str(files), *choices], workspace.root)
    assert done.returncode == 0, done.stderr[-2000:]
    alone, merged = (workspace.root / place / "metrics.csv" for place in ("alone", "merged"))
    assert merged.read_text() == alone.read_text()


@pytest.mark.long
def test_segmentation_gives_a_label_map_of_the_size_of_each_image(workspace):
    folder = images_to_segment(workspace)
    workspace.run("inference", "inference", "--input", str(folder), "--output_dir", "masks")
    images = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    assert len(images) > 2
    classes = ConfigParser.load_config_file(str(workspace.bundle / "train.json"))["classes"]
    for image in images:
        case = image.name.split(".")[0]
        assert (workspace.root / "masks" / f"{case}.png").stat().st_size > 500
        if workspace.name in VOLUMES:
            source, label = nib.load(image), nib.load(workspace.root / "masks" / image.name)
            assert np.allclose(source.affine, label.affine)
            size, values = source.shape, np.asarray(label.dataobj)
        else:
            values = np.asarray(Image.open(workspace.root / "masks" / f"{case}_label.png"))
            instances = workspace.root / "masks" / f"{case}_instances.png"
            assert instances.exists() == (workspace.name in SEPARATED)
            if workspace.name in SEPARATED:
                assert ((np.asarray(Image.open(instances)) > 0) == (values > 0)).all()
            size = Image.open(image).size[::-1]
        assert values.shape == size
        assert set(np.unique(values)) <= set(range(len(classes) + 1))


@pytest.mark.long
def test_the_bundle_of_slices_segments_a_slice_that_is_a_picture_too(workspace):
    if workspace.name != "liver_slices":
        pytest.skip("of another bundle")
    folder = workspace.root / "data" / "liver_slices" / "images"
    workspace.run("inference", "inference", "--input", str(folder), "--output_dir", "slices")
    images = sorted(folder.iterdir())
    assert len(images) > 2
    for image in images:
        label = Image.open(workspace.root / "slices" / f"{image.stem}_label.png")
        assert label.size == Image.open(image).size
        assert set(np.unique(label)) <= {0, 1}
        assert (workspace.root / "slices" / image.name).stat().st_size > 500
    assert len(list((workspace.root / "slices").glob("*.png"))) == 2 * len(images)


@pytest.mark.parametrize("workflow", ["evaluate", "inference"])
@pytest.mark.parametrize("name", build.list_names(REPOSITORY / "bundles"))
def test_windows_that_the_network_cannot_take_are_refused_before_weights_are_read(name, workflow):
    parser = ConfigParser()
    parser.read_config(REPOSITORY / "bundles" / name / f"{workflow}.json")
    axes = parser.get_parsed_content("spatial_dims")
    parser.update({"roi_size": [1] * axes, "channels": [2] * 5})
    run = "evaluating" if workflow == "evaluate" else "inference"
    asks, reads = (
        next(n for n, text in enumerate(parser[run]) if word in text)
        for word in ("check_windows(", "load_weights(")
    )
    assert asks < reads
    parser.parse()
    with pytest.raises(RuntimeError) as caught:  # MONAI's, around ours
        parser.get_parsed_content(f"{run}#{asks}")
    assert "roi_size" in str(find_root_cause(caught.value))


@pytest.mark.parametrize("name", build.list_names(REPOSITORY / "bundles"))
def test_the_first_transform_after_the_network_takes_a_dictionary(name):
    """By that, MONAI Deploy decides whether it gives the transforms a dictionary or one tensor."""
    bundle = REPOSITORY / "bundles" / name
    parser = ConfigParser(ConfigParser.load_config_file(str(bundle / "inference.json")))
    parser.update({"bundle_root": str(bundle)})
    for key in ("preprocessing", "postprocessing"):
        assert isinstance(parser.get_parsed_content(key).transforms[0], MapTransform)
