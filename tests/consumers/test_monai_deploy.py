"""MONAI Deploy segments a DICOM series with the bundles as they are, by its own operators.

It needs the MONAI Deploy App SDK in an environment of its own: `make test-consumers`.
"""

import ctypes
import json
import shutil
import site
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

STUBS = Path(__file__).parent / "stubs"
SDK = Path(site.getsitepackages()[0])
sys.path.insert(0, str(STUBS))
runtime = SDK / "nvidia" / "cuda_runtime" / "lib" / "libcudart.so.12"
if not runtime.is_file():
    pytest.skip("needs the MONAI Deploy App SDK", allow_module_level=True)
ctypes.CDLL(str(runtime), mode=ctypes.RTLD_GLOBAL)  # holoscan looks for it, with or without a GPU

import monai  # noqa: E402 - after the runtime

monai.__path__.append(str(SDK / "monai"))  # the SDK is the part monai.deploy of the package monai

from holoscan.conditions import CountCondition  # noqa: E402
from monai.deploy.core import AppContext, Application, Image, IOType, Operator  # noqa: E402
from monai.deploy.operators import (  # noqa: E402
    DICOMDataLoaderOperator,
    DICOMSeriesSelectorOperator,
    DICOMSeriesToVolumeOperator,
    IOMapping,
    MonaiBundleInferenceOperator,
)

from medseg.bundles.export import export_bundle  # noqa: E402
from medseg.bundles.run import run_bundle  # noqa: E402
from medseg.datasets import phantom  # noqa: E402

SMALL = {
    "liver": {"channels": [4, 8, 16], "image_size": [64, 64]},
    "liver_3d": {
        "channels": [4, 8, 16, 16],
        "image_size": [32, 32, 16],
        "kernel_size": 3,
        "strides": 2,
    },
}


class Sink(Operator):
    """Keeps the last image that it receives."""

    def setup(self, spec):
        spec.input("image")

    def compute(self, op_input, op_output, context):
        self.received = op_input.receive("image")


class Segmentation(Application):
    """A DICOM folder -> one series -> a volume -> the bundle -> `mask`, (slices, rows, columns)."""

    def __init__(self, study, model):
        self.study, self.model = study, model
        super().__init__()

    def compose(self):
        load = DICOMDataLoaderOperator(
            self, CountCondition(self, 1), input_folder=self.study, name="load"
        )
        select = DICOMSeriesSelectorOperator(self, name="select")
        volume = DICOMSeriesToVolumeOperator(self, name="volume")
        segment = MonaiBundleInferenceOperator(
            self,
            app_context=AppContext({"model": "/nowhere"}),
            input_mapping=[IOMapping("image", Image, IOType.IN_MEMORY)],
            output_mapping=[IOMapping("pred", Image, IOType.IN_MEMORY)],
            bundle_path=self.model,
            name="segment",
        )
        self.sink = Sink(self, name="sink")
        self.add_flow(load, select, {("dicom_study_list", "dicom_study_list")})
        series = "study_selected_series_list"
        self.add_flow(select, volume, {(series, series)})
        self.add_flow(volume, segment, {("image", "image")})
        self.add_flow(segment, self.sink, {("pred", "image")})

    @property
    def mask(self):
        return self.sink.received.asnumpy()


@pytest.fixture(scope="module", params=list(SMALL))
def case(request, tmp_path_factory, repository):
    """A bundle with random weights, a DICOM series, and the mask that medseg makes of it."""
    root = tmp_path_factory.mktemp(request.param)
    phantom.write("ct", root / "data", cases=1, test_cases=1, size=64, slices=12, seed=0)
    (study,) = (root / "data" / "dicom").iterdir()
    bundle = root / request.param
    shutil.copytree(repository / "bundles" / request.param, bundle, symlinks=True)
    for file in (bundle / "configs").glob("*.json"):
        config = json.loads(file.read_text())
        kept = {key: value for key, value in SMALL[request.param].items() if key in config}
        file.write_text(json.dumps({**config, **kept}))
    config = ConfigParser(json.loads((bundle / "inference.json").read_text()))
    torch.manual_seed(1)
    state = config.get_parsed_content("network_def").state_dict()
    (bundle / "models").mkdir(exist_ok=True)
    torch.save(state, bundle / "models" / "model.pt")
    arguments = ["--input", str(study), "--output_dir", str(root / "masks"), "--predictor", "eager"]
    run_bundle(bundle, "inference", run_id="inference", arguments=[*arguments, "--force", "True"])
    mask = nib.load(root / "masks" / f"{study.name}.nii.gz")
    return bundle, study, mask


def to_file_grid(mask, image):
    """The mask of the SDK, (slices, rows, columns), in the order of the axes of the file."""
    return np.asarray(mask.transpose(2, 1, 0), dtype=np.uint8)


def test_the_folder_of_a_bundle_gives_the_mask_of_medseg(case, monkeypatch, tmp_path):
    bundle, study, mask = case
    monkeypatch.chdir(tmp_path)
    app = Segmentation(study, bundle)
    app.run()
    expected = np.asarray(mask.dataobj)
    assert expected.any()
    found = to_file_grid(app.mask, mask)
    assert found.shape == expected.shape
    assert (found == expected).mean() > 0.999


def test_torchscript_carries_the_configs_and_gives_the_mask_of_medseg(case, monkeypatch, tmp_path):
    bundle, study, mask = case
    monkeypatch.chdir(tmp_path)
    script = export_bundle(bundle, tmp_path / "model.ts")
    app = Segmentation(study, script)
    app.run()
    found = to_file_grid(app.mask, mask)
    assert (found == np.asarray(mask.dataobj)).mean() > 0.999
