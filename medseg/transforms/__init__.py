"""Transforms that MONAI lacks: classes, crops, ignored voxels, borders, objects, slices."""

from medseg.base.class_values import IGNORE
from medseg.transforms.border_weight import BorderWeight, BorderWeightd, compute_border_weight
from medseg.transforms.cache_key import CaseHash
from medseg.transforms.channels.drop_channels import DropChannelsd
from medseg.transforms.channels.scale_channels import ScaleChannelsd
from medseg.transforms.classes import (
    LabelFromLogits,
    LabelFromLogitsd,
    MergeLabels,
    MergeLabelsd,
    choose_activation,
    count_logit_channels,
    list_target_values,
)
from medseg.transforms.crop_centres import CropCentresd
from medseg.transforms.elastic_grid import RandElasticGrid, RandElasticGridd
from medseg.transforms.flip_axes import flip_axes
from medseg.transforms.ignored_voxels import DropIgnoredd, get_ignored_index
from medseg.transforms.instances import LabelInstances, LabelInstancesd, label_instances
from medseg.transforms.loaded_dataset import LoadedDataset, copy_untransformed
from medseg.transforms.readers.load_readers import LoadReaders
from medseg.transforms.readers.reader_shares import ReaderSharesd, SharesAsTargetd
from medseg.transforms.regions import RegionMasksd, list_members
from medseg.transforms.separate_objects import SeparateObjectsd
from medseg.transforms.slice_dataset import SliceDataset
from medseg.transforms.spacing import ResampleSpacingd
from medseg.transforms.stored_dataset import StoredDataset
from medseg.transforms.window import window

__all__ = [
    "IGNORE",
    "BorderWeight",
    "BorderWeightd",
    "CaseHash",
    "CropCentresd",
    "DropChannelsd",
    "DropIgnoredd",
    "LabelFromLogits",
    "LabelFromLogitsd",
    "LabelInstances",
    "LabelInstancesd",
    "LoadReaders",
    "LoadedDataset",
    "MergeLabels",
    "MergeLabelsd",
    "RandElasticGrid",
    "RandElasticGridd",
    "ReaderSharesd",
    "RegionMasksd",
    "ResampleSpacingd",
    "ScaleChannelsd",
    "SeparateObjectsd",
    "SharesAsTargetd",
    "SliceDataset",
    "StoredDataset",
    "choose_activation",
    "compute_border_weight",
    "copy_untransformed",
    "count_logit_channels",
    "flip_axes",
    "get_ignored_index",
    "label_instances",
    "list_members",
    "list_target_values",
    "window",
]
