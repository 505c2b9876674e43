"""Docs site: the pages beside docs/, one for each package and one for each model card.

MkDocs calls the functions below, see `hooks` in mkdocs.yml. `make docs` builds the site.
"""

import ast
import re
from pathlib import Path, PurePosixPath
from typing import Any

import griffe
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    *("ingest", "ingest.reader", "ingest.pictures.load", "datasets.phantom", "datasets.fold_split"),
    *("transforms", "networks", "losses", "metrics"),
    *("engines", "inference", "geometry", "labels"),
)
"""The packages and modules whose public names the reference describes, along the data flow."""

LAYERS = "layers"
"""The page of the site that bundles/README.md is."""

CARD = "bundles/{}/docs/README.md"
"""Where the repository keeps the card of a bundle."""


class ExampleSections(griffe.Extension):
    """Shows a section "Example:" of a docstring as code; griffe knows only "Examples:"."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rename the section."""
        if obj.docstring is not None:
            obj.docstring.value = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n")


def on_config(config: Any) -> Any:
    """Put the pages of packages and bundles behind the hand-written ones of the menu."""
    bundles = [{name: f"bundles/{name}.md"} for name in (LAYERS, *_bundles())]
    packages = [{f"medseg.{name}": f"reference/api/{name}.md"} for name in PACKAGES]
    for section in config["nav"]:
        section.get("Reference", []).extend(packages)
    config["nav"].append({"Bundles": bundles})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add a page per package, from its docstrings, and the card of each bundle."""
    for name in PACKAGES:
        page = f"# medseg.{name}\n\n{describe(name)}"
        files.append(File.generated(config, f"reference/api/{name}.md", content=page))
    for name in _bundles():
        card = (ROOT / CARD.format(name)).read_text()
        files.append(File.generated(config, f"bundles/{name}.md", content=card))
    layers = (ROOT / "bundles" / "README.md").read_text()
    files.append(File.generated(config, f"bundles/{LAYERS}.md", content=layers))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: Any, files: Files) -> str:
    """Let links of the repository between docs/ and bundles/ lead to the pages of the site."""
    here = PurePosixPath(page.file.src_uri)
    if here.parent.name == "bundles":
        markdown = re.sub(r"\]\((?:\.\./\.\./)?\.\./docs/", "](../", markdown)
        return re.sub(r"\]\(\.\./\.\./(\w+)/docs/README\.md", r"](\1.md", markdown)
    markdown = re.sub(r"(\]\((?:\.\./)+)bundles/()README\.md", _card_link(here, LAYERS), markdown)
    return re.sub(r"(\]\((?:\.\./)+)bundles/(\w+)/docs/README\.md", _card_link(here), markdown)


def describe(name: str) -> str:
    """What a page says of a package: its docstring and its public names; of a module, all of it.

    Each name is given by the module that defines it, for some modules have the name of what they
    define: `medseg.losses.deep_supervision` is both.
    """
    own = ROOT / "medseg" / name.replace(".", "/") / "__init__.py"
    if not own.is_file():
        return f"::: medseg.{name}\n"
    tree = ast.parse(own.read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    lines = [f"::: {node.module}.{each.name}" for node in imports for each in node.names]
    return "\n\n".join([ast.get_docstring(tree) or "", *lines]) + "\n"


def _card_link(here: PurePosixPath, page: str = r"\2") -> str:
    """What replaces a link from a page of docs/ to the card of a bundle, or to the layers."""
    return "](" + "../" * (len(here.parts) - 1) + rf"bundles/{page}.md"


def _bundles() -> list[str]:
    return sorted(path.parts[-3] for path in ROOT.glob(CARD.format("*")))
