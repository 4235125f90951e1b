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
from cnnlib.models.lenet import C3_TABLE, PartialConv2d, Subsampling, digit_codes
from cnnlib.models.resnet import ResNet, cifar
from cnnlib.models.simple import SameConv2d, SimpleBlock

#: He et al. 2015 give 0.27, 0.46, 0.66, 0.85 and 1.7 million for CIFAR-10; the exact numbers are
#: the sums of their table. Those for ImageNet are torchvision's. The two simple ones are Keras's
#: own `count_params`; LeNet-5 is 156 + 2,416 + 48,120 + 10,164 + 850, and, as published, the sum
#: that LeCun et al. 1998 give.
PUBLISHED = {
    "alexnet": 61_100_840,
    "vgg11": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "googlenet": 6_624_904,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnet20": 269_722,
    "resnet32": 464_154,
    "resnet56": 853_018,
    "resnet110": 1_727_962,
    "plain20": 269_722,
    "plain56": 853_018,
    "lenet5": 61_706,
    "lenet5_1998": 60_000,
    "simple_cnn": 1_625_281,
    "simple_resnet": 677_642,
    "fastnet": 1_972_792,
}
IMAGENET = ("alexnet", "vgg*", "googlenet", "resnet18", "resnet34", "resnet50", "resnet1?[12]")
IMAGENET = [name for pattern in IMAGENET for name in list_models(pattern)]
#: What each network takes, (channels, height, width): two sizes where it takes any.
FIXED = {"lenet5": [(1, 32, 32)], "lenet5_1998": [(1, 32, 32)], "simple_cnn": [(3, 64, 64)]}
SHAPES = FIXED | {name: [(3, 32, 32), (3, 36, 41)] for name in list_models("vgg*")}
ANY_SIZE = [(3, 16, 16), (3, 19, 12)]

every_model = pytest.mark.parametrize("name", list_models())
#: Where depth alone differs, the shallowest says as much: those left out, by the one that speaks.
DEEPER = {
    "resnet20": ["resnet32", "resnet56", "resnet110"],
    "plain20": ["plain56"],
    "vgg11": ["vgg13", "vgg16", "vgg19"],
    "resnet18": ["resnet34"],
    "resnet50": ["resnet101", "resnet152"],
}
#: Networks with other layers in them, as their options make them.
FORMS = {
    "vgg11, BatchNorm": ("vgg11", {"batch_norm": True}),
    "resnet20, pre-activation": ("resnet20", {"preactivation": True}),
    "resnet20, branches at zero": ("resnet20", {"shortcut": "B", "zero_init_residual": True}),
    "resnet18, option A": ("resnet18", {"shortcut": "A"}),
}
LEFT_OUT = [name for names in DEEPER.values() for name in names]
KINDS = [name for name in list_models() if name not in LEFT_OUT]
each_kind = pytest.mark.parametrize("name", [*KINDS, *FORMS])


def build(name, seed=0, **options):
    """Build a network; one of ImageNet in its small form, and with nothing random in training."""
    name, form = FORMS.get(name, (name, {}))
    options = form | options
    if name in IMAGENET:
        options = {"num_classes": 10, "image_size": 32} | options
    if name in [*list_models("[av]*"), "googlenet"]:
        options = {"dropout": 0.0} | options
    torch.manual_seed(seed)
    return create_model(name, **options)


def pictures(name, n=4, which=0, dtype=torch.float32):
    name, _ = FORMS.get(name, (name, {}))
    shape = SHAPES.get(name, ANY_SIZE)[which]
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(n)).to(dtype)


