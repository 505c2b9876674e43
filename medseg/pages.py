"""Pages: which page of the documentation helps with an error, by the module that raised it."""

PAGES = {
    "medseg.ingest": "docs/how-to/read-a-refusal.md",
    "medseg.datasets.lidc": "docs/how-to/prepare-lidc.md",
    "medseg.datasets._lidc": "docs/how-to/prepare-lidc.md",
    "medseg.datasets.download": "docs/how-to/get-the-data.md",
    "medseg.datasets._transfer": "docs/how-to/get-the-data.md",
    "medseg.datasets.catalogue": "docs/how-to/get-the-data.md",
    "medseg.datasets.phantom": "docs/tutorials/first-run.md",
    "medseg.datasets.datalist": "docs/how-to/use-your-own-data.md",
    "medseg.datasets.prepared": "docs/how-to/use-your-own-data.md",
    "medseg.datasets._integrity": "docs/how-to/use-your-own-data.md",
    "medseg.datasets._msd": "docs/how-to/use-your-own-data.md",
    "medseg.datasets._dataset_json": "docs/how-to/use-your-own-data.md",
    "medseg.datasets": "docs/how-to/prepare-a-dataset.md",
    "medseg.prepare": "docs/how-to/prepare-a-dataset.md",
    "medseg.transforms": "docs/how-to/use-your-own-data.md",
    "medseg.inference.case": "docs/how-to/use-your-own-data.md",
    "medseg.inference.pictures": "docs/how-to/use-your-own-data.md",
    "medseg.inference.existing": "docs/how-to/use-your-own-data.md",
    "medseg.inference.check_image": "docs/how-to/read-a-refusal.md",
    "medseg.inference.check_result": "docs/how-to/read-a-refusal.md",
    "medseg.engines.foreground": "docs/how-to/use-your-own-data.md",
    "medseg.engines.resume": "docs/how-to/resume-a-run.md",
    "medseg.engines.record": "docs/how-to/resume-a-run.md",
    "medseg.walk": "docs/how-to/use-your-own-data.md",
    "medseg.run": "docs/how-to/use-your-own-data.md",
    "medseg.plausibility": "docs/how-to/read-a-refusal.md",
    "medseg.engines.claim": "docs/how-to/resume-a-run.md",
    "medseg.choices": "docs/how-to/override-a-config.md",
    "medseg.overrides": "docs/how-to/override-a-config.md",
    "medseg.override_values": "docs/how-to/override-a-config.md",
    "medseg.path_keys": "docs/how-to/override-a-config.md",
    "medseg.bundles": "docs/how-to/override-a-config.md",
    "medseg.bundle_check": "docs/how-to/override-a-config.md",
}
"""How the name of a module that reads a user's data or words begins -> the page; the longest
counts."""


def page_of(module: str) -> str | None:
    """The page for what a module refuses, if that is about a user's data or words.

    Example:
        >>> page_of("medseg.ingest.nifti")
        'docs/how-to/read-a-refusal.md'
    """
    fitting = [start for start in PAGES if module.startswith(start)]
    return PAGES[max(fitting, key=len)] if fitting else None
