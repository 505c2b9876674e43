"""Configuration: what plans.json says is read, and what is not nnU-Net's own is refused."""

import pytest
from bundles.nnunet.models import CT, make_configuration, make_plans

from medseg.bundles.nnunet.configuration import read_configuration


def read(configuration=None, name="3d_fullres", **changes):
    return read_configuration(make_plans(name, configuration, **changes), name)


def test_what_the_network_sees_is_read():
    found = read(make_configuration(spacing=[2.5, 0.8, 0.8]), transpose_forward=[2, 0, 1])
    assert (found.patch_size, found.spacing_mm, found.axes) == (
        (8, 8, 8),
        (2.5, 0.8, 0.8),
        (2, 0, 1),
    )
    assert (found.schemes, found.properties, found.inside) == (("ct",), (CT,), (False,))
    assert (found.order, found.slices, found.slices_of_logits) == (3, None, None)
    assert found.anisotropy == 3.0
    assert found.orientation is None
    assert found.spatial_dims == 3


def test_a_configuration_has_what_it_inherits():
    plans = make_plans()
    plans["configurations"]["small"] = {"inherits_from": "3d_fullres", "patch_size": [4, 4, 4]}
    found = read_configuration(plans, "small")
    assert (found.patch_size, found.spacing_mm) == ((4, 4, 4), (1.0, 1.0, 1.0))


def test_properties_of_plans_before_version_2_1_are_found():
    plans = make_plans()
    known = plans.pop("foreground_intensity_properties_per_channel")
    plans["foreground_intensity_properties_by_modality"] = known
    assert read_configuration(plans, "3d_fullres").properties == (CT,)


def test_images_are_turned_where_the_reader_turned_them():
    assert read(image_reader_writer="NibabelIOWithReorient").orientation == "RAS"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalization_schemes": ["MyScheme"]}, "MyScheme.*predict with nnU-Net itself"),
        ({"resampling_fn_data": "resample_torch_simple"}, "resamples by 'resample_torch_simple'"),
        ({"previous_stage": "3d_lowres"}, "second stage of a cascade.*import 3d_lowres"),
        ({"inherits_from": "3d_fullres"}, "inherit from each other"),
        ({"preprocessor_name": "MyPreprocessor"}, "only DefaultPreprocessor is known"),
        ({"resampling_fn_data_kwargs": {"order": 5}}, "order 5.*order 0 or 1 or 2 or 3,"),
        ({"resampling_fn_data_kwargs": {"order_z": 1}}, "order_z 1"),
        ({"resampling_fn_probabilities_kwargs": {"order": 0}}, "order 0.*order 1,"),
        ({"resampling_fn_data_kwargs": {"force_separate_z": "$exit()"}}, "true, false or null"),
        ({"resampling_fn_data_kwargs": [1]}, "needs a section"),
        (
            {"resampling_fn_data_kwargs": {"separate_z_anisotropy_threshold": 2}},
            "separate_z_anisotropy_threshold",
        ),
        ({"spacing": [1.0, "a", 1.0]}, "spacing .* needs numbers"),
        ({"spacing": [1.0, 0, 1.0]}, "lengths above 0"),
        ({"patch_size": [8, 8]}, "needs 3 numbers"),
        ({"patch_size": [8, 8, 7]}, "no multiple of the network's stride"),
        ({"use_mask_for_norm": [0]}, "needs true or false"),
        ({"inherits_from": "absent"}, "no configuration 'absent': name one of 3d_fullres"),
    ],
)
def test_what_is_not_known_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        read(make_configuration(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_reader_writer": "NaturalImage2DIO"}, "trained on pictures"),
        ({"image_reader_writer": "MyIO"}, "'MyIO', which is none of nnU-Net's own"),
        ({"foreground_intensity_properties_per_channel": {"0": {"mean": 1}}}, "lacks std"),
        ({"configurations": []}, "no configurations"),
    ],
)
def test_plans_of_another_kind_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        read(**changes)


@pytest.mark.parametrize("key", ["patch_size", "spacing", "normalization_schemes"])
def test_a_configuration_that_lacks_a_key_is_refused_by_it(key):
    configuration = make_configuration()
    del configuration[key]
    with pytest.raises(ValueError, match=f"3d_fullres in plans.json has no {key}"):
        read(configuration)


def test_another_name_is_answered_with_those_that_there_are():
    with pytest.raises(ValueError, match="no configuration '2d': name one of 3d_fullres"):
        read_configuration(make_plans(), "2d")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_manager": "MyLabelManager"}, "only LabelManager is known"),
        ({"transpose_forward": [0, 1, 1]}, "needs 0, 1 and 2"),
        ({"transpose_forward": "$exit()"}, "transpose_forward .* needs 3 numbers"),
        (
            {"foreground_intensity_properties_per_channel": {"0": {**CT, "std": "$exit()"}}},
            "needs numbers",
        ),
    ],
)
def test_values_of_the_plans_that_are_none_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        read(**changes)


def test_a_resampling_that_does_not_say_it_is_not_by_slices():
    bare = {"resampling_fn_data_kwargs": {}, "resampling_fn_probabilities_kwargs": {"order": 1}}
    found = read(make_configuration(**bare))
    assert (found.order, found.slices, found.slices_of_logits) == (3, False, False)
