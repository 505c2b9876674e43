"""HybridLoss is the paper's formula; expected numbers are worked out in the comments."""

import math

import pytest
import torch
import torch.nn.functional as F
from monai.data import MetaTensor
from monai.losses import DeepSupervisionLoss

from medseg.losses import HybridLoss

IGNORE = 255


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def logit(probability):
    return torch.logit(torch.tensor(probability, dtype=torch.float64))


def logits_of(*probabilities):
    """Softmax logits (1, C, voxels) of the given rows, one per class."""
    return torch.tensor([probabilities], dtype=torch.float64).log()


def case(activation, classes=3, *, size=(4, 5), batch=2):
    logits = torch.randn(batch, classes, *size, dtype=torch.float64)
    if activation == "softmax":
        return logits, torch.randint(0, classes, (batch, 1, *size))
    return logits, torch.randint(0, 2, (batch, classes, *size))


def ignore_some(target, share=0.3):
    return target.masked_fill(torch.rand(target.shape) < share, IGNORE)


def test_binary_value_on_paper():
    # P = 3/4, 1/4, 1/2 for Y = 1, 0, 0:
    # log-likelihood = (log 3/4 + log 3/4 + log 1/2) / 3
    # Dice = 2 * 3/4 / (1 + 3/2) = 3/5
    logits = logit([[[0.75, 0.25, 0.5]]])
    expected = -(0.5 * (2 * math.log(0.75) + math.log(0.5)) / 3 + 0.6)
    loss = HybridLoss(activation="sigmoid")(logits, torch.tensor([[[1, 0, 0]]]))
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_softmax_value_on_paper():
    # two voxels of class 0 and 1, P of class 0 = 3/4, 1/4, of class 1 = 1/4, 3/4:
    # log-likelihood = log 3/4; Dice of either class = 2 * 3/4 / (1 + 1) = 3/4
    logits = logits_of([0.75, 0.25], [0.25, 0.75])
    loss = HybridLoss()(logits, torch.tensor([[[0, 1]]]))
    assert loss.item() == pytest.approx(-(0.5 * math.log(0.75) + 0.75), abs=1e-5)


def test_regions_value_on_paper():
    # both channels hold voxel 0, P = 3/4 and 1/2: Dice = 6/7 and 2/3, mean of the logs
    logits = logit([[[0.75], [0.5]]])
    expected = -(0.5 * (math.log(0.75) + math.log(0.5)) / 2 + (6 / 7 + 2 / 3) / 2)
    loss = HybridLoss(activation="sigmoid")(logits, torch.ones(1, 2, 1))
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_per_image_and_whole_batch_differ_as_on_paper():
    # one voxel an image, P = 1/2, Y = 1 then 0: Dice 2/3 and 0 an image, 1/2 as one
    logits, target = torch.zeros(2, 1, 1, dtype=torch.float64), torch.tensor([[[1]], [[0]]])
    half = 0.5 * math.log(0.5)
    images = HybridLoss(activation="sigmoid")(logits, target)
    batch = HybridLoss(activation="sigmoid", batch=True)(logits, target)
    assert images.item() == pytest.approx(-(half + 1 / 3), abs=1e-4)
    assert batch.item() == pytest.approx(-(half + 1 / 2), abs=1e-4)


def test_softmax_weights_on_paper():
    # weights 1, 3; voxel 0 of class 0 has P = 3/4, voxel 1 of class 1 has P = 1/2
    # log-likelihood = (log 3/4 + 3 log 1/2) / 4
    # Dice of class 0 = 2 * 3/4 / (1 + 5/4) = 2/3, of class 1 = 2 * 1/2 / (1 + 3/4) = 4/7
    logits = logits_of([0.75, 0.5], [0.25, 0.5])
    loss = HybridLoss(class_weights=[1, 3])(logits, torch.tensor([[[0, 1]]]))
    likelihood = (math.log(0.75) + 3 * math.log(0.5)) / 4
    assert loss.item() == pytest.approx(-(0.5 * likelihood + (2 / 3 + 3 * 4 / 7) / 4), abs=1e-5)


