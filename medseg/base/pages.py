"""Pages: which page of the documentation helps with an error, by the module that raised it."""

from pathlib import Path

_INSTALLED = Path(__file__).parents[1]
"""A wheel carries the pages in `medseg/docs`; a checkout has them in its own `docs/`."""

PAGES = {
    "medseg.ingest": "docs/how-to/read-a-refusal.md",
    "medseg.datasets.lidc": "docs/how-to/prepare-lidc.md",
    "medseg.datasets.download.fetch": "docs/how-to/get-the-data.md",
    "medseg.datasets.download.transfer": "docs/how-to/get-the-data.md",
    "medseg.datasets.download.catalogue": "docs/how-to/get-the-data.md",
    "medseg.datasets.phantom": "docs/tutorials/first-run.md",
    "medseg.datasets.fold_split": "docs/how-to/use-your-own-data.md",
    "medseg.datasets.entries": "docs/how-to/use-your-own-data.md",
    "medseg.datasets.output_folder": "docs/how-to/use-your-own-data.md",
    "medseg.datasets.prepared": "docs/how-to/use-your-own-data.md",
    "medseg.datasets.sources.integrity": "docs/how-to/use-your-own-data.md",
    "medseg.datasets.sources.msd": "docs/how-to/use-your-own-data.md",
    "medseg.datasets.sources.dataset_json": "docs/how-to/use-your-own-data.md",
    "medseg.datasets.own": "docs/how-to/use-your-own-data.md",
    "medseg.datasets": "docs/how-to/prepare-a-dataset.md",
    "medseg.datasets.prepare": "docs/how-to/prepare-a-dataset.md",
    "medseg.transforms": "docs/how-to/use-your-own-data.md",
    "medseg.inference.cases.run": "docs/how-to/use-your-own-data.md",
    "medseg.inference.cases.find_cases": "docs/how-to/use-your-own-data.md",
    "medseg.inference.cases.find_pictures": "docs/how-to/use-your-own-data.md",
    "medseg.inference.cases.existing": "docs/how-to/use-your-own-data.md",
    "medseg.inference.cases.check_image": "docs/how-to/read-a-refusal.md",
    "medseg.inference.cases.check_result": "docs/how-to/read-a-refusal.md",
    "medseg.engines.faulty_cases": "docs/how-to/read-a-refusal.md",
    "medseg.inference.outputs.label_files": "docs/how-to/view-a-mask.md",
    "medseg.engines.foreground": "docs/how-to/use-your-own-data.md",
    "medseg.engines.resume": "docs/how-to/resume-a-run.md",
    "medseg.engines.resume_record": "docs/how-to/resume-a-run.md",
    "medseg.base.walk": "docs/how-to/use-your-own-data.md",
    "medseg.cli.nothing_found": "docs/how-to/read-a-refusal.md",
    "medseg.bundles.own": "docs/how-to/use-your-own-data.md",
    "medseg.planning": "docs/how-to/use-your-own-data.md",
    "medseg.cli.new_verb": "docs/how-to/use-your-own-data.md",
    "medseg.bundles.run": "docs/how-to/use-your-own-data.md",
    "medseg.plausibility": "docs/how-to/read-a-refusal.md",
    "medseg.engines.claim": "docs/how-to/resume-a-run.md",
    "medseg.base.choices": "docs/how-to/override-a-config.md",
    "medseg.bundles.catalogue": "docs/how-to/choose-a-bundle.md",
    "medseg.bundles.overrides": "docs/how-to/override-a-config.md",
    "medseg.bundles.tracking": "docs/how-to/override-a-config.md",
    "medseg.bundles.override_values": "docs/how-to/override-a-config.md",
    "medseg.base.path_keys": "docs/how-to/override-a-config.md",
    "medseg.bundles.build": "docs/how-to/override-a-config.md",
    "medseg.bundles.bundle": "docs/how-to/choose-a-bundle.md",
    "medseg.bundles.check": "docs/how-to/override-a-config.md",
}
"""How the name of a module that reads a user's data or words begins -> the page; the longest
counts."""


def find_page(module: str) -> str | None:
    """The page for what a module refuses, if that is about a user's data or words.

    Returns:
        Its path from the root of a checkout, or where an installed medseg has it.

    Example:
        >>> find_page("medseg.ingest.volumes")
        'docs/how-to/read-a-refusal.md'
    """
    fitting = [start for start in PAGES if module.startswith(start)]
    return _locate(PAGES[max(fitting, key=len)]) if fitting else None


def _locate(page: str) -> str:
    installed = _INSTALLED / page
    return str(installed) if installed.is_file() else page