def count(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def on_meta(name, **options):
    """Build a network without its numbers: only names and shapes, in no time."""
    with torch.device("meta"):
        return create_model(name, **options)


def stated(name, pattern):
    """Return the number of parameters that a network's docstring gives."""
    found = re.search(pattern, registry._BUILDERS[name].__doc__)
    return int(found[1].replace(",", ""))


# ---- the registry --------------------------------------------------------------------------


def test_registry_holds_exactly_the_published_networks():
    assert list_models() == sorted(PUBLISHED)


def test_those_left_out_differ_in_depth_alone():
    assert len(KINDS) + len(LEFT_OUT) == len(list_models())
    for shallow, deeper in DEEPER.items():
        for name in deeper:
            assert kinds_of_layers(name) == kinds_of_layers(shallow), name


def kinds_of_layers(name):
    return {(type(module), len(list(module.children())) == 0) for module in on_meta(name).modules()}


def test_list_models_takes_a_pattern():
    assert list_models("plain*") == ["plain20", "plain56"]
    assert list_models("*20") == ["plain20", "resnet20"]
    assert list_models("vgg*") == ["vgg11", "vgg13", "vgg16", "vgg19"]
    assert list_models("dense*") == []


@pytest.mark.parametrize(("wrong", "nearest"), [("resnet21", "resnet20"), ("lenet", "lenet5")])
def test_unknown_model_names_the_nearest(wrong, nearest):
    with pytest.raises(ValueError, match=rf"'{wrong}'.*\b{nearest}\b"):
        create_model(wrong)


def test_unknown_model_like_none_names_them_all():
    with pytest.raises(ValueError, match=r"lenet5.*simple_resnet.*vgg19"):
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


def test_options_of_the_class_behind_a_builder_are_known_too():
    with pytest.raises(ValueError, match=r"no option 'batchnorm'; it takes .*batch_norm, dropout"):
        create_model("vgg16", batchnorm=True)
    with pytest.raises(ValueError, match=r"vgg16 has no option 'depth'"):
        create_model("vgg16", depth=19)
    with pytest.raises(ValueError, match=r"plain20 has no option 'shortcut'"):
        create_model("plain20", shortcut="A")


@pytest.mark.parametrize(
    ("name", "option", "value", "allowed"),
    [
        ("vgg16", "image_size", 64, "224 or 32"),
        ("resnet18", "image_size", "32", "224 or 32"),
        ("alexnet", "activation", "gelu", "'relu' or 'tanh' or 'sigmoid'"),
        ("googlenet", "large_kernel", 7, "3 or 5"),
        ("resnet20", "shortcut", "C", "'A' or 'B'"),
        ("resnet18", "shortcut", True, "'A' or 'B'"),
    ],
)
def test_a_choice_names_what_there_is(name, option, value, allowed):
    with pytest.raises(ValueError, match=rf"{option} must be {allowed}, not {value!r}"):
        create_model(name, **{option: value})


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("resnet20", "preactivation", "no"),
        ("resnet20", "zero_init_residual", 1),
        ("simple_cnn", "sigmoid", None),
        ("googlenet", "aux_logits", "False"),
    ],
)
def test_a_flag_is_true_or_false(name, option, value):
    with pytest.raises(ValueError, match=f"{option} must be True or False, not {value!r}"):
        create_model(name, **{option: value})


@pytest.mark.parametrize("depth", ["20", 20.0, True, -4, 21])
def test_a_depth_is_a_number_of_layers(depth):
    with pytest.raises(ValueError, match="depth must be"):
        cifar(depth)


def test_a_name_is_registered_once():
    def resnet20(num_classes=10, in_channels=3):
        return nn.Identity()

    with pytest.raises(ValueError, match="'resnet20' is registered already"):
        register(resnet20)


# ---- every network -------------------------------------------------------------------------


@every_model
def test_parameters_are_as_published(name):
    assert (
        count(on_meta(name))
        == PUBLISHED[name]
        == stated(name, r"([\d,]+) (?:trainable )?parameters")
    )


@pytest.mark.parametrize("name", IMAGENET)
def test_parameters_of_the_small_form_are_as_stated(name):
    small = count(on_meta(name, num_classes=10, image_size=32))
    assert small == stated(name, r"([\d,]+) for 10 classes of 32x32 pictures")
    assert small < PUBLISHED[name]


@every_model
def test_forward_and_every_parameter_gets_a_gradient(name):
    model = build(name, num_classes=5)
    for which in range(len(SHAPES.get(name, ANY_SIZE))):
        for n in (2, 4):
            logits = model(pictures(name, n, which))
            assert logits.shape == (n, 5)
            assert logits.isfinite().all()
    F.cross_entropy(logits, torch.tensor([1, 3, 0, 2])).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().sum() > 0, key