def test_sigmoid_weights_on_paper():
    # the regions case above with weights 1, 3
    logits = logit([[[0.75], [0.5]]])
    likelihood = (math.log(0.75) + 3 * math.log(0.5)) / 4
    loss = HybridLoss(activation="sigmoid", class_weights=[1, 3])(logits, torch.ones(1, 2, 1))
    assert loss.item() == pytest.approx(-(0.5 * likelihood + (6 / 7 + 3 * 2 / 3) / 4), abs=1e-5)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_only_the_ratio_of_weights_matters(activation):
    logits, target = case(activation)
    losses = [
        HybridLoss(activation=activation, class_weights=[scale, 2 * scale, 0])(logits, target)
        for scale in (1, 1e-6)
    ]
    torch.testing.assert_close(losses[0], losses[1])


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_two_terms_add_up(activation):
    logits, target = case(activation)
    terms = [
        HybridLoss(activation=activation, cross_entropy_weight=a, dice_weight=b)(logits, target)
        for a, b in ((1, 0), (0, 1), (0.5, 1))
    ]
    torch.testing.assert_close(0.5 * terms[0] + terms[1], terms[2])


def test_the_likelihood_is_the_usual_cross_entropy():
    only = {"cross_entropy_weight": 1.0, "dice_weight": 0.0, "batch": True}
    weights = [1.0, 2.0, 0.5]
    logits, target = case("softmax")
    expected = F.cross_entropy(logits, target[:, 0], weight=logits.new_tensor(weights))
    torch.testing.assert_close(HybridLoss(class_weights=weights, **only)(logits, target), expected)
    logits, target = case("sigmoid")
    expected = F.binary_cross_entropy_with_logits(logits, target.double())
    torch.testing.assert_close(HybridLoss(activation="sigmoid", **only)(logits, target), expected)


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize(
    ("activation", "classes"), [("softmax", 3), ("sigmoid", 1), ("sigmoid", 3)]
)
def test_a_perfect_prediction_is_the_minimum(activation, classes, batch):
    logits, target = case(activation, classes)
    loss = HybridLoss(activation=activation, batch=batch)
    truth = target if activation == "sigmoid" else one_hot(target, classes)
    perfect = 1e4 * (2 * truth.double() - 1)
    assert loss(perfect, target).item() == pytest.approx(-1, abs=1e-9)
    assert loss(logits, target) > -1
    assert loss(-perfect, target) > loss(logits, target)


def one_hot(target, classes):
    return F.one_hot(target[:, 0], classes).movedim(-1, 1)


@pytest.mark.parametrize("batch", [False, True])
def test_labels_and_one_hot_are_the_same_target(batch):
    logits, target = case("softmax")
    loss = HybridLoss(batch=batch)
    torch.testing.assert_close(loss(logits, target), loss(logits, one_hot(target, 3)))


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("ignore", [False, True])
def test_the_gradient_is_the_slope(activation, ignore):
    logits, target = case(activation, size=(2, 2))
    target = ignore_some(target) if ignore else target
    loss = HybridLoss(activation=activation, class_weights=[1, 2, 3], ignore_label=IGNORE)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), logits.requires_grad_())


@pytest.mark.parametrize("extreme", [-1e4, 1e4])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_extreme_logits_are_finite(activation, extreme):
    logits, target = case(activation)
    logits = torch.full_like(logits, extreme).float()
    logits[:, 0] = -extreme
    loss = HybridLoss(activation=activation)(logits.requires_grad_(), target)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("shift", [-1e4, -20.0, 0.0, 20.0, 1e4])
