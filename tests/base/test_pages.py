"""Tests of medseg.base.pages: a refusal of a user's data names a page that is there."""

import importlib.util

import numpy as np
import pytest
from typer.testing import CliRunner

from medseg.base.errors import add_page
from medseg.base.pages import PAGES, find_page
from medseg.cli import app
from medseg.datasets import fold_split
from medseg.ingest import load


@pytest.mark.parametrize("page", sorted(set(PAGES.values())))
def test_every_page_is_there(repository, page):
    assert (repository / page).is_file()


@pytest.mark.parametrize("start", PAGES)
def test_every_module_is_there(start):
    assert importlib.util.find_spec(start) is not None


@pytest.mark.parametrize(
    ("module", "page"),
    [
        ("medseg.ingest.dicom.read_series", "docs/how-to/read-a-refusal.md"),
        ("medseg.datasets.lidc.annotations_xml", "docs/how-to/prepare-lidc.md"),
        ("medseg.datasets.own.pair_files", "docs/how-to/use-your-own-data.md"),
        ("medseg.planning.plan_folder", "docs/how-to/use-your-own-data.md"),
        ("medseg.datasets.nuclei", "docs/how-to/prepare-a-dataset.md"),
        ("medseg.datasets.fold_split", "docs/how-to/use-your-own-data.md"),
        ("medseg.datasets.sources.dataset_json", "docs/how-to/use-your-own-data.md"),
        ("medseg.inference.cases.check_image", "docs/how-to/read-a-refusal.md"),
        ("medseg.inference.cases.existing", "docs/how-to/use-your-own-data.md"),
        ("medseg.engines.foreground", "docs/how-to/use-your-own-data.md"),
        ("medseg.engines.resume_record", "docs/how-to/resume-a-run.md"),
        ("medseg.networks.weights.load", None),
        ("medseg.bundles.bundle", "docs/how-to/choose-a-bundle.md"),
        ("medseg.bundles.overrides", "docs/how-to/override-a-config.md"),
        ("medseg.engines.resume", "docs/how-to/resume-a-run.md"),
        ("numpy", None),
    ],
)
def test_the_longest_beginning_counts(module, page):
    assert find_page(module) == page


@pytest.mark.parametrize(
    ("call", "page"),
    [
        (lambda: load("/no/such/file"), "read-a-refusal"),
        (lambda: fold_split.check({}), "use-your-own-data"),
        (lambda: int("x"), None),
        (lambda: np.zeros(-1), None),
    ],
)
def test_a_message_names_the_page_of_what_raised_it(call, page):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - any message
        call()
    message = add_page(caught.value)
    assert message.startswith(str(caught.value))
    assert message.endswith(f" (see docs/how-to/{page}.md)") == (page is not None)


def test_the_error_line_of_a_verb_names_the_page(tmp_path):
    ended = CliRunner().invoke(app.app, ["inspect", str(tmp_path / "no")])
    assert ended.stderr.endswith("(see docs/how-to/read-a-refusal.md)\n")


@pytest.mark.parametrize("verb", ["train", "prune"])
def test_a_bundle_that_is_not_found_names_the_page_on_bundles(verb):
    ended = CliRunner().invoke(app.app, [verb, "-b", "no_bundle"])
    assert ended.stderr.endswith("(see docs/how-to/choose-a-bundle.md)\n")


@pytest.mark.parametrize(
    "words",
    [
        ("train", "-b", "{liver}", "--max_epoch", "3"),
        ("train", "-b", "{liver}", "--dataset_dir", ""),
        ("bundles", "build", "no_bundle"),
    ],
)
def test_a_bundle_or_an_override_that_is_refused_names_its_page(words, repository):
    liver = str(repository / "bundles" / "liver")
    ended = CliRunner().invoke(app.app, [word.format(liver=liver) for word in words])
    assert ended.stderr.endswith("(see docs/how-to/override-a-config.md)\n")


@pytest.mark.parametrize("text", ["{", "[]", '{"training": [1]}'])
def test_a_broken_dataset_json_names_the_page_of_own_data(text, tmp_path):
    for part in ("imagesTr", "labelsTr"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "a.nii").touch()
    (tmp_path / "dataset.json").write_text(text)
    words = ["prepare", "liver", "--source", str(tmp_path), "--out", str(tmp_path.parent / "out")]
    ended = CliRunner().invoke(app.app, words)
    assert ended.stderr.endswith("(see docs/how-to/use-your-own-data.md)\n")
