"""MONAI Deploy segments series and pictures with the bundles as they are, by its own operators.

It needs the MONAI Deploy App SDK in an environment of its own: `make test-consumers`.
"""

import ctypes
import json
import shutil
import site
import sys
from pathlib import Path

import highdicom
import nibabel as nib
import numpy as np
import PIL.Image
import pydicom
import pytest
import torch
from monai.bundle import ConfigParser
from pydicom.sr.codedict import codes
from pydicom.uid import MRImageStorage

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
    DICOMSegmentationWriterOperator,
    DICOMSeriesSelectorOperator,
    DICOMSeriesToVolumeOperator,
    IOMapping,
    MonaiBundleInferenceOperator,
)
from monai.deploy.operators.dicom_seg_writer_operator import SegmentDescription  # noqa: E402
from monai.deploy.operators.monai_bundle_inference_operator import (  # noqa: E402
    get_bundle_config,
)

from medseg.bundles.export import export_bundle  # noqa: E402
from medseg.bundles.run import run_bundle  # noqa: E402
from medseg.datasets import phantom  # noqa: E402
from medseg.datasets.phantom.dicom_series import write_ct_series  # noqa: E402
from medseg.datasets.prepare import prepare  # noqa: E402

# Bundle -> kind of its phantom, and what makes its network small: then its weights are random.
SERIES = {
    "hippocampus": ("mr", {}),
    "liver": ("ct", {"channels": [4, 8, 16], "image_size": [64, 64]}),
    "liver_3d": (
        "ct",
        {"channels": [4, 8, 16, 16], "image_size": [32, 32, 16], "kernel_size": 3, "strides": 2},
    ),
}
LABELS = {
    "hippocampus": {1: "anterior", 2: "posterior"},
    "liver": {1: "liver"},
    "liver_3d": {1: "liver", 2: "tumour"},
    "nuclei": {1: "nucleus"},
}
INTERCEPT = -1024  # of the phantom's CT series


class Sink(Operator):
    """Keeps the last image that it receives."""

    def setup(self, spec):
        spec.input("image")

    def compute(self, op_input, op_output, context):
        self.received = op_input.receive("image")


class PictureSource(Operator):
    """Sends a picture, rows x columns x colours, once. The SDK itself reads no pictures."""

    def __init__(self, fragment, *args, picture, **keywords):
        self.picture = picture
        super().__init__(fragment, *args, **keywords)

    def setup(self, spec):
        spec.output("image")

    def compute(self, op_input, op_output, context):
        op_output.emit(Image(self.picture, metadata={"original_channel_dim": -1}), "image")


def read_names(model):
    """Value of a voxel -> its name, as the SDK reads them of a bundle's folder or TorchScript."""
    config = get_bundle_config(str(model), ["inference"])
    pred = config["_meta_"]["network_data_format"]["outputs"]["pred"]
    return {int(value): name for value, name in pred["channel_def"].items()}


class Segmentation(Application):
    """Runs a bundle on what `add_source` sends; `mask` is (slices, rows, columns)."""

    def __init__(self, model):
        self.model = model
        super().__init__()

    def compose(self):
        self.segment = MonaiBundleInferenceOperator(
            self,
            app_context=AppContext({"model": "/nowhere"}),
            input_mapping=[IOMapping("image", Image, IOType.IN_MEMORY)],
            output_mapping=[IOMapping("pred", Image, IOType.IN_MEMORY)],
            bundle_path=self.model,
            name="segment",
        )
        self.sink = Sink(self, name="sink")
        self.add_source()
        self.add_flow(self.segment, self.sink, {("pred", "image")})

    @property
    def mask(self):
        return self.sink.received.asnumpy()


class SeriesSegmentation(Segmentation):
    """A DICOM folder -> one series -> a volume -> the bundle -> `mask`, and a DICOM SEG."""

    def __init__(self, model, study, output):
        self.study, self.output = study, output
        super().__init__(model)

    def add_source(self):
        load = DICOMDataLoaderOperator(
            self, CountCondition(self, 1), input_folder=self.study, name="load"
        )
        select = DICOMSeriesSelectorOperator(self, name="select")
        volume = DICOMSeriesToVolumeOperator(self, name="volume")
        write = DICOMSegmentationWriterOperator(
            self,
            segment_descriptions=describe_segments(read_names(self.model)),
            output_folder=self.output,
            name="write",
        )
        self.add_flow(load, select, {("dicom_study_list", "dicom_study_list")})
        series = "study_selected_series_list"
        self.add_flow(select, volume, {(series, series)})
        self.add_flow(select, write, {(series, series)})
        self.add_flow(volume, self.segment, {("image", "image")})
        self.add_flow(self.segment, write, {("pred", "seg_image")})


class PictureSegmentation(Segmentation):
    """A picture -> the bundle -> `mask`, (rows, columns)."""

    def __init__(self, model, picture):
        self.picture = picture
        super().__init__(model)

    def add_source(self):
        once = CountCondition(self, 1)
        source = PictureSource(self, once, picture=self.picture, name="source")
        self.add_flow(source, self.segment, {("image", "image")})


def describe_segments(names):
    """What the writer of the SDK wants of each class; it numbers them itself, from 1."""
    return [
        SegmentDescription(
            segment_label=names[value],
            segmented_property_category=codes.SCT.Organ,
            segmented_property_type=codes.SCT.Organ,
            algorithm_name="medseg",
            algorithm_version="0",
        )
        for value in sorted(names)
        if value
    ]


