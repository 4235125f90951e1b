"""The networks of ImageNet against torchvision, the papers' tables, and residuals written out."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from cnnlib.models import create_model, googlenet, residual, resnet, vgg
from cnnlib.models.googlenet import INCEPTIONS, Inception
from cnnlib.models.residual import (
    BasicBlock,
    Bottleneck,
    OptionA,
    PreactivationBasicBlock,
    PreactivationBottleneck,
    preactivated,
)

VGGS = [f"vgg{depth}" for depth in (11, 13, 16, 19)]
RESNETS = [f"resnet{depth}" for depth in (18, 34, 50, 101, 152)]


def on_meta(name, **options):
    """Build a network without its numbers: only names and shapes, in no time."""
    with torch.device("meta"):
        return create_model(name, **options)


def count(model):
    return sum(p.numel() for p in model.parameters())


def quiet(model):
    """Take all that is random out of training."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def stir(model):
    """Draw what begins as 0 or 1 at random, so that a swapped statistic shows."""
    for key, value in model.state_dict().items():
        if key.endswith("running_var"):
            value.uniform_(0.5, 2.0)
        elif value.dim() == 1:
            value.add_(0.2 * torch.randn_like(value))
    return model


def load_from(reference, name, **options):
    """Return our network with the numbers of torchvision's."""
    model = on_meta(name, **options)
    state = {key: value.clone() for key, value in reference.state_dict().items()}
    model.load_state_dict(state, strict=True, assign=True)
    return quiet(model)


@torch.no_grad()
def agree(model, reference, *size):
    """Compare what two networks give, and in training what they remember."""
    x = torch.randn(2, 3, *size)
    for training in (True, False):
        ours, theirs = model.train(training)(x), reference.train(training)(x)
        torch.testing.assert_close(tuple(ours), tuple(theirs), rtol=1e-5, atol=1e-5)
    state = reference.state_dict()
    for key, value in model.state_dict().items():
        if "running" in key:
            torch.testing.assert_close(value, state[key], rtol=1e-5, atol=1e-5)


def torchvision_model(name, **options):
    torch.manual_seed(0)
    return stir(quiet(torchvision.models.get_model(name, **options)))


# ---- torchvision's numbers -----------------------------------------------------------------


def test_alexnet_is_torchvisions():
    reference = torchvision_model("alexnet")
    model = load_from(reference, "alexnet")
    agree(model, reference, 63, 63)
    agree(model, reference, 95, 120)


@pytest.mark.slow
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("name", VGGS)
def test_vgg_is_torchvisions(name, batch_norm):
    reference = torchvision_model(name + "_bn" * batch_norm, init_weights=False)
    model = load_from(reference, name, batch_norm=batch_norm)
    agree(model, reference, 32, 40)


@pytest.mark.parametrize("aux_logits", [False, True])
def test_googlenet_is_torchvisions(aux_logits):
    reference = torchvision_model("googlenet", aux_logits=aux_logits, init_weights=False)
    model = load_from(reference, "googlenet", aux_logits=aux_logits)
    agree(model, reference, 64, 64)
    agree(model, reference, 75, 91)
    answers = model.train()(torch.zeros(2, 3, 64, 64))
    assert isinstance(answers, googlenet.Answers if aux_logits else torch.Tensor)


@pytest.mark.slow
@pytest.mark.parametrize("name", RESNETS)
def test_resnet_is_torchvisions(name):
    reference = torchvision_model(name)
    agree(load_from(reference, name), reference, 64, 70)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_branches_begin_at_zero_as_in_torchvision(name):
    def zeros(state):
        return {key for key, value in state.items() if "weight" in key and not value.any()}

    reference = torchvision.models.get_model(name, zero_init_residual=True)
    ours = zeros(create_model(name, zero_init_residual=True).state_dict())
    assert ours == zeros(reference.state_dict())
    assert len(ours) == {"resnet18": 8, "resnet50": 16}[name]
    assert not zeros(create_model(name).state_dict())


# ---- the papers' numbers -------------------------------------------------------------------