def test_an_empty_target_is_finite(batch, shift):
    logits = (torch.randn(2, 1, 4, 4) + shift).requires_grad_()
    loss = HybridLoss(activation="sigmoid", batch=batch)(logits, torch.zeros(2, 1, 4, 4))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()
    assert logits.grad.min() >= 0  # nothing to find: every voxel is pushed down


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_target_of_ignored_voxels_only_has_no_gradient(activation, batch):
    logits, target = case(activation)
    loss = HybridLoss(activation=activation, batch=batch, ignore_label=IGNORE)
    value = loss(logits.requires_grad_(), torch.full_like(target, IGNORE))
    value.backward()
    assert value.item() == -1
    assert logits.grad.abs().sum() == 0


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_ignoring_voxels_is_removing_them(activation, batch):
    logits, target = case(activation, size=(6,))
    kept, marked = torch.tensor([0, 2, 5]), target.clone()
    marked[..., [1, 3, 4]] = IGNORE
    loss = HybridLoss(activation=activation, batch=batch, ignore_label=IGNORE)
    torch.testing.assert_close(loss(logits, marked), loss(logits[..., kept], target[..., kept]))


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("extreme", [0.0, 1e4, -1e4])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_gradient_of_ignored_voxels_is_exactly_zero(activation, extreme, batch):
    logits, target = case(activation, size=(6, 7))
    ignored = torch.rand(2, 1, 6, 7) < 0.4
    target = target.masked_fill(ignored, IGNORE)
    logits = logits.masked_fill(ignored, extreme).requires_grad_()
    HybridLoss(activation=activation, batch=batch, ignore_label=IGNORE)(logits, target).backward()
    everywhere = ignored.expand_as(logits)
    assert logits.grad[everywhere].tolist() == [0.0] * int(everywhere.sum())
    assert (logits.grad[~everywhere] != 0).all()


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("one_hot_target", [False, True])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_value_to_ignore_that_does_not_occur_changes_nothing(activation, one_hot_target, batch):
    logits, target = case(activation)
    if one_hot_target and activation == "softmax":
        target = one_hot(target, 3)
    weight = torch.rand(2, 1, 4, 5)
    losses = [
        HybridLoss(activation=activation, batch=batch, ignore_label=value)(logits, target, weight)
        for value in (None, IGNORE)
    ]
    assert losses[0] == losses[1]


def test_a_region_can_ignore_what_another_counts():
    logits, target = case("sigmoid", 2, size=(6,), batch=1)
    marked = target.clone()
    marked[:, 1] = IGNORE
    for factors, empty in (((1, 0), 0), ((0, 1), -1)):  # likelihood only, Dice only
        names = ("cross_entropy_weight", "dice_weight")
        options = {"activation": "sigmoid", **dict(zip(names, factors, strict=True))}
        both = HybridLoss(**options, ignore_label=IGNORE)(logits, marked)
        first = HybridLoss(**options)(logits[:, :1], target[:, :1])
        torch.testing.assert_close(both, (first + empty) / 2 if empty else first)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_order_of_voxels_images_and_classes_does_not_matter(activation):
    logits, target = case(activation, size=(8,))
    weights = [1.0, 2.0, 3.0]
    loss = HybridLoss(activation=activation, class_weights=weights)
    expected = loss(logits, target)
    voxels = torch.randperm(8)
    torch.testing.assert_close(loss(logits[..., voxels], target[..., voxels]), expected)
    torch.testing.assert_close(loss(logits.flip(0), target.flip(0)), expected)
    backwards = HybridLoss(activation=activation, class_weights=weights[::-1])
    relabelled = 2 - target if activation == "softmax" else target.flip(1)
    torch.testing.assert_close(backwards(logits.flip(1), relabelled), expected)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_2d_equals_a_one_slice_3d(activation):
    logits, target = case(activation)
    loss = HybridLoss(activation=activation)
    assert loss(logits[:, :, None], target[:, :, None]) == loss(logits, target)


def test_one_batch_of_one_image_equals_that_image():
    logits, target = case("softmax", batch=1)
    torch.testing.assert_close(HybridLoss(batch=True)(logits, target), HybridLoss()(logits, target))