CIFAR = [name for name in [*KINDS, *FORMS] if re.match(r"resnet20|plain20|fastnet|simple_r", name)]


@pytest.mark.parametrize("name", CIFAR)
def test_every_channel_of_every_block_wakes(name):
    # ReLU passes no gradient at zero: a channel of zeros in all pictures would stay one.
    model, awake = build(name), {}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for step in range(3):
        logits = model(pictures(name, n=16 + step))
        F.cross_entropy(logits, torch.arange(16 + step) % 10).backward()
        optimizer.step()
        optimizer.zero_grad()
    for key, module in model.named_modules():
        if list(module.children()):
            module.register_forward_hook(lambda _, __, out, key=key: awake.update({key: out != 0}))
    model(pictures(name, n=32))
    maps = {
        key: out.any(dim=3).any(dim=2).any(dim=0) for key, out in awake.items() if out.ndim == 4
    }
    assert len(maps) > 3
    assert {key: int((~channels).sum()) for key, channels in maps.items()} == dict.fromkeys(maps, 0)


@pytest.mark.parametrize("name", IMAGENET)
@pytest.mark.parametrize("size", [(224, 224), (192, 161)])
def test_the_large_form_takes_any_size(name, size):
    assert on_meta(name)(torch.empty(2, 3, *size, device="meta")).shape == (2, 1000)


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
    model.eval()
    before = copy.deepcopy(model.state_dict())
    torch.testing.assert_close(model(x)[:1], model(x[:1]), rtol=1e-10, atol=1e-12)
    after = model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    means = [key for key in before if key.endswith("running_mean")]
    if means:
        model.train()
        assert not torch.allclose(model(x)[:1], model(x[:2])[:1])
        after = model.state_dict()
        assert not any(torch.equal(before[key], after[key]) for key in means)


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "googlenet"])
def test_dropout_is_random_in_training_only(name):
    model = build(name, dropout=0.5)
    x = pictures(name)
    first, second = model(x), model(x)
    assert not torch.allclose(first, second)
    model.eval()
    assert torch.equal(model(x), model(x))


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
    # In training, the BatchNorm of a few pixels would magnify what rounding has changed.
    model = build(name).eval()
    x = pictures(name)
    expected = model(x).detach()
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(x)
    # The squared distances of 1998 are no matrix product, and stay in float32.
    assert logits.dtype == (torch.float32 if name == "lenet5_1998" else torch.bfloat16)
    assert (logits.float() - expected).norm() < 0.1 * expected.norm()
    with torch.autocast("cpu", torch.bfloat16):
        loss = model.train()(x).float().square().sum()
    loss.backward()
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


@pytest.mark.slow
@each_kind
def test_compiles_to_one_graph(name):
    # Traced as for a real compiler, forward and backward, and run by torch: compiling the large
    # ones for good takes minutes.
    model = build(name).eval()
    x = pictures(name)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), model(x))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet5", "lenet5_1998"])
def test_compiles_for_good(name):
    model = build(name)
    x = pictures(name)
    compiled = torch.compile(model, fullgraph=True)
    torch.testing.assert_close(compiled(x), model(x))


@pytest.mark.slow
@each_kind
def test_exports_with_any_batch_size(name):
    model = build(name).eval()
    batch = torch.export.Dim("batch", min=2)
    program = torch.export.export(model, (pictures(name),), dynamic_shapes=({0: batch},))
    x = pictures(name, 7)
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


@pytest.mark.parametrize("name", list(FIXED))
def test_wrong_size_says_which(name):
    size = FIXED[name][0][-1]
    with pytest.raises(ValueError, match=rf"pictures of {size}x{size}.*28, {size}\)"):
        build(name)(pictures(name)[:, :, :28])


@pytest.mark.parametrize(
    ("name", "image_size", "smallest"),
    [
        ("alexnet", 224, 63),
        ("alexnet", 32, 1),
        ("vgg11", 224, 32),
        ("vgg11", 32, 32),
        ("googlenet", 224, 15),
        ("googlenet", 32, 4),
        ("resnet18", 224, 1),
    ],
)
def test_smallest_picture(name, image_size, smallest):
    model = on_meta(name, image_size=image_size).eval()
    assert model(torch.empty(1, 3, smallest, 70, device="meta")).shape == (1, 1000)
    if smallest > 1:
        with pytest.raises(ValueError, match=rf"at least {smallest}x{smallest}.*{smallest - 1}\)"):
            model(torch.empty(1, 3, 70, smallest - 1, device="meta"))


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


