"""Every network of the registry, against published counts, hand-worked numbers and plain torch."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import signal, stats
from torch import nn

from cnnlib.models import create_model, list_models, register, registry
from cnnlib.models.resnet_cifar import BasicBlock, CifarResNet, option_a
from cnnlib.models.simple import SameConv2d, SimpleBlock

#: He et al. 2015 give 0.27, 0.46, 0.66, 0.85 and 1.7 million; the exact numbers are the sums of
#: their table. The last three are Keras's own `count_params`, and for LeNet-5 156 + 2,416 +
#: 48,120 + 10,164 + 850.
PUBLISHED = {
    "resnet20": 269_722,
    "resnet32": 464_154,
    "resnet44": 658_586,
    "resnet56": 853_018,
    "resnet110": 1_727_962,
    "plain20": 269_722,
    "plain32": 464_154,
    "plain44": 658_586,
    "plain56": 853_018,
    "lenet5": 61_706,
    "simple_cnn": 1_625_281,
    "simple_resnet": 677_642,
}
#: What each network takes, (channels, height, width): two sizes where it takes any.
SHAPES = {"lenet5": [(1, 32, 32)], "simple_cnn": [(3, 64, 64)]}
ANY_SIZE = [(3, 16, 16), (3, 19, 12)]

every_model = pytest.mark.parametrize("name", list_models())
# Where depth alone differs, the shallow ones say as much.
each_kind = pytest.mark.parametrize(
    "name", ["resnet20", "plain20", "lenet5", "simple_cnn", "simple_resnet"]
)


def build(name, seed=0, **options):
    torch.manual_seed(seed)
    return create_model(name, **options)


def pictures(name, n=4, which=0, dtype=torch.float32):
    shape = SHAPES.get(name, ANY_SIZE)[which]
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(n)).to(dtype)


# ---- the registry --------------------------------------------------------------------------


def test_registry_holds_exactly_the_published_networks():
    assert list_models() == sorted(PUBLISHED)


def test_list_models_takes_a_pattern():
    assert list_models("plain*") == ["plain20", "plain32", "plain44", "plain56"]
    assert list_models("*20") == ["plain20", "resnet20"]
    assert list_models("vgg*") == []


@pytest.mark.parametrize(("wrong", "nearest"), [("resnet21", "resnet20"), ("lenet", "lenet5")])
def test_unknown_model_names_the_nearest(wrong, nearest):
    with pytest.raises(ValueError, match=rf"'{wrong}'.*\b{nearest}\b"):
        create_model(wrong)


def test_unknown_model_like_none_names_them_all():
    with pytest.raises(ValueError, match=r"lenet5.*simple_resnet"):
        create_model("zzz")


@pytest.mark.parametrize("argument", ["num_classes", "in_channels"])
@pytest.mark.parametrize("value", [0, -1, 2.5, "10", True])
def test_counts_must_be_positive_integers(argument, value):
    with pytest.raises(ValueError, match=rf"{argument} must be a positive integer, not {value!r}"):
        create_model("resnet20", **{argument: value})


def test_a_count_may_be_a_numpy_integer():
    assert create_model("lenet5", num_classes=np.int64(7)).fc3.out_features == 7


def test_unknown_option_names_the_known_ones():
    with pytest.raises(ValueError, match=r"simple_cnn has no option 'size'.*image_size"):
        create_model("simple_cnn", size=32)


def test_a_name_is_registered_once():
    def resnet20(num_classes=10, in_channels=3):
        return nn.Identity()

    with pytest.raises(ValueError, match="'resnet20' is registered already"):
        register(resnet20)


# ---- every network -------------------------------------------------------------------------


@every_model
def test_parameters_are_as_published(name):
    model = create_model(name)
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert count == PUBLISHED[name]
    stated = re.search(r"([\d,]+) (?:trainable )?parameters", registry._BUILDERS[name].__doc__)
    assert int(stated[1].replace(",", "")) == count


@every_model
def test_forward_and_every_parameter_gets_a_gradient(name):
    model = build(name, num_classes=5)
    for which in range(len(SHAPES.get(name, ANY_SIZE))):
        for n in (4, 2):
            logits = model(pictures(name, n, which))
            assert logits.shape == (n, 5)
            assert logits.isfinite().all()
    F.cross_entropy(logits, torch.tensor([1, 3])).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().sum() > 0, key


@each_kind
def test_classes_and_channels_are_free(name):
    model = build(name, num_classes=7, in_channels=2)
    x = pictures(name)[:, :1].expand(-1, 2, -1, -1)
    assert model(x).shape == (4, 7)


@each_kind
def test_eval_neither_mixes_pictures_nor_changes_the_model(name):
    model = build(name).double()
    x = pictures(name, dtype=torch.float64)
    model(x)  # one step in train mode, so that BatchNorm has something to remember
    before = copy.deepcopy(model.state_dict())
    model.eval()
    torch.testing.assert_close(model(x)[:1], model(x[:1]), rtol=1e-10, atol=1e-12)
    after = model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    if any("running_mean" in key for key in before):
        model.train()
        assert not torch.allclose(model(x)[:1], model(x[:2])[:1])
        assert not torch.equal(before["bn1.running_mean"], model.state_dict()["bn1.running_mean"])


@each_kind
def test_channels_last_gives_the_same_numbers(name):
    model = build(name).double()
    x = pictures(name, dtype=torch.float64)
    expected = model(x)
    last = model.to(memory_format=torch.channels_last)
    result = last(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-12)


@each_kind
def test_bf16_autocast(name):
    model = build(name)
    x = pictures(name)
    expected = model(x).detach()
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(x)
    assert logits.dtype == torch.bfloat16
    assert (logits.float() - expected).norm() < 0.1 * expected.norm()
    logits.float().square().sum().backward()
    assert all(p.grad.dtype == torch.float32 for p in model.parameters())


@each_kind
def test_state_dict_round_trip(name, tmp_path):
    model, other = build(name, seed=0).eval(), build(name, seed=1).eval()
    x = pictures(name)
    assert not torch.equal(model(x), other(x))
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True), strict=True)
    assert torch.equal(model(x), other(x))


@each_kind
def test_a_seed_fixes_the_weights(name):
    first, again, another = (build(name, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], another[key]) for key in first)


@each_kind
def test_compiles_to_one_graph(name):
    model = build(name).eval()
    x = pictures(name)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), model(x))


def test_exports_with_any_batch_size():
    model = build("resnet20").eval()
    batch = torch.export.Dim("batch", min=2)
    program = torch.export.export(model, (pictures("resnet20"),), dynamic_shapes=({0: batch},))
    x = pictures("resnet20", 7)
    torch.testing.assert_close(program.module()(x), model(x))


@each_kind
def test_wrong_channels_say_what_to_do(name):
    model = build(name)
    x = pictures(name)
    wrong = torch.cat([x, x], dim=1)
    expected = rf"expected {x.shape[1]} channels.*in_channels={2 * x.shape[1]}"
    with pytest.raises(ValueError, match=expected):
        model(wrong)
    with pytest.raises(ValueError, match=r"add the batch axis"):
        model(x[0])


@pytest.mark.parametrize("name", list(SHAPES))
def test_wrong_size_says_which(name):
    size = SHAPES[name][0][-1]
    with pytest.raises(ValueError, match=rf"pictures of {size}x{size}.*28, {size}\)"):
        build(name)(pictures(name)[:, :, :28])


# ---- the CIFAR ResNets ---------------------------------------------------------------------


def test_resnet_keys():
    state = create_model("resnet20").state_dict()
    parts = {key.split(".")[0] for key in state}
    assert parts == {"conv1", "bn1", "layer1", "layer2", "layer3", "fc"}
    block = {"conv1.weight", "conv2.weight"} | {
        f"bn{i}.{key}"
        for i in (1, 2)
        for key in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    }
    assert {key.removeprefix("layer2.0.") for key in state if key.startswith("layer2.0.")} == block
    assert len({key.split(".")[1] for key in state if key.startswith("layer3.")}) == 3


@pytest.mark.parametrize("depth", [20, 32, 44, 56])
def test_plain_network_has_the_parameters_of_its_resnet(depth):
    residual, plain = create_model(f"resnet{depth}"), create_model(f"plain{depth}")
    shapes = {key: value.shape for key, value in residual.state_dict().items()}
    assert shapes == {key: value.shape for key, value in plain.state_dict().items()}
    # Layers with weights: every convolution and the fully connected one.
    layers = [m for m in plain.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == depth


def test_option_a_by_hand():
    x = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    corners = [[1.0, 3.0], [7.0, 9.0]]
    zeros = [[0.0, 0.0], [0.0, 0.0]]
    assert option_a(x, out_channels=3, stride=2).tolist() == [[corners, zeros, zeros]]
    assert option_a(x, out_channels=1, stride=1) is x


@pytest.mark.parametrize("stride", [1, 2])
def test_block_without_its_branch(stride):
    # With the last BatchNorm's factor at zero, F(x) = 0, and what is left is the shortcut.
    channels = 3 * stride
    x = pictures("resnet20").abs()
    blocks = [BasicBlock(3, channels, stride, shortcut) for shortcut in (True, False)]
    for block in blocks:
        nn.init.zeros_(block.bn2.weight)
    residual, plain = (block(x) for block in blocks)
    subsampled = x[:, :, ::stride, ::stride]
    assert torch.equal(residual[:, :3], subsampled)
    assert torch.count_nonzero(residual[:, 3:]) == 0
    assert plain.shape == residual.shape
    assert torch.count_nonzero(plain) == 0


def resnet_by_hand(state, x, blocks, shortcuts):
    """The network of section 4.2 in eval mode, written from the paper and a state dict alone."""

    def norm(x, key):
        mean, var = state[f"{key}.running_mean"], state[f"{key}.running_var"]
        column = (1, -1, 1, 1)
        scaled = (x - mean.view(column)) / (var.view(column) + 1e-5).sqrt()
        return scaled * state[f"{key}.weight"].view(column) + state[f"{key}.bias"].view(column)

    x = norm(F.conv2d(x, state["conv1.weight"], padding=1), "bn1").clamp(min=0)
    for stage in (1, 2, 3):
        for i in range(blocks):
            key = f"layer{stage}.{i}"
            stride = 2 if stage > 1 and i == 0 else 1
            out = F.conv2d(x, state[f"{key}.conv1.weight"], stride=stride, padding=1)
            out = norm(out, f"{key}.bn1").clamp(min=0)
            out = norm(F.conv2d(out, state[f"{key}.conv2.weight"], padding=1), f"{key}.bn2")
            if stride == 2:
                x = x[:, :, ::2, ::2]
                x = torch.cat([x, torch.zeros_like(x)], dim=1)
            x = (out + x if shortcuts else out).clamp(min=0)
    return x.mean(dim=(2, 3)) @ state["fc.weight"].T + state["fc.bias"]


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", ["resnet20", "plain20"])
def test_resnet_equals_the_paper_written_out(name, which):
    model = build(name).double()
    x = pictures(name, which=which, dtype=torch.float64)
    model(x)  # so that the running statistics are not those of a new BatchNorm
    expected = resnet_by_hand(model.state_dict(), x, 3, name.startswith("resnet"))
    torch.testing.assert_close(model.eval()(x), expected, rtol=1e-10, atol=1e-10)


def test_resnet_weights_are_drawn_as_in_the_paper():
    model = build("resnet56")
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            weights = module.weight.detach().flatten().numpy()
            assert stats.kstest(weights, "norm", (0, np.sqrt(2 / fan_in))).pvalue > 1e-4
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()
    assert (model.fc.bias == 0).all()


@pytest.mark.parametrize("depth", [2, 18, 21])
def test_impossible_depth(depth):
    with pytest.raises(ValueError, match=rf"6 n \+ 2.*not {depth}"):
        CifarResNet(depth)


# ---- the networks of the tutorials ---------------------------------------------------------


def test_same_padding_by_hand():
    # On 4 rows a 3x3 kernel with stride 2 begins at rows 0 and 2: one zero after, none before.
    # The window at the top left holds 1+2+3 + 5+6+7 + 9+10+11 = 54, and so on.
    conv = SameConv2d(1, 1, 3, stride=2)
    nn.init.ones_(conv.weight)
    nn.init.zeros_(conv.bias)
    x = torch.arange(1.0, 17.0).reshape(1, 1, 4, 4)
    assert conv(x).tolist() == [[[[54.0, 45.0], [72.0, 54.0]]]]
    # torch's own padding=1 centres the kernel on other pixels: 1+2+5+6 at the top left.
    assert F.conv2d(x, conv.weight, stride=2, padding=1)[0, 0, 0, 0] == 14


@pytest.mark.parametrize("size", [(5, 8), (6, 7), (32, 33), (3, 2)])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2), (3, 3)])
def test_same_padding_against_scipy(size, kernel, stride):
    rng = np.random.default_rng(0)
    x = rng.normal(size=size)
    conv = SameConv2d(1, 1, kernel, stride).double()
    # TensorFlow's rule, from its documentation of padding="SAME".
    pads = []
    for n in size:
        total = max(kernel - (stride if n % stride == 0 else n % stride), 0)
        pads.append((total // 2, total - total // 2))
    full = signal.correlate2d(np.pad(x, pads), conv.weight.detach().numpy()[0, 0], mode="valid")
    expected = full[::stride, ::stride] + conv.bias.item()
    result = conv(torch.from_numpy(x)[None, None]).detach().numpy()[0, 0]
    assert result.shape == tuple(-(-n // stride) for n in size)
    np.testing.assert_allclose(result, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["simple_cnn", "simple_resnet"])
def test_keras_defaults(name):
    model = build(name)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == (10 if name == "simple_resnet" else 0)
    for norm in norms:
        assert (norm.eps, norm.momentum) == (1e-3, 0.01)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            assert (module.bias == 0).all()
            window = module.weight[0, 0].numel()
            fans = sum(module.weight.shape[:2]) * window
            limit = np.sqrt(6 / fans)
            weights = module.weight.detach().flatten().numpy()
            assert stats.kstest(weights, "uniform", (-limit, 2 * limit)).pvalue > 1e-4


def test_simple_resnet_projects_only_where_the_shape_changes():
    model = create_model("simple_resnet")
    assert [len(block.shortcut) for block in model.blocks] == [0, 0, 2, 0]
    assert model.blocks[2].shortcut[0].weight.shape == (128, 64, 1, 1)
    assert SimpleBlock(64, 128, 2)(torch.zeros(1, 64, 5, 5)).shape == (1, 128, 3, 3)


def test_simple_cnn_sigmoid_and_size():
    logits = build("simple_cnn", image_size=32)
    probabilities = build("simple_cnn", image_size=32, sigmoid=True)
    x = pictures("simple_cnn")[:, :, :32, :32]
    torch.testing.assert_close(probabilities(x), 1 / (1 + torch.exp(-logits(x))))
    # (32 - 2) / 2 = 15, (15 - 2) // 2 = 6
    assert logits.fc1.in_features == 64 * 6 * 6
    assert create_model("simple_cnn", image_size=10).fc1.in_features == 64
    with pytest.raises(ValueError, match="at least 10, not 9"):
        create_model("simple_cnn", image_size=9)


def test_lenet_maps_have_the_published_sizes():
    model = create_model("lenet5")
    sizes = []
    for layer in (model.conv1, model.conv2, model.fc1, model.fc2, model.fc3):
        layer.register_forward_hook(lambda _, __, out: sizes.append(tuple(out.shape[1:])))
    model(torch.zeros(1, 1, 32, 32))
    assert sizes == [(6, 28, 28), (16, 10, 10), (120,), (84,), (10,)]