def test_weights_of_voxels_on_paper():
    # the binary case above with weights 1, 2, 5: the sum of w log P over 3 voxels, not over 8
    logits = logit([[[0.75, 0.25, 0.5]]])
    likelihood = (math.log(0.75) + 2 * math.log(0.75) + 5 * math.log(0.5)) / 3
    loss = HybridLoss(activation="sigmoid")
    weight = torch.tensor([[[1.0, 2.0, 5.0]]])
    value = loss(logits, torch.tensor([[[1, 0, 0]]]), weight)
    assert value.item() == pytest.approx(-(0.5 * likelihood + 0.6), abs=1e-5)


def test_weights_of_voxels_and_of_classes_multiply():
    # the softmax weights above, 1 and 3 by class, and 2 and 5 by voxel
    logits = logits_of([0.75, 0.5], [0.25, 0.5])
    loss = HybridLoss(class_weights=[1, 3], dice_weight=0)
    likelihood = (2 * math.log(0.75) + 5 * 3 * math.log(0.5)) / 4
    value = loss(logits, torch.tensor([[[0, 1]]]), torch.tensor([[[2.0, 5.0]]]))
    assert value.item() == pytest.approx(-0.5 * likelihood, abs=1e-9)


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_one_weight_for_all_voxels_is_a_factor_of_the_likelihood(activation, batch):
    logits, target = case(activation)
    weight = torch.full((2, 1, 4, 5), 3.0)
    options = {"activation": activation, "batch": batch}
    weighted = HybridLoss(**options)(logits, target, weight)
    torch.testing.assert_close(
        weighted, HybridLoss(**options, cross_entropy_weight=1.5)(logits, target)
    )
    unweighted = HybridLoss(**options)(logits, target)
    torch.testing.assert_close(HybridLoss(**options)(logits, target, weight / 3), unweighted)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_dice_has_no_weights_of_voxels(activation):
    logits, target = case(activation)
    dice = HybridLoss(activation=activation, cross_entropy_weight=0)
    assert dice(logits, target, 9 * torch.rand(2, 1, 4, 5)) == dice(logits, target)


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_whole_weight_counts_its_voxel_that_many_times(activation, batch):
    logits, target = case(activation, size=(4,))
    times = torch.tensor([1, 3, 0, 2])
    loss = HybridLoss(activation=activation, dice_weight=0, batch=batch)
    weighted = loss(logits, target, times.expand(2, 1, 4))
    repeated = [x.repeat_interleave(times, -1) for x in (logits, target)]
    torch.testing.assert_close(weighted * 4 / times.sum(), loss(*repeated))


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_weights_of_ignored_voxels_do_not_count(activation):
    logits, target = case(activation, size=(6,))
    kept, marked, weight = torch.tensor([0, 2, 5]), target.clone(), torch.rand(2, 1, 6)
    marked[..., [1, 3, 4]] = IGNORE
    loss = HybridLoss(activation=activation, ignore_label=IGNORE)
    expected = loss(logits[..., kept], target[..., kept], weight[..., kept])
    torch.testing.assert_close(loss(logits, marked, weight), expected)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_weighted_gradient_is_the_slope(activation):
    logits, target = case(activation, size=(2, 2))
    loss, weight = HybridLoss(activation=activation), 5 * torch.rand(2, 1, 2, 2)
    assert torch.autograd.gradcheck(lambda x: loss(x, target, weight), logits.requires_grad_())


@pytest.mark.parametrize("dice_weight", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_stated_minimum_is_the_loss_of_a_perfect_prediction(activation, dice_weight):
    logits, target = case(activation)
    loss = HybridLoss(activation=activation, dice_weight=dice_weight)
    truth = target if activation == "sigmoid" else one_hot(target, 3)
    weight = 5 * torch.rand(2, 1, 4, 5)
    perfect = 1e4 * (2 * truth.double() - 1)
    assert loss(perfect, target, weight).item() == pytest.approx(loss.minimum, abs=1e-9)
    assert loss(logits, target, weight) > loss.minimum


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf])
def test_weights_of_voxels_out_of_range_are_refused(wrong):
    logits, target = case("softmax", size=(2,), batch=1)
    message = f"finite and not negative, got {wrong}: correct the weight map"
    with pytest.raises(ValueError, match=message):
        HybridLoss()(logits, target, torch.tensor([[[1.0, wrong]]]))