def test_alexnet_of_2012_by_its_section_3_5():
    with torch.device("meta"):
        grouped = [
            nn.Conv2d(3, 96, 11, 4),
            nn.Conv2d(96, 256, 5, groups=2),
            nn.Conv2d(256, 384, 3),
            nn.Conv2d(384, 384, 3, groups=2),
            nn.Conv2d(384, 256, 3, groups=2),
        ]
        whole = [nn.Conv2d(c.in_channels, c.out_channels, c.kernel_size) for c in grouped]
        linear = [nn.Linear(256 * 6 * 6, 4096), nn.Linear(4096, 4096), nn.Linear(4096, 1000)]
    counts = [count(layer) for layer in grouped + linear]
    said = create_model("alexnet", image_size=32).__doc__
    for number in (*counts, sum(counts), count(nn.ModuleList(whole + linear))):
        assert f"{number:,}" in said
    assert sum(counts) == 60_965_224


def maps_of(name, layers, image_size, **options):
    """Return the height of the maps that some layers give."""
    model = on_meta(name, image_size=image_size, **options)
    sizes = {}
    for layer in layers:
        model.get_submodule(layer).register_forward_hook(
            lambda _, __, out, layer=layer: sizes.update({layer: out.shape[-1]})
        )
    model(torch.empty(2, 3, image_size, image_size, device="meta"))
    return [sizes[layer] for layer in layers]


@pytest.mark.parametrize(
    ("name", "layers", "large", "small"),
    [
        ("alexnet", [f"features.{i}" for i in (0, 2, 5, 12)], [55, 27, 13, 6], [16, 8, 4, 2]),
        ("vgg11", [f"features.{i}" for i in (2, 5, 10, 15, 20)], [112, 56, 28, 14, 7],
         [16, 8, 4, 2, 1]),
        ("googlenet", ["conv1", "conv3", "inception3b", "inception4e", "inception5b"],
         [112, 56, 28, 14, 7], [32, 16, 16, 8, 4]),
        ("resnet50", ["conv1", "layer1", "layer2", "layer3", "layer4"], [112, 56, 28, 14, 7],
         [32, 32, 16, 8, 4]),
    ],
)  # fmt: skip
def test_maps_have_the_stated_sizes(name, layers, large, small):
    assert maps_of(name, layers, 224) == large
    assert maps_of(name, layers, 32) == small


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("image_size", [224, 32])
def test_alexnet_has_one_activation_after_every_hidden_layer(activation, image_size):
    model = on_meta("alexnet", activation=activation, image_size=image_size)
    kinds = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
    layers = [*model.features, *model.classifier]
    used = [i for i, layer in enumerate(layers) if isinstance(layer, kinds[activation])]
    assert len(used) == 7
    assert all(isinstance(layers[i - 1], nn.Conv2d | nn.Linear) for i in used)
    assert not any(
        isinstance(layer, tuple(set(kinds.values()) - {kinds[activation]})) for layer in layers
    )


def test_alexnet_weights_keep_the_size_of_the_signal():
    torch.manual_seed(0)
    for activation, gain in {"relu": 2**0.5, "tanh": 5 / 3, "sigmoid": 1.0}.items():
        model = create_model("alexnet", image_size=32, activation=activation)
        for module in [model.features[3], model.classifier[1]]:
            expected = gain / module.weight[0].numel() ** 0.5
            assert module.weight.std().item() == pytest.approx(expected, rel=0.02)
            assert (module.bias == 0).all()
        assert model.classifier[-1].weight.std().item() == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_dropout_takes_the_rate(rate):
    for name, heads in {"alexnet": 2, "vgg11": 2, "googlenet": 1}.items():
        model = on_meta(name, image_size=32, dropout=rate)
        rates = [m.p for m in model.modules() if isinstance(m, nn.Dropout)]
        assert rates == [rate] * heads


#: Operations of each Inception module on 224x224 pictures in millions, from the paper's table 1.
#: For 5a it prints 54, where the widths that it prints beside give 51.
OPERATIONS = {
    "3a": 128, "3b": 304, "4a": 73, "4b": 88, "4c": 100, "4d": 119, "4e": 170, "5a": 51, "5b": 71,
}  # fmt: skip


def test_inception_modules_cost_what_the_paper_says():
    channels = 192
    for name, widths in INCEPTIONS.items():
        with torch.device("meta"):
            module = Inception(channels, widths, large_kernel=5)
        side = {"3": 28, "4": 14, "5": 7}[name[0]]
        weights = sum(m.weight.numel() for m in module.modules() if isinstance(m, nn.Conv2d))
        assert weights * side**2 / 1e6 == pytest.approx(OPERATIONS[name], abs=1)
        channels = module(torch.empty(2, channels, side, side, device="meta")).shape[1]
        assert channels == widths.out_channels
    assert channels == 1024


