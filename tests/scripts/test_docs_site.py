"""The site holds the cards of all bundles and a page per package, and its links lead to them."""

from types import SimpleNamespace

import pytest

pytest.importorskip("mkdocs")


@pytest.fixture
def site(script):
    return script("docs_site")


@pytest.mark.parametrize(
    ("page", "link", "of_the_site"),
    [
        ("how-to/depth.md", "../../bundles/nuclei/docs/README.md", "../bundles/nuclei.md"),
        ("index.md", "../bundles/nuclei/docs/README.md", "bundles/nuclei.md"),
        ("bundles/liver.md", "../../liver_3d/docs/README.md", "liver_3d.md"),
        ("bundles/liver.md", "../../../docs/reference/metrics.md", "../reference/metrics.md"),
        ("how-to/depth.md", "prepare.md#folds", "prepare.md#folds"),
    ],
)
def test_a_link_of_the_repository_leads_to_the_page_of_the_site(site, page, link, of_the_site):
    shown = SimpleNamespace(file=SimpleNamespace(src_uri=page))
    text = site.on_page_markdown(f"See [this]({link}).", page=shown, config=None, files=None)
    assert text == f"See [this]({of_the_site})."


def test_every_bundle_and_package_is_in_the_menu(site, repository):
    config = site.on_config({"nav": [{"Start": "index.md"}, {"Reference": []}]})
    menu = {key: value for section in config["nav"] for key, value in section.items()}
    cards = {path.parts[-3] for path in repository.glob("bundles/*/docs/README.md")}
    assert {name for entry in menu["Bundles"] for name in entry} == {"layers", *cards}
    assert [*menu["Reference"][0]] == ["medseg.ingest"]


def test_a_name_of_a_module_and_of_what_it_defines_is_described_as_the_latter(site):
    lines = site.describe("losses").splitlines()
    assert "::: medseg.losses.deep_supervision.deep_supervision" in lines
    assert site.describe("geometry") == "::: medseg.geometry\n"