@pytest.mark.parametrize("shape", [(2, 4, 5), (2, 3, 4, 5), (1, 1, 4, 5), (2, 1, 5, 4)])
def test_weights_of_another_shape_are_refused(shape):
    logits, target = case("softmax")
    with pytest.raises(ValueError, match=r"with one channel, \(2, 1, 4, 5\), got \(") as caught:
        HybridLoss()(logits, target, torch.ones(shape))
    assert "\n" not in str(caught.value)


def test_deep_supervision_weighs_the_heads():
    loss = HybridLoss()
    heads = [case("softmax")[0].float() for _ in range(3)]
    target = case("softmax")[1]
    wrapped = DeepSupervisionLoss(loss, weights=[1.0, 0.5, 0.25])
    expected = sum(w * loss(head, target) for w, head in zip((1, 0.5, 0.25), heads, strict=True))
    torch.testing.assert_close(wrapped(heads, target), expected)
    torch.testing.assert_close(wrapped(heads[0], target), loss(heads[0], target))


def test_autocast_and_half_logits_compute_in_float32():
    logits, target = case("softmax")
    half = logits.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        loss = HybridLoss()(half, target)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, HybridLoss()(half.float(), target))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool, torch.float32])
def test_a_mask_may_have_any_type(dtype):
    logits, target = case("sigmoid")
    loss = HybridLoss(activation="sigmoid")
    assert loss(logits, target.to(dtype)) == loss(logits, target)