def test_googlenet_counts():
    trained = count(on_meta("googlenet", aux_logits=True))
    assert trained == 13_004_888
    paper = on_meta("googlenet", large_kernel=5)
    # With biases in place of BatchNorm, one number a channel in place of two.
    norms = sum(m.num_features for m in paper.modules() if isinstance(m, nn.BatchNorm2d))
    said = type(paper).__doc__
    for number in (trained, count(paper), count(paper) - norms, count(on_meta("googlenet"))):
        assert f"{number:,}" in said
    small = on_meta("googlenet", image_size=32, num_classes=10)
    assert f"{count(small):,}" in said


def test_vgg_and_resnet_counts_in_the_docstrings():
    for name, said in {"vgg16": vgg.VGG.__doc__, "resnet18": resnet.imagenet.__doc__}.items():
        assert f"{count(on_meta(name, image_size=32, num_classes=10)):,}" in said


@pytest.mark.parametrize("name", VGGS)
def test_batch_norm_adds_two_numbers_a_channel(name):
    plain, normed = on_meta(name), on_meta(name, batch_norm=True)
    channels = sum(m.out_channels for m in plain.features if isinstance(m, nn.Conv2d))
    assert count(normed) - count(plain) == 2 * channels
    assert name == f"vgg{sum(isinstance(m, nn.Conv2d | nn.Linear) for m in plain.modules())}"


@pytest.mark.parametrize("name", RESNETS)
@pytest.mark.parametrize("preactivation", [False, True])
def test_resnets_have_as_many_layers_as_they_say(name, preactivation):
    model = on_meta(name, preactivation=preactivation)
    layers = [
        key
        for key, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and "downsample" not in key
    ]
    assert name == f"resnet{len(layers)}"


# ---- residual blocks -----------------------------------------------------------------------


@pytest.mark.parametrize("block", [BasicBlock, PreactivationBasicBlock])
@pytest.mark.parametrize("channels", [1, 8])
def test_option_a_takes_no_channels_away(block, channels):
    with pytest.raises(ValueError, match=f"from 16 to {channels} a block needs shortcut='B'"):
        block(16, channels, 1, "A")


def test_option_a_by_hand():
    x = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    corners = [[1.0, 3.0], [7.0, 9.0]]
    zeros = [[0.0, 0.0], [0.0, 0.0]]
    assert OptionA(out_channels=3, stride=2)(x).tolist() == [[corners, zeros, zeros]]
    assert OptionA(out_channels=1, stride=1)(x) is x


KINDS = [BasicBlock, Bottleneck, PreactivationBasicBlock, PreactivationBottleneck]


def norm(state, key, x):
    return F.batch_norm(x, *(state[f"{key}.{part}"] for part in (
        "running_mean", "running_var", "weight", "bias")))  # fmt: skip


def shortcut_by_hand(state, x, channels, stride):
    """Options A and B from the papers; `state` says which, and whether a BatchNorm follows."""
    if "downsample.0.weight" in state:
        x = F.conv2d(x, state["downsample.0.weight"], stride=stride)
        return norm(state, "downsample.1", x) if "downsample.1.weight" in state else x
    x = x[:, :, ::stride, ::stride]
    zeros = x.new_zeros(x.shape[0], channels - x.shape[1], *x.shape[2:])
    return torch.cat([x, zeros], dim=1)


