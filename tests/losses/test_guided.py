"""Tests of medseg.losses.guided: the presence of classes is learned along with the heads."""

import math

import pytest
import torch
from monai.data import MetaTensor
from torch import nn

from medseg.losses import GuidedLoss, HybridLoss, WeightedTargetLoss, deep_supervision
from medseg.networks import NestedUNet

IGNORE = 255


class Recorder(nn.Module):
    """A loss of value 10 that keeps what it was given."""

    def forward(self, output, target):
        self.output, self.target = output, target
        return torch.tensor(10.0)


def presence(*probabilities):
    """Presence logits (B, F, 1, 1), a row of probabilities for each image."""
    return torch.logit(torch.tensor(probabilities))[:, :, None, None]


def labels(*images):
    """Labels (B, 1, 1, voxels), a row for each image."""
    return torch.tensor(images)[:, None, None]


def guide_of(probabilities, target, **options):
    """What the guide adds to the loss of the heads."""
    heads = [torch.zeros(target.shape[0], 1, *target.shape[2:])] * 2
    loss = GuidedLoss(Recorder(), **options)
    return loss([*heads, presence(*probabilities)], target).item() - 10


def test_labels_on_paper():
    # classes 1 and 3 of three occur: -(log 3/4 + log 1/2 + log 1/5) / 3
    expected = -(math.log(0.75) + math.log(0.5) + math.log(0.2)) / 3
    assert guide_of([[0.75, 0.5, 0.2]], labels([0, 1, 3, 3])) == pytest.approx(expected, abs=1e-5)


def test_one_foreground_class_on_paper():
    # the class occurs in the second image only: -(log 3/4 + log 1/5) / 2
    expected = -(math.log(0.75) + math.log(0.2)) / 2
    got = guide_of([[0.25], [0.2]], labels([0, 0], [0, 1]))
    assert got == pytest.approx(expected, abs=1e-5)


def test_channels_give_what_their_labels_give():
    target = labels([0, 1, 3, 3], [0, 0, 0, 2])
    one_hot = torch.nn.functional.one_hot(target[:, 0], 4).movedim(-1, 1)
    rows = [[0.75, 0.5, 0.2], [0.1, 0.3, 0.6]]
    assert guide_of(rows, one_hot) == pytest.approx(guide_of(rows, target))


def test_the_background_channel_has_no_presence():
    # two channels, one foreground class, absent: -log 3/4 whatever the background holds
    for background in (0, 1):
        target = torch.tensor([[[[background]], [[0]]]])
        assert guide_of([[0.25]], target) == pytest.approx(-math.log(0.75), abs=1e-5)


def test_the_weight_is_a_factor_of_the_guide():
    target = labels([0, 1])
    plain = guide_of([[0.3]], target)
    assert guide_of([[0.3]], target, weight=0.5) == pytest.approx(plain / 2, abs=1e-5)
    assert guide_of([[0.3]], target, weight=0) == 0


def test_the_heads_go_to_the_loss_as_a_list_in_their_order():
    recorder, target = Recorder(), labels([0, 1])
    heads = [torch.full((1, 1, 1, 2), float(index)) for index in range(3)]
    GuidedLoss(recorder)([*heads, presence([0.5])], target)
    assert isinstance(recorder.output, list)
    assert all(a is b for a, b in zip(recorder.output, heads, strict=True))
    assert recorder.target is target


def test_a_tensor_is_the_loss_alone():
    recorder, output = Recorder(), torch.zeros(1, 1, 1, 2)
    assert GuidedLoss(recorder)(output, labels([0, 1])) == 10
    assert recorder.output is output


def test_without_the_module_every_output_is_the_loss_alone():
    recorder = Recorder()
    loss = GuidedLoss(recorder, class_guide=False)
    for output in (torch.zeros(1, 1, 1, 2), [torch.zeros(1, 1, 1, 2)] * 2):
        assert loss(output, labels([0, 1])) == 10
        assert recorder.output is output


def test_ignored_voxels_hold_no_class():
    # of the classes 1 and 2 only 1 is left where the others are ignored
    expected = -(math.log(0.75) + math.log(0.5)) / 2
    target = labels([0, 1, IGNORE])
    got = guide_of([[0.75, 0.5]], target, ignore_label=IGNORE)
    assert got == pytest.approx(expected, abs=1e-5)
    # a class whose own label is ignored never occurs
    got = guide_of([[0.75, 0.5]], labels([0, 1, 2]), ignore_label=2)
    assert got == pytest.approx(expected, abs=1e-5)


def test_an_image_of_ignored_voxels_only_has_no_part():
    # the mean is over the first image alone
    target = labels([0, 1], [IGNORE, IGNORE])
    got = guide_of([[0.75], [0.9]], target, ignore_label=IGNORE)
    assert got == pytest.approx(-math.log(0.75), abs=1e-5)
    nothing = guide_of([[0.9]], labels([IGNORE]), ignore_label=IGNORE)
    assert nothing == 0


