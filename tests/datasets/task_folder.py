"""Task folder: empty files in the layout of the Decathlon or of LiTS, for the tests."""

import json


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write_task(root, *, count=6, tests=2, listed=None, labels=("background", "liver", "cancer")):
    cases = [f"liver_{n}" for n in range(count)]
    for case in cases:
        touch(root, f"imagesTr/{case}.nii.gz", f"imagesTr/._{case}.nii.gz")
        touch(root, f"labelsTr/{case}.nii.gz", f"labelsTr/._{case}.nii.gz")
    touch(root, *(f"imagesTs/liver_{count + n}.nii.gz" for n in range(tests)))
    content = {
        "labels": {str(n): name for n, name in enumerate(labels)},
        "training": [
            {"image": f"./imagesTr/{case}.nii.gz", "label": f"./labelsTr/{case}.nii.gz"}
            for case in (cases if listed is None else listed)
        ],
    }
    (root / "dataset.json").write_text(json.dumps(content))
    return root


def list_names(items):
    return [item["case"] for item in items]


def write_json(root, **content):
    (root / "dataset.json").write_text(json.dumps(content), encoding="utf-8-sig")


def write_lits(root, *, count=6, suffix=".nii"):
    for n in range(count):
        batch = f"Training Batch {1 + n % 2}"
        touch(root, f"{batch}/volume-{n}{suffix}", f"{batch}/segmentation-{n}{suffix}")
    return root
