"""Edit a copy of a bundle, and see what its check finds."""

import json

from medseg.bundles.check import find_faults

NAME = "liver_slices"
SMALL = ["--channels", "[2,3,4]"]
"""Overrides that make a network small; the fixture `bundle` of pruning has its weights."""


def edit_json(path, change):
    """Change a JSON file in place, not through its flat link."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def find_config_faults(folder, workflow, change):
    """Faults but the one that the config is not what its layers give."""
    edit_json(folder / NAME / "configs" / f"{workflow}.json", change)
    found = find_faults(NAME, folder)
    stale = f"configs/{workflow}.json differs from what its layers build"
    assert any(fault.startswith(stale) for fault in found)
    return [fault for fault in found if not fault.startswith(stale)]