def test_ignored_voxels_have_no_part_in_any_head_nor_in_the_guide():
    # the whole chain of a config: guide, heads, weights in the target, loss of one head
    network = NestedUNet(2, 1, 3, channels=(4, 8, 16), deep_supervision=True)
    generator = torch.Generator().manual_seed(0)
    label = torch.randint(0, 3, (2, 1, 8, 8), generator=generator)
    ignored = torch.rand(2, 1, 8, 8, generator=generator) < 0.4
    target = torch.cat([label.masked_fill(ignored, IGNORE), torch.ones_like(label)], 1).float()
    inner = WeightedTargetLoss(HybridLoss(ignore_label=IGNORE))
    loss = GuidedLoss(deep_supervision(inner, "equal", network=network), ignore_label=IGNORE)
    heads = [torch.randn(2, 3, 8, 8, generator=generator, requires_grad=True) for _ in range(2)]
    value = loss([*heads, presence([0.5, 0.5], [0.5, 0.5])], target)
    value.backward()
    for head in heads:
        gradient = head.grad.abs().sum(1, keepdim=True)
        assert gradient[ignored].max() == 0
        assert gradient[~ignored].min() > 0
    moved = [head.detach() + 9 * ignored * torch.randn(2, 3, 8, 8) for head in heads]
    torch.testing.assert_close(loss([*moved, presence(*[[0.5, 0.5]] * 2)], target), value)


def test_an_ignored_channel_has_no_part():
    target = torch.tensor([[[[1, 1]], [[0, 1]], [[IGNORE, IGNORE]]]])
    got = guide_of([[0.75, 0.9]], target, ignore_label=IGNORE)
    assert got == pytest.approx(-math.log(0.75), abs=1e-5)


@pytest.mark.parametrize("classes", [1, 2])
def test_a_weight_channel_is_no_class_and_reaches_the_loss(classes):
    recorder, target = Recorder(), labels([0, 1])
    recorder.inner = WeightedTargetLoss(HybridLoss())
    weighted = torch.cat([target.float(), torch.full((1, 1, 1, 2), 2.0)], 1)
    loss = GuidedLoss(recorder)
    logits = presence([0.75] * classes)
    plain = GuidedLoss(Recorder())([torch.zeros(1, 1, 1, 2), logits], target)
    assert loss([torch.zeros(1, 1, 1, 2), logits], weighted) == plain
    assert recorder.target is weighted


@pytest.mark.parametrize("kind", [torch.as_tensor, MetaTensor])
def test_the_gradient_reaches_presence_and_heads(kind):
    # sigmoid 1/2, class present: slope 1/2 - 1
    head, logits = (torch.zeros(1, 1, 1, n, requires_grad=True) for n in (2, 1))
    loss = GuidedLoss(deep_supervision_of_one())
    value = loss([kind(head), kind(logits)], kind(labels([0, 1])))
    value.backward()
    assert type(value) is torch.Tensor
    assert logits.grad.item() == pytest.approx(-0.5)
    assert head.grad.abs().sum() > 0


def deep_supervision_of_one():
    network = NestedUNet(2, 1, 1, channels=(2, 3, 4), deep_supervision=True)
    network.topology = network.topology.select_ancestors(network.topology.heads[-1])
    return deep_supervision(HybridLoss(activation="sigmoid"), "equal", network=network)


def test_half_logits_and_3d_work():
    target = torch.ones(1, 1, 2, 2, 2)
    logits = torch.zeros(1, 1, 1, 1, 1, dtype=torch.bfloat16)
    value = GuidedLoss(Recorder())([torch.zeros(1, 1, 2, 2, 2), logits], target)
    assert value.item() == pytest.approx(10 + math.log(2))


@pytest.mark.parametrize("weights", ["decaying", "learned"])
def test_it_adds_to_any_deep_supervision_and_keeps_its_parameters(weights):
    network = NestedUNet(2, 1, 3, channels=(2, 3, 4), deep_supervision=True)
    inner = deep_supervision(WeightedTargetLoss(HybridLoss()), weights, network=network)
    loss = GuidedLoss(inner)
    target = torch.cat([labels([0, 1, 2, 2]).float(), torch.ones(1, 1, 1, 4)], 1)
    heads = [torch.zeros(1, 3, 1, 4)] * 2
    value = loss([*heads, presence([0.5, 0.5])], target)
    torch.testing.assert_close(value, inner(heads, target) + math.log(2))
    assert list(loss.parameters()) == list(inner.parameters())


def test_a_list_without_presence_is_refused():
    heads = [torch.zeros(1, 1, 4, 4)] * 2
    with pytest.raises(ValueError, match=r"got \(1, 1, 4, 4\) for a target .*: set class_guide as"):
        GuidedLoss(Recorder())(heads, torch.zeros(1, 1, 4, 4))


@pytest.mark.parametrize("shape", [(2, 1, 1, 1), (1, 1), (1, 1, 1, 1, 1)])
def test_a_presence_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"presence of each class, \(B, F, 1, ..., 1\), got"):
        GuidedLoss(Recorder())(
            [torch.zeros(1, 1, 4, 4), torch.zeros(shape)], torch.zeros(1, 1, 4, 4)
        )


def test_a_target_of_other_channels_is_refused():
    output = [torch.zeros(1, 3, 1, 2), presence([0.5, 0.5])]
    with pytest.raises(ValueError, match="got 2 channels for the presence of 2 classes: correct"):
        GuidedLoss(Recorder())(output, torch.zeros(1, 2, 1, 2))


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_a_weight_out_of_range_is_refused(weight):
    with pytest.raises(ValueError, match=f"finite and not negative, got {weight}: pass 1.0"):
        GuidedLoss(Recorder(), weight=weight)


def test_a_text_for_the_flag_is_refused():
    with pytest.raises(TypeError, match="class_guide must be True or False, got 'true'"):
        GuidedLoss(Recorder(), class_guide="true")


def test_of_fractions_a_class_occurs_where_half_say_so():
    loss = GuidedLoss(HybridLoss(activation="sigmoid", fractions=True))
    found = [
        loss._find_occurrence(torch.full((1, 1, 4), share), 1)[0].item() for share in (0.25, 0.5, 1)
    ]
    assert found == [0, 1, 1]