def write_mr_series(image, folder):
    """A volume as an MR series: that of a CT without its rescaling, and of another modality."""
    file = nib.load(image)
    values = np.round(np.asarray(file.dataobj)).astype(np.int16)
    rng = np.random.default_rng(0)
    write_ct_series(values + INTERCEPT, file.affine, out_dir=folder, patient="mr", rng=rng)
    for path in folder.iterdir():
        slice_ = pydicom.dcmread(path)
        slice_.Modality, slice_.BodyPartExamined = "MR", "BRAIN"
        slice_.SOPClassUID = slice_.file_meta.MediaStorageSOPClassUID = MRImageStorage
        for keyword in ("RescaleIntercept", "RescaleSlope", "RescaleType"):
            if keyword in slice_:
                delattr(slice_, keyword)
        slice_.save_as(path)


def copy_bundle(repository, name, root, changes):
    """A copy of a bundle; with `changes` it is smaller and has random weights."""
    bundle = root / name
    shutil.copytree(repository / "bundles" / name, bundle, symlinks=True)
    if not changes:
        return bundle
    for file in (bundle / "configs").glob("*.json"):
        config = json.loads(file.read_text())
        kept = {key: value for key, value in changes.items() if key in config}
        file.write_text(json.dumps({**config, **kept}))
    config = ConfigParser(json.loads((bundle / "inference.json").read_text()))
    torch.manual_seed(1)
    state = config.get_parsed_content("network_def").state_dict()
    (bundle / "models").mkdir(exist_ok=True)
    torch.save(state, bundle / "models" / "model.pt")
    return bundle


def segment(bundle, image, output):
    """What medseg itself makes of an image, in `output`."""
    arguments = ["--input", str(image), "--output_dir", str(output), "--predictor", "eager"]
    run_bundle(bundle, "inference", run_id="inference", arguments=[*arguments, "--force", "True"])


@pytest.fixture(scope="module", params=list(SERIES))
def case(request, tmp_path_factory, repository):
    """A bundle, a DICOM series, and the mask that medseg makes of it."""
    name, (kind, changes) = request.param, SERIES[request.param]
    root = tmp_path_factory.mktemp(name)
    data = root / "data"
    phantom.write(kind, data, cases=1, test_cases=1, size=64, slices=12, seed=0)
    if kind == "mr":
        (image,) = (data / "imagesTs").iterdir()
        write_mr_series(image, data / "dicom" / "mr")
    (study,) = (data / "dicom").iterdir()
    bundle = copy_bundle(repository, name, root, changes)
    segment(bundle, study, root / "masks")
    return bundle, study, nib.load(root / "masks" / f"{study.name}.nii.gz")


@pytest.fixture(scope="module")
def picture_case(tmp_path_factory, repository):
    """The bundle of nuclei with its weights, a picture, and the mask that medseg makes of it."""
    root = tmp_path_factory.mktemp("nuclei")
    phantom.write("microscopy", root / "published", cases=6, seed=0)
    prepare("nuclei", root / "published", root / "data")
    picture = min((root / "data" / "images").iterdir())
    bundle = copy_bundle(repository, "nuclei", root, {})
    segment(bundle, picture, root / "masks")
    mask = np.asarray(PIL.Image.open(root / "masks" / f"{picture.stem}_label.png"))
    return bundle, np.asarray(PIL.Image.open(picture).convert("RGB")), mask


def to_file_grid(mask):
    """The mask of the SDK, (slices, rows, columns), in the order of the axes of the file."""
    return np.asarray(mask.transpose(2, 1, 0), dtype=np.uint8)


def read_seg(folder):
    """Of the one DICOM SEG in the folder: number -> label, and number -> how many voxels."""
    (file,) = folder.glob("*.dcm")
    seg = highdicom.seg.segread(file)
    values = seg.get_volume(combine_segments=True).array
    labels = {n: seg.get_segment_description(n).segment_label for n in seg.segment_numbers}
    return labels, {number: np.count_nonzero(values == number) for number in labels}


@pytest.fixture(params=["folder", "TorchScript"])
def form(request, tmp_path):
    """Makes of a bundle what the SDK is given: its folder, or the file of `medseg export`."""
    if request.param == "folder":
        return lambda bundle: bundle
    return lambda bundle: export_bundle(bundle, tmp_path / "model.ts")


def test_a_bundle_gives_the_mask_of_medseg_and_a_seg_that_names_its_values(
    case, form, monkeypatch, tmp_path
):
    bundle, study, mask = case
    monkeypatch.chdir(tmp_path)
    app = SeriesSegmentation(form(bundle), study, tmp_path / "seg")
    app.run()
    expected, found = np.asarray(mask.dataobj), to_file_grid(app.mask)
    assert expected.any()
    assert found.shape == expected.shape
    assert (found == expected).mean() > 0.999
    labels, voxels = read_seg(tmp_path / "seg")
    assert labels == LABELS[bundle.name]
    assert voxels == {value: np.count_nonzero(found == value) for value in labels}


def test_a_bundle_of_pictures_gives_the_mask_of_medseg(picture_case, form, monkeypatch, tmp_path):
    bundle, picture, expected = picture_case
    monkeypatch.chdir(tmp_path)
    model = form(bundle)
    app = PictureSegmentation(model, picture)
    app.run()
    assert expected.any()
    assert app.mask.shape == expected.shape
    assert (app.mask == expected).mean() > 0.999
    assert read_names(model) == {0: "background", **LABELS["nuclei"]}