def block_by_hand(state, x, stride, preactivation):
    """A block in eval mode, written from the papers and a state dict alone."""
    depth = sum(key.startswith("conv") for key in state)
    strided = 1 if depth == 2 else 2
    channels = state[f"conv{depth}.weight"].shape[0]
    changes = stride > 1 or channels != x.shape[1]
    out, shortcut = x, x
    for i in range(1, depth + 1):
        weight = state[f"conv{i}.weight"]
        step = stride if i == strided else 1
        if preactivation:
            out = norm(state, f"bn{i}", out).clamp(min=0)
            if i == 1 and changes:
                shortcut = out
            out = F.conv2d(out, weight, stride=step, padding=weight.shape[-1] // 2)
        else:
            out = F.conv2d(out, weight, stride=step, padding=weight.shape[-1] // 2)
            out = norm(state, f"bn{i}", out)
            out = out.clamp(min=0) if i < depth else out
    out = out + (shortcut_by_hand(state, shortcut, channels, stride) if changes else shortcut)
    return out if preactivation else out.clamp(min=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shortcut", ["A", "B"])
@pytest.mark.parametrize(("channels", "stride"), [(4, 1), (8, 2), (16, 1)])
def test_blocks_equal_the_papers_written_out(kind, shortcut, channels, stride):
    torch.manual_seed(0)
    inner = channels // kind.expansion
    block = stir(kind(4, inner, stride, shortcut)).double().eval()
    x = torch.randn(2, 4, 7, 6, dtype=torch.float64)
    preactivation = kind.__name__.startswith("Pre")
    expected = block_by_hand(block.state_dict(), x.clone(), stride, preactivation)
    assert expected.shape == (2, channels, -(-7 // stride), -(-6 // stride))
    torch.testing.assert_close(block(x), expected, rtol=1e-10, atol=1e-10)
    assert sum("downsample" in key and "weight" in key for key in block.state_dict()) == (
        0 if shortcut == "A" or (channels, stride) == (4, 1) else 1 if preactivation else 2
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_without_its_branch_is_its_shortcut(kind, stride):
    channels = 4 * stride
    inner = channels // kind.expansion
    residual_block, plain = kind(4, inner, stride, "A"), kind(4, inner, stride, None)
    for block in (residual_block, plain):
        block.zero_init_residual()
    # Pictures that are normalised and positive, so that BatchNorm and ReLU leave them alone.
    x = torch.rand(3, 4, 6, 6) + 0.1
    expected = OptionA(channels, stride)(x)
    result = residual_block.eval()(x)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=0)
    assert torch.equal(plain.eval()(x), torch.zeros_like(expected))


def test_identity_reaches_the_sum_untouched_with_preactivation_only():
    x = -torch.ones(2, 4, 5, 5)
    for kind in KINDS[:2]:
        block, pre = kind(4, 4 // kind.expansion), preactivated(kind)(4, 4 // kind.expansion)
        block.zero_init_residual()
        pre.zero_init_residual()
        assert (block(x) == 0).all()  # the ReLU after the sum
        assert torch.equal(pre(x), x)
        pre.shares_activation = True
        assert (pre(x) == 0).all()


@pytest.mark.parametrize("name", ["resnet20", "resnet18", "resnet50"])
@pytest.mark.parametrize(("shortcut", "zero"), [("A", False), ("B", False), ("B", True)])
def test_preactivated_networks(name, shortcut, zero):
    options = {} if name == "resnet20" else {"image_size": 32, "num_classes": 10}
    torch.manual_seed(0)
    model = create_model(
        name, shortcut=shortcut, preactivation=True, zero_init_residual=zero, **options
    )
    blocks = [m for m in model.modules() if isinstance(m, residual.Block)]
    assert all(isinstance(m, residual.PreactivationBlock) for m in blocks)
    assert [m.shares_activation for m in blocks] == [True] + [False] * (len(blocks) - 1)
    x = torch.randn(4, 3, 16, 16)
    logits = model(x)
    assert logits.shape == (4, 10)
    logits.square().sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert zero or parameter.grad.any(), key
    # One BatchNorm, ReLU and sum after another: nothing follows the last sum but norm and ReLU.
    model.eval()
    stages = x
    for part in [module for key, module in model.named_children() if key not in ("fc", "norm")]:
        stages = part(stages) if not isinstance(part, nn.AdaptiveAvgPool2d) else stages
    expected = model.fc(F.relu(model.norm(stages)).mean(dim=(2, 3)))
    torch.testing.assert_close(model(x), expected)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_option_a_takes_the_projections_parameters_away(name):
    a, b = on_meta(name, shortcut="A"), on_meta(name, shortcut="B")
    projections = sum(p.numel() for key, p in b.named_parameters() if "downsample" in key)
    narrow, wide = (64, 128, 256, 512), (64, 256, 512, 1024, 2048)
    widths = narrow if name == "resnet18" else wide
    changes = pairwise(widths)
    assert projections == sum(old * new + 2 * new for old, new in changes)
    assert count(b) - count(a) == projections
    assert a(torch.empty(2, 3, 65, 65, device="meta")).shape == (2, 1000)