@pytest.mark.parametrize("depth", [20, 56])
def test_plain_network_has_the_parameters_of_its_resnet(depth):
    residual, plain = create_model(f"resnet{depth}"), create_model(f"plain{depth}")
    shapes = {key: value.shape for key, value in residual.state_dict().items()}
    assert shapes == {key: value.shape for key, value in plain.state_dict().items()}
    # Layers with weights: every convolution and the fully connected one.
    layers = [m for m in plain.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == depth


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


def test_resnet20_with_option_b():
    # Two projections, 16 x 32 and 32 x 64 weights, and a BatchNorm of 32 and 64 channels.
    extra = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    assert count(on_meta("resnet20", shortcut="B")) == PUBLISHED["resnet20"] + extra == 272_474


@pytest.mark.parametrize(("shortcut", "why"), [(None, "nothing left"), ("A", "zero for ever")])
@pytest.mark.parametrize("preactivation", [False, True])
def test_only_with_option_b_may_blocks_begin_as_their_shortcuts(shortcut, why, preactivation):
    with pytest.raises(ValueError, match=rf"needs shortcut='B', not {shortcut!r}: .*{why}"):
        ResNet(cifar(20), 10, 3, shortcut, preactivation, zero_init_residual=True)


@pytest.mark.parametrize("depth", [2, 18, 21])
def test_impossible_depth(depth):
    with pytest.raises(ValueError, match=rf"6 n \+ 2.*not {depth}"):
        cifar(depth)


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


# ---- LeNet-5 as published ------------------------------------------------------------------


def test_lenet_of_1998_has_the_published_layers():
    # Trainable parameters, map size, connections: section II.B of the paper, which gives 340,908
    # connections in all. A subsampling unit has four inputs and a bias.
    model = create_model("lenet5_1998")
    sizes = {}
    for key, layer in model.named_children():
        layer.register_forward_hook(lambda _, __, out, key=key: sizes.update({key: out.shape[1:]}))
    model(torch.zeros(1, 1, 32, 32))
    counts = {key: count(layer) for key, layer in model.named_children()}
    published = {"c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164}
    assert counts == published | {"output": 0}
    assert {key: tuple(size) for key, size in sizes.items()} == {
        "c1": (6, 28, 28), "s2": (6, 14, 14), "c3": (16, 10, 10), "s4": (16, 5, 5),
        "c5": (120, 1, 1), "f6": (84,), "output": (10,),
    }  # fmt: skip
    connections = {key: n * sizes[key][1:].numel() for key, n in counts.items()}
    for key in ("s2", "s4"):
        connections[key] = 5 * sizes[key].numel()
    connections["output"] = 10 * 84
    assert sum(connections.values()) == 340_908


def test_table_of_c3():
    # The paper's words: the first six take three neighbours, the next six four, around the ring;
    # the next three four with gaps, and the last one all. And each map is seen by ten.
    rings = [sorted((i + j) % 6 for j in range(n)) for n in (3, 4) for i in range(6)]
    assert [list(maps) for maps in C3_TABLE[:12]] == rings
    for maps in C3_TABLE[12:15]:
        steps = sorted((b - a) % 6 for a, b in zip(maps, maps[1:] + maps[:1], strict=True))
        assert steps == [1, 1, 2, 2]
    assert C3_TABLE[15] == (0, 1, 2, 3, 4, 5)
    assert len(set(C3_TABLE)) == 16
    assert [sum(i in maps for maps in C3_TABLE) for i in range(6)] == [10] * 6


def lenet_by_hand(state, x):
    """LeNet-5 of 1998 for one picture, from the paper and a state dict: maps summed one by one."""

    def squash(a):
        return 1.7159 * np.tanh(2 / 3 * a)

    def convolve(maps, kernels):
        return sum(signal.correlate2d(m, k, "valid") for m, k in zip(maps, kernels, strict=True))

    def subsample(maps, key):
        sums = [m.reshape(len(m) // 2, 2, -1, 2).sum(axis=(1, 3)) for m in maps]
        pairs = zip(sums, state[f"{key}.weight"], state[f"{key}.bias"], strict=True)
        return [squash(w * total + b) for total, w, b in pairs]

    pairs = zip(state["c1.weight"], state["c1.bias"], strict=True)
    s2 = subsample([squash(convolve(x, w) + b) for w, b in pairs], "s2")
    kernels, c3 = iter(state["c3.weight"]), []
    for sources, bias in zip(C3_TABLE, state["c3.bias"], strict=True):
        seen = [s2[i] for i in sources]
        c3.append(squash(convolve(seen, [next(kernels) for _ in seen]) + bias))
    s4 = subsample(c3, "s4")
    pairs = zip(state["c5.weight"], state["c5.bias"], strict=True)
    c5 = np.array([squash(convolve(s4, w) + b) for w, b in pairs]).ravel()
    f6 = squash(state["f6.weight"] @ c5 + state["f6.bias"])
    return [-sum((f6 - code) ** 2) for code in state["output.codes"]]


def test_lenet_of_1998_equals_the_paper_written_out():
    model = build("lenet5_1998").double()
    x = pictures("lenet5_1998", n=2, dtype=torch.float64)
    state = {key: value.numpy() for key, value in model.state_dict().items()}
    expected = [lenet_by_hand(state, picture.numpy()) for picture in x]
    np.testing.assert_allclose(model(x).detach().numpy(), expected, rtol=1e-10)


def test_subsampling_by_hand():
    layer = Subsampling(1)
    nn.init.constant_(layer.weight, 0.25)
    nn.init.constant_(layer.bias, 0.5)
    # (1 + 2 + 3 - 4) / 4 + 1/2 = 1, and the scaled tanh is 1 at 1, to four digits.
    x = torch.tensor([[[[1.0, 2.0], [3.0, -4.0]]]])
    assert layer(x).item() == pytest.approx(1, abs=1e-4)


def test_partial_convolution_sees_only_its_maps():
    layer = PartialConv2d(3, [(0, 2), (1,)], kernel_size=1)
    nn.init.constant_(layer.weight, 1.0)
    x = torch.tensor([10.0, 200.0, 3000.0]).reshape(1, 3, 1, 1)
    assert layer(x).flatten().tolist() == [3010.0, 200.0]


def test_codes_are_drawings_of_ten_digits():
    codes = digit_codes()
    assert codes.shape == (10, 7 * 12)
    assert set(codes.flatten().tolist()) == {-1.0, 1.0}
    differing = (codes[:, None] != codes).sum(dim=2) + 84 * torch.eye(10)
    assert differing.min() >= 10
    zero, one, *_, eight, _ = codes.reshape(10, 12, 7)
    for symmetric in (zero, eight):
        assert torch.equal(symmetric, symmetric.flip(1))
    assert (one[1:11, 3:5] == 1).all()
    with pytest.raises(ValueError, match=r"at most 10, not 11.*lenet5 takes any"):
        create_model("lenet5_1998", num_classes=11)


def test_an_answer_equal_to_a_code_is_certain():
    model = create_model("lenet5_1998")
    distances = model.output(digit_codes())
    assert (distances.diagonal() == 0).all()
    # Where two codes of +1 and -1 differ, the squared difference is 4.
    assert distances[3, 8].item() == 4 * (digit_codes()[3] != digit_codes()[8]).sum()


def test_weights_of_1998_are_drawn_as_in_the_paper():
    model = build("lenet5_1998")
    inputs = {"c1": 25, "c5": 400, "f6": 120}
    for key, fan_in in inputs.items():
        weights = model.get_submodule(key).weight.detach().flatten().numpy()
        limit = 2.4 / fan_in
        assert stats.kstest(weights, "uniform", (-limit, 2 * limit)).pvalue > 1e-4
    start = 0
    for maps in C3_TABLE:
        limit = 2.4 / (25 * len(maps))
        weights = model.c3.weight[start : start + len(maps)].abs()
        assert 0.9 * limit < weights.max() <= limit
        start += len(maps)
    assert model.s2.weight.abs().max() <= 0.6