def test_monai_s_tensors_give_a_plain_scalar():
    logits, target = case("softmax")
    loss = HybridLoss()(MetaTensor(logits), MetaTensor(target))
    assert type(loss) is torch.Tensor
    assert loss.shape == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "relu"}, "activation must be one of softmax, sigmoid, got 'relu'"),
        ({"class_weights": [1, -1]}, r"0 or more and not all 0, got \[1, -1\]"),
        ({"class_weights": [0, 0]}, "0 or more and not all 0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        HybridLoss(**options)


@pytest.mark.parametrize(
    ("options", "classes", "shape", "message"),
    [
        (
            {},
            3,
            (2, 2, 4),
            r"must have the shape of the logits with 1 or 3 channels, got \(2, 2, 4\)",
        ),
        ({}, 3, (2, 4), r"1 or 3 channels, got \(2, 4\) for logits \(2, 3, 4\)"),
        ({}, 3, (2, 1, 5), r"got \(2, 1, 5\) for logits .* or resample the target"),
        ({}, 3, (1, 1, 4), r"got \(1, 1, 4\)"),
        ({"activation": "sigmoid"}, 3, (2, 1, 4), r"under sigmoid .* with 3 channels, got \(2, 1,"),
        (
            {},
            1,
            (2, 1, 4),
            "softmax needs two channels .* got logits of 1: use activation='sigmoid'",
        ),
        ({"class_weights": [1, 2]}, 3, (2, 1, 4), "one weight per channel, got 2 for 3 channels"),
        ({"ignore_label": 0}, 3, (2, 3, 4), "ignore_label cannot be 0 or 1 with a target of 0 and"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(options, classes, shape, message):
    with pytest.raises(ValueError, match=message):
        HybridLoss(**options)(torch.zeros(2, classes, 4), torch.zeros(shape))


@pytest.mark.parametrize(
    ("activation", "target", "message"),
    [
        ("softmax", [[0, 3]], "the integers 0 to 2, got 3.0: map the labels .* ignore_label"),
        ("softmax", [[-1, 0]], "the integers 0 to 2, got -1.0"),
        ("softmax", [[0.5, 0]], "the integers 0 to 2, got 0.5"),
        ("softmax", [[math.nan, 0]], "the integers 0 to 2, got nan"),
        ("sigmoid", [[0, 2], [0, 1], [0, 1]], "the integers 0 to 1, got 2.0"),
        ("softmax", [[1, 0], [1, 1], [0, 0]], "exactly one class, got 1 to 2: use activation="),
        ("softmax", [[1, 0], [0, 0], [0, 0]], "exactly one class, got 0 to 1"),
    ],
)
def test_values_that_are_no_labels_are_refused(activation, target, message):
    loss = HybridLoss(activation=activation, ignore_label=IGNORE)
    with pytest.raises(ValueError, match=message) as caught:
        loss(torch.zeros(1, 3, 2), torch.tensor([target]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_fractions_of_0_and_1_are_a_target_of_0_and_1(activation):
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    target = F.one_hot(torch.arange(10).reshape(2, 5) % 3, 3).movedim(-1, 1).float()
    soft, hard = (HybridLoss(activation=activation, fractions=on) for on in (True, False))
    assert soft(logits, target).item() == pytest.approx(hard(logits, target).item(), abs=1e-6)


def test_fractions_on_paper():
    """Two voxels of P = 1/2 and Y = 1/4, 3/4: the entropy is log 2, shared 2 (1/4 + 1/2) of 2."""
    target = torch.tensor([[[0.25, 0.75]]])
    loss = HybridLoss(activation="sigmoid", fractions=True)
    assert loss(torch.zeros(1, 1, 2), target).item() == pytest.approx(
        math.log(2) / 2 - 0.75, abs=1e-5
    )


@pytest.mark.parametrize("weights", [(0.5, 1.0), (0.0, 1.0), (1.0, 0.0)])
def test_no_prediction_is_better_than_the_fractions_themselves(weights):
    target = torch.tensor([[[0.25, 0.5, 0.75, 0.1]]])
    loss = HybridLoss(
        activation="sigmoid",
        fractions=True,
        cross_entropy_weight=weights[0],
        dice_weight=weights[1],
    )
    best = loss(target.logit(), target)
    random = torch.Generator().manual_seed(0)
    others = [loss(torch.randn(1, 1, 4, generator=random) * 3, target) for _ in range(200)]
    sure = [loss(50 * (2.0 * (target >= level) - 1), target) for level in (0.05, 0.5, 0.7)]
    assert best < min([*others, *sure])


def test_fractions_under_softmax_are_the_cross_entropy_against_them():
    logits = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0.5, 0.25, 0.25])[None, :, None].expand(1, 3, 4)
    loss = HybridLoss(fractions=True, dice_weight=0, cross_entropy_weight=1)
    assert loss(logits, target).item() == pytest.approx(F.cross_entropy(logits, target).item())


def test_fractions_that_do_not_add_up_and_those_that_were_not_announced_are_refused():
    half = torch.full((1, 2, 4), 0.4)
    with pytest.raises(ValueError, match=r"fractions of a voxel must add up to 1, got 0.8 to 0.8"):
        HybridLoss(fractions=True)(torch.zeros(1, 2, 4), half)
    with pytest.raises(ValueError, match=r"target values must be the integers 0 to 1, got 0.4"):
        HybridLoss()(torch.zeros(1, 2, 4), half)
    with pytest.raises(ValueError, match=r"target values must be 0 to 1, got 1.5"):
        HybridLoss(fractions=True)(torch.zeros(1, 2, 4), half + 1.1)


def test_ignored_voxels_of_fractions_have_no_gradient():
    logits = torch.zeros(1, 1, 3, requires_grad=True)
    target = torch.tensor([[[0.25, 255, 0.75]]])
    HybridLoss(activation="sigmoid", fractions=True, ignore_label=255)(logits, target).backward()
    assert logits.grad[0, 0].tolist()[1] == 0
    assert (logits.grad[0, 0, ::2] != 0).all()
