"""A model's table, against hand-worked numbers, torch's own counter and input gradients."""

from __future__ import annotations

import random
import re
from xml.etree import ElementTree

import pytest
import torch
import torch.nn.functional as F
import torchvision
from small_models import Apply
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.googlenet import Inception

from cnnlib import arithmetic
from cnnlib.models import create_model, list_models
from cnnlib.models.resnet import ResNet
from cnnlib.models.simple import SimpleResNet
from cnnlib.summary import summary


def on_meta(name, **options):
    with torch.device("meta"):
        return getattr(torchvision.models, name)(weights=None, **options)


def named(table, name):
    return [row for row in table.rows if row.name == name]


# --- Hand-worked numbers ----------------------------------------------------------------------


def test_lenet5_by_hand():
    table = summary(create_model("lenet5"), (1, 32, 32))
    found = [
        (row.name, row.kernel_size, row.output_shape, row.parameters, row.macs, row.memory)
        for row in table.rows
    ]
    assert found == [
        ("conv1", (5, 5), (1, 6, 28, 28), 6 * 25 + 6, 6 * 25 * 28 * 28, 4 * 6 * 28 * 28),
        ("conv2", (5, 5), (1, 16, 10, 10), 2416, 16 * 6 * 25 * 100, 4 * 1600),
        ("fc1", None, (1, 120), 48_120, 400 * 120, 480),
        ("fc2", None, (1, 84), 10_164, 120 * 84, 336),
        ("fc3", None, (1, 10), 850, 840, 40),
    ]
    # Between the convolutions lies a pooling 2x2: 5 + 1 pixels, two apart, then four steps more.
    assert [row.receptive_field for row in table.rows] == [(5, 5), (14, 14), "all", "all", "all"]
    assert [row.jump for row in table.rows] == [(1, 1), (2, 2), None, None, None]
    assert table.parameters == table.trainable_parameters == 61_706
    assert table.macs == 117_600 + 240_000 + 48_000 + 10_080 + 840
    assert table.memory == 18_816 + 6_400 + 480 + 336 + 40


def test_the_text_of_two_layers():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    assert str(summary(model, (1, 4, 4))).splitlines() == [
        "Sequential on an input of (1, 1, 4, 4)",
        "layer  type     kernel  output        parameters  MACs  memory  field",
        "---------------------------------------------------------------------",
        "0      Conv2d   3×3     (1, 2, 2, 2)          20    72    32 B      3",
        "1      Flatten          (1, 8)                 0     0     0 B      3",
        "2      Linear           (1, 3)                27    24    12 B    all",
        "---------------------------------------------------------------------",
        "total                                         47    96    44 B",
    ]


def test_layers_are_nested_and_containers_sum():
    stage = nn.Sequential(nn.Conv2d(1, 4, (3, 5), stride=2), nn.ReLU())
    text = str(summary(nn.Sequential(nn.Sequential(stage), nn.MaxPool2d(2)), (2, 1, 9, 9)))
    # (9 - 3) / 2 + 1 = 4 rows, (9 - 5) / 2 + 1 = 3 columns; 2 * 4 * 4 * 3 numbers of 4 bytes.
    assert text.splitlines()[3:8] == [
        "0      Sequential          (2, 4, 4, 3)          64  1,440   768 B    3×5",
        "  0    Sequential          (2, 4, 4, 3)          64  1,440   768 B    3×5",
        "    0  Conv2d      3×5 /2  (2, 4, 4, 3)          64  1,440   384 B    3×5",
        "    1  ReLU                (2, 4, 4, 3)           0      0   384 B    3×5",
        "1      MaxPool2d   2×2 /2  (2, 4, 2, 1)           0      0    64 B    5×7",
    ]


@pytest.mark.parametrize(
    ("layer", "macs"),
    [
        (nn.Conv2d(4, 6, 3, groups=2), arithmetic.conv_macs(4, 6, 3, 10, groups=2)),
        (nn.Conv2d(4, 8, 3, dilation=2), arithmetic.conv_macs(4, 8, 3, 8)),
        (nn.Conv2d(4, 4, (1, 5), stride=3), arithmetic.conv_macs(4, 4, (1, 5), (4, 3))),
        # Each of 12x12 pixels in 4 channels is spread over a kernel of 2x2 in 6 channels.
        (nn.ConvTranspose2d(4, 6, 2, stride=2), 144 * 4 * 4 * 6),
        (nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2), 144 * 4 * 4 * 3),
        (nn.Sequential(nn.Flatten(2), nn.Conv1d(4, 5, 7)), (144 - 6) * 4 * 5 * 7),
        (nn.Sequential(nn.Flatten(), nn.Linear(576, 3, bias=False)), 576 * 3),
        (nn.Linear(12, 5), 4 * 12 * 12 * 5),
        (nn.BatchNorm2d(4), 0),
        (nn.AvgPool2d(2), 0),
    ],
)
def test_macs_of_a_layer(layer, macs):
    assert summary(layer, (4, 12, 12)).macs == macs
    assert summary(layer, (3, 4, 12, 12)).macs == 3 * macs


def test_macs_of_a_function_belong_to_the_layer_that_calls_it():
    weight = nn.Parameter(torch.ones(2, 1, 3, 3))
    inner = Apply(lambda self, x: F.conv2d(x, self.weight), weight=weight)
    table = summary(nn.Sequential(inner, nn.ReLU()), (1, 4, 4))
    assert [row.macs for row in table.rows] == [2 * 9 * 4, 0]
    assert [row.parameters for row in table.rows] == [18, 0]


@pytest.mark.parametrize(
    ("layer", "memory"),
    [
        (nn.ReLU(), 4 * 48),
        (nn.ReLU(inplace=True), 0),
        (nn.Dropout(), 4 * 48),
        (nn.Identity(), 0),
        (nn.Flatten(), 0),
        (nn.Sequential(), 0),
        (nn.MaxPool2d(2), 4 * 12),
        (nn.MaxPool2d(2, return_indices=True), 4 * 12 + 8 * 12),
        (nn.BatchNorm2d(3).double(), 8 * 48),
        (nn.Conv2d(3, 1, 1).bfloat16(), 2 * 16),
    ],
)
def test_memory_of_a_layer(layer, memory):
    assert summary(layer, (3, 4, 4)).memory == memory
    assert summary(layer, (5, 3, 4, 4)).memory == 5 * memory


def test_units_of_memory():
    layers = [nn.ConstantPad2d((0, n), 0.0) for n in (255, 1, 1024 * 1024 - 257, 1024**2 * 255)]
    with torch.device("meta"):
        table = summary(nn.Sequential(*layers, nn.Conv2d(1, 1, 1)), (1, 1, 1))
    memory = [line.split()[-2:] for line in str(table).splitlines()[3:7]]
    assert [row.memory for row in table.rows[:4]] == [1024, 1028, 4 * 1024**2, 1024**3]
    assert len(memory) == 4
    for text in ("1.0 KiB", "4.0 MiB", "1.0 GiB"):
        assert f" {text} " in str(table)


# --- Published numbers and torch's own counter -----------------------------------------------


@pytest.mark.parametrize(
    ("name", "weights", "options"),
    [
        ("alexnet", "AlexNet_Weights", {}),
        ("vgg16", "VGG16_Weights", {}),
        ("vgg19_bn", "VGG19_BN_Weights", {}),
        ("resnet18", "ResNet18_Weights", {}),
        ("resnet50", "ResNet50_Weights", {}),
        ("mobilenet_v2", "MobileNet_V2_Weights", {}),
        ("densenet121", "DenseNet121_Weights", {}),
        ("shufflenet_v2_x1_0", "ShuffleNet_V2_X1_0_Weights", {}),
        ("googlenet", "GoogLeNet_Weights", {"aux_logits": False, "init_weights": False}),
    ],
)
def test_totals_are_those_that_torchvision_publishes(name, weights, options):
    table = summary(on_meta(name, **options), (3, 224, 224))
    published = getattr(torchvision.models, weights).IMAGENET1K_V1.meta
    assert table.parameters == published["num_params"]
    assert round(table.macs / 1e9, 3) == published["_ops"]  # which counts a MAC as one


#: What those networks take that do not take any size.
FIXED = {"lenet5": (1, 32, 32), "lenet5_1998": (1, 32, 32), "simple_cnn": (3, 64, 64)}


@pytest.mark.parametrize("name", list_models())
def test_the_book_s_networks_agree_with_the_flop_counter(name):
    size = FIXED.get(name, (3, 96, 80))
    with torch.device("meta"):
        model = create_model(name)
    agrees_with_the_flop_counter(model, size)
    agrees_with_the_flop_counter(model, (5, *size))
    table = summary(model, size)
    assert table.parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", ["squeezenet1_1", "convnext_tiny", "mobilenet_v3_small"])
def test_torchvision_s_networks_agree_with_the_flop_counter(name):
    agrees_with_the_flop_counter(on_meta(name), (3, 65, 97))


def agrees_with_the_flop_counter(model, size):
    device = next(model.parameters()).device
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model.eval()(torch.zeros(size if len(size) == 4 else (1, *size), device=device))
    table = summary(model, size)
    assert 2 * table.macs == counter.get_total_flops()
    assert table.macs == sum(row.macs for row in table.rows if row.depth == 0)
    for name, counts in counter.get_flop_counts().items():
        rows = named(table, name.partition(".")[2])  # the counter's names begin with the class
        assert not rows or 2 * sum(row.macs for row in rows) == sum(counts.values())


# --- Layers used twice, or not at all ---------------------------------------------------------


def test_a_layer_used_twice_has_two_rows_and_its_parameters_once():
    conv = nn.Conv2d(2, 2, 3, padding=1)
    table = summary(nn.Sequential(conv, nn.ReLU(), conv), (2, 5, 5))
    assert [row.name for row in table.rows] == ["0", "1", "0"]
    assert [row.parameters for row in table.rows] == [38, 0, 0]
    assert [row.macs for row in table.rows] == [900, 0, 900]
    assert [row.receptive_field for row in table.rows] == [(3, 3), (3, 3), (5, 5)]
    assert (table.parameters, table.macs) == (38, 1800)


def test_a_shared_weight_counts_once():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    table = summary(model, (2, 3, 4))
    assert [row.parameters for row in table.rows] == [20, 4]
    assert table.parameters == 24


def test_a_container_called_twice():
    body = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, bias=False))
    model = Apply(lambda self, x: self.body(self.body(x)), body=body)
    table = summary(model, (1, 4, 4))
    assert [(r.name, r.depth, r.parameters, r.macs) for r in table.rows] == [
        ("body", 0, 9, 144),
        ("body.0", 1, 9, 144),
        ("body", 0, 0, 144),
        ("body.0", 1, 0, 144),
    ]


def test_rows_stand_in_the_order_of_the_calls():
    model = Apply(
        lambda self, x: self.second(self.first(x)), second=nn.Sigmoid(), first=nn.Conv2d(1, 1, 1)
    )
    assert [row.name for row in summary(model, (1, 2, 2)).rows] == ["first", "second"]


def test_layers_that_do_not_run_keep_their_parameters():
    model = on_meta("googlenet", init_weights=False)
    table = summary(model.train(), (3, 224, 224))
    assert table.parameters == 13_004_888
    idle = [row for row in table.rows if row.output_shape is None]
    assert [row.name for row in idle] == ["aux1", "aux2"]
    assert sum(row.parameters for row in idle) == 13_004_888 - 6_624_904
    assert sum(row.parameters for row in table.rows if row.depth == 0) == 13_004_888
    (line,) = (line for line in str(table).splitlines() if line.startswith("aux1"))
    assert " not run " in line


def test_the_layers_of_a_list_carry_its_name():
    layers = nn.ModuleList([nn.Conv2d(1, 1, 1), nn.ReLU(), nn.Conv2d(1, 7, 1)])
    model = Apply(lambda self, x: self.steps[1](self.steps[0](x)), steps=layers)
    table = summary(model, (1, 2, 2))
    assert [(row.name, row.parameters) for row in table.rows] == [
        ("steps.0", 2),
        ("steps.1", 0),
        ("steps.2", 14),
    ]
    lines = str(table).splitlines()[3:6]
    assert [line.split()[0] for line in lines] == ["steps.0", "steps.1", "steps.2"]
    assert "not run" in lines[2]


def test_frozen_parameters_are_told_apart():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 1, 1))
    model[0].requires_grad_(False)
    table = summary(model, (1, 4, 4))
    assert (table.parameters, table.trainable_parameters) == (23, 3)


# --- Receptive fields -------------------------------------------------------------------------


def random_layer(draw):
    kernel, stride, dilation = draw.randint(1, 4), draw.randint(1, 2), draw.randint(1, 2)
    if draw.random() < 0.3:
        padding = draw.randint(0, kernel // 2)
        layer = draw.choice(
            [nn.MaxPool2d(kernel, stride, padding), nn.AvgPool2d(kernel, stride, padding)]
        )
        return layer, arithmetic.Layer(kernel, stride, padding)
    if draw.random() < 0.3:
        kernel = 2 * kernel - 1  # torch warns of even ones
        layer = nn.Conv2d(1, 1, kernel, padding="same", dilation=dilation)
        return layer, arithmetic.Layer(kernel, padding="same", dilation=dilation)
    padding = draw.randint(0, 3)
    layer = nn.Conv2d(1, 1, kernel, stride, padding, dilation)
    return layer, arithmetic.Layer(kernel, stride, padding, dilation)


def test_stacks_of_layers_have_the_field_of_the_arithmetic():
    draw = random.Random(0)
    for _ in range(60):
        layers, geometry = zip(
            *(random_layer(draw) for _ in range(draw.randint(1, 5))), strict=True
        )
        with torch.device("meta"):
            table = summary(nn.Sequential(*layers).to("meta"), (1, 200, 200))
        for depth, row in enumerate(table.rows, start=1):
            expected = arithmetic.receptive_field(geometry[:depth])
            assert row.receptive_field == (expected.size,) * 2
            assert row.jump == (expected.jump,) * 2


def measured_fields(model, names, size, draws):
    """Return how many rows and columns of the input move the middle of each layer's output.

    All weights and inputs are positive, so that no two paths cancel. Where a maximum lets one
    pixel through, several random inputs together show them all.
    """
    model = model.double().eval()
    for parameter in model.parameters():
        nn.init.uniform_(parameter, 0.5, 1.5)
    outputs = {}
    handles = [
        model.get_submodule(name).register_forward_hook(
            lambda module, args, out, name=name: outputs.update({name: out})
        )
        for name in names
    ]
    moved = {name: torch.zeros(size[1:], dtype=torch.bool) for name in names}
    for _ in range(draws):
        x = torch.rand(1, *size, dtype=torch.double, requires_grad=True)
        model(x)
        for name, out in outputs.items():
            middle = out[..., out.shape[2] // 2, out.shape[3] // 2].sum()
            (gradient,) = torch.autograd.grad(middle, x, retain_graph=True)
            moved[name] |= gradient[0].sum(0) != 0
    for handle in handles:
        handle.remove()
    return {
        name: tuple(int(axis.max() - axis.min() + 1) for axis in pixels.nonzero().T)
        for name, pixels in moved.items()
    }


def option_a_by_slices(self, x):
    short = F.pad(x[:, :, 1::2, ::2], (0, 0, 0, 0, 1, 0))
    return self.last(F.relu(self.conv(x)) + short)


def shifted_paths(self, x):
    """Two paths that look to different sides: the field is what both see, not the larger one."""
    left, right = F.pad(x, (2, 0, 0, 0)), F.pad(x, (0, 2, 0, 1))[:, :, 1:]
    return self.last(self.conv(left) + self.conv(right))


SMALL = {
    "functional pooling": (create_model("lenet5"), ["conv1", "conv2"], (1, 32, 32)),
    "padding of Keras": (
        create_model("simple_resnet"),
        ["conv1", "blocks.1", "blocks.2.shortcut", "blocks.2", "blocks.3.conv1"],
        (3, 45, 46),
    ),
    "option A": (create_model("resnet20"), ["layer1", "layer2.0", "layer2"], (3, 64, 72)),
    "the last stage": (create_model("resnet20"), ["layer3.1.bn2"], (3, 144, 144)),
    "Inception": (
        nn.Sequential(nn.Conv2d(3, 8, 3, 2), Inception(8, 2, 2, 2, 2, 2, 2), nn.AvgPool2d(3, 2)),
        ["0", "1.branch1", "1.branch3", "1.branch4.0", "1", "2"],
        (3, 41, 43),
    ),
    "torchvision's ResNet": (
        torchvision.models.ResNet(
            torchvision.models.resnet.Bottleneck, [1, 1, 1, 1], width_per_group=4
        ),
        ["maxpool", "layer1", "layer2.0.downsample", "layer2.0"],
        (3, 65, 65),
    ),
    "DenseNet": (
        torchvision.models.DenseNet(4, (2, 2), 8, bn_size=2),
        ["features.denseblock1", "features.transition1", "features.denseblock2.denselayer2"],
        (3, 161, 161),
    ),
    "slices": (
        Apply(option_a_by_slices, conv=nn.Conv2d(1, 2, 3, 2, padding=1), last=nn.Conv2d(2, 1, 3)),
        ["conv", "last"],
        (1, 20, 20),
    ),
    "two sides": (
        Apply(shifted_paths, conv=nn.Conv2d(1, 1, (1, 3)), last=nn.Identity()),
        ["last"],
        (1, 14, 14),
    ),
    "wide and low": (
        nn.Sequential(nn.Conv2d(1, 1, (1, 7)), nn.Conv2d(1, 1, (3, 1), (2, 1)), nn.Conv2d(1, 1, 2)),
        ["0", "1", "2"],
        (1, 20, 20),
    ),
    "channels shuffled": (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ChannelShuffle(2), nn.Conv2d(4, 4, 3, groups=4)),
        ["2"],
        (3, 12, 12),
    ),
    "adaptive pooling": (
        nn.Sequential(nn.Conv2d(1, 1, 3), nn.AdaptiveMaxPool2d(6), nn.AdaptiveAvgPool2d((3, 6))),
        ["1", "2"],
        (1, 20, 26),
    ),
}


@pytest.mark.parametrize(("model", "names", "size"), SMALL.values(), ids=SMALL)
def test_the_field_is_what_moves_the_output(model, names, size):
    torch.manual_seed(0)
    rows = {row.name: row.receptive_field for row in summary(model, size).rows}
    draws = 1 if isinstance(model, ResNet | SimpleResNet) else 20  # those have no maximum
    assert {name: rows[name] for name in names} == measured_fields(model, names, size, draws)


def test_the_fields_of_large_networks():
    # Each stage of VGG: 3x3 kernels widen by 2 jumps each, the pooling by one, and it doubles it.
    vgg = summary(on_meta("vgg16"), (3, 224, 224))
    pools = [row.receptive_field for row in vgg.rows if row.type == "MaxPool2d"]
    assert pools == [(6, 6), (16, 16), (44, 44), (100, 100), (212, 212)]
    # ResNet-18: 7, the pooling + 2 * 2 = 11, then each block + 2 * 2 jumps of its 3x3 kernels,
    # the first of a stage with a stride between them: 4 * 8 = 32 to 43; 8 + 16 + 32 = 56 to 99;
    # 112 to 211; 224 to 435.
    resnet = summary(on_meta("resnet18"), (3, 224, 224))
    stages = [named(resnet, f"layer{n}")[0] for n in (1, 2, 3, 4)]
    assert [row.receptive_field[0] for row in stages] == [43, 99, 211, 435]
    assert [row.jump for row in stages] == [(4, 4), (8, 8), (16, 16), (32, 32)]


WHOLE = {
    "mean": lambda self, x: x.mean(dim=(2, 3)),
    "mean of all": lambda self, x: x.mean(),
    "maximum": lambda self, x: x.amax(dim=(-1, -2), keepdim=True),
    "adaptive": lambda self, x: F.adaptive_avg_pool2d(x, 1),
    "linear": lambda self, x: self.fc(x.flatten(1)),
    "linear by hand": lambda self, x: x.flatten(1) @ self.fc.weight.T,
    "gate": lambda self, x: x * torch.sigmoid(x.mean(dim=(2, 3), keepdim=True)),
    "after": lambda self, x: x.mean(dim=(2, 3), keepdim=True)[:, 0],
}
UNKNOWN = {
    "transposed": lambda self, x: F.conv_transpose2d(x, torch.ones(1, 1, 2, 2), stride=2),
    "upsampling": lambda self, x: F.interpolate(x, scale_factor=2),
    "one axis": lambda self, x: x.mean(dim=3),
    "uneven windows": lambda self, x: F.adaptive_avg_pool2d(x, 4),
    "along the rows": lambda self, x: x @ torch.ones(6, 2),
    "flattened, then a convolution": lambda self, x: F.conv1d(x.flatten(2), torch.ones(1, 1, 3)),
    "two grids": lambda self, x: x + F.max_pool2d(x, 6),
    "not from the input": lambda self, x: torch.ones(1, 2, 3, 3),
}
KEPT = {
    "channels": lambda self, x: x.mean(dim=1),
    "functions": lambda self, x: F.gelu(x).clamp(0, 6).transpose(0, 1) * 2,
    "flattened": lambda self, x: F.relu(x.flatten(1)),
    "normalised": lambda self, x: F.group_norm(x, 1),
}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        *((function, "all") for function in WHOLE.values()),
        *((function, None) for function in UNKNOWN.values()),
        *((function, (3, 3)) for function in KEPT.values()),
    ],
    ids=[*WHOLE, *UNKNOWN, *KEPT],
)
def test_functions_between_layers(function, expected):
    model = nn.Sequential(nn.Conv2d(1, 1, 3), Apply(function, fc=nn.Linear(36, 2)))
    table = summary(model, (1, 8, 8))
    (row,) = named(table, "1")
    assert row.receptive_field == expected
    if expected is None:
        assert named(summary(nn.Sequential(model), (1, 8, 8)), "0")[0].receptive_field is None
        assert any(line.endswith("?") for line in str(table).splitlines())


# --- The model is left as it was --------------------------------------------------------------


class Restless(nn.Module):
    """Changes whatever it can, in eval mode too."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)
        self.drop = nn.Dropout2d()
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("last", torch.zeros(2))

    def train(self, mode=True):
        raise AssertionError("a model's own train() may change more than the mode")

    def forward(self, x):
        self.calls += 1
        self.last = x.new_ones(2)
        out = F.dropout(self.drop(self.norm(self.conv(x))), training=True)
        return (
            out
            + torch.randn(1)
            + F.batch_norm(out, self.norm.running_mean, self.norm.running_var, training=True)
        )


def hooks(model):
    kinds = [name for name in vars(nn.Module()) if "hooks" in name]
    assert "_forward_pre_hooks_with_kwargs" in kinds
    return [dict(getattr(module, kind)) for module in model.modules() for kind in kinds]


@pytest.mark.parametrize("size", [(1, 8, 8), (1, 2, 2)], ids=["runs", "fails"])
def test_nothing_is_changed(size):
    model = Restless()
    model.norm.training = False
    model.conv.weight.grad = torch.full_like(model.conv.weight, 3.0)
    model.conv.register_forward_hook(print)
    model.conv._forward_hooks.clear()
    model.norm.register_forward_hook(lambda module, args, out: None)
    state = {key: (value, value.clone()) for key, value in model.state_dict(keep_vars=True).items()}
    before, generator = hooks(model), torch.get_rng_state()
    if size == (1, 8, 8):
        assert summary(model, size).macs == 36 * 18
    else:
        with pytest.raises(ValueError, match="'conv'"):
            summary(model, size)
    assert hooks(model) == before
    assert torch.equal(torch.get_rng_state(), generator)
    assert [m.training for m in model.modules()] == [True, True, False, True]
    assert model.conv.weight.grad.eq(3).all()
    assert model.conv.weight.requires_grad
    for key, value in model.state_dict(keep_vars=True).items():
        assert value is state[key][0], key
        assert torch.equal(value, state[key][1]), key


def test_it_runs_in_eval_mode_without_gradients():
    seen = []
    model = Apply(
        lambda self, x: (
            seen.append((self.training, torch.is_grad_enabled(), x.dtype)) or self.fc(x)
        ),
        fc=nn.Linear(4, 2).bfloat16(),
    )
    summary(model.train(), (1, 1, 4))
    assert seen == [(False, False, torch.bfloat16)]


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_the_caller_s_context_does_not_matter(context):
    with context():
        table = summary(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3)), (1, 4, 4))
    assert (table.macs, table.rows[0].receptive_field) == (96, (3, 3))


def test_a_compiled_model_has_the_same_layers():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    model.compile()
    table = summary(model, (1, 4, 4))
    assert [(row.name, row.macs) for row in table.rows] == [("0", 72), ("1", 0)]


def test_operations_of_the_reader_s_own_hooks_do_no_harm():
    model = nn.Sequential(nn.Conv2d(1, 2, 3))
    model.register_forward_pre_hook(lambda module, args: (args[0] * 2 + 1,))
    assert summary(model, (1, 4, 4)).macs == 72


# --- Errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (32, "(C, H, W) or (N, C, H, W), such as (3, 32, 32), got 32"),
        ((32, 32), "got (32, 32)"),
        ((1, 1, 3, 32, 32), "got (1, 1, 3, 32, 32)"),
        ("abc", "got 'abc'"),
        ((3, 0, 32), "input_size must be at least 1, got 0"),
        ((3, 32.0, 32), "input_size must be a whole number, got 32.0"),
        ((True, 32, 32), "got True"),
    ],
)
def test_a_wrong_input_size_is_refused(size, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        summary(nn.Conv2d(3, 1, 1), size)


@pytest.mark.parametrize("thing", [nn.Conv2d, "resnet18", {"weight": torch.ones(1)}])
def test_what_is_no_model_is_refused(thing):
    with pytest.raises(ValueError, match="build the model first"):
        summary(thing, (3, 8, 8))


def test_lazy_layers_are_refused():
    with pytest.raises(ValueError, match="run it once on a batch"):
        summary(nn.Sequential(nn.LazyConv2d(3, 3)), (3, 8, 8))


@pytest.mark.parametrize(
    ("model", "size", "words"),
    [
        (
            nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3))),
            (1, 8, 8),
            [r"layer '0\.0' \(Conv2d\) received \(1, 1, 8, 8\) and failed: .*3 channels"],
        ),
        (
            nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(100, 2)),
            (2, 3, 8, 8),
            [r"layer '2' \(Linear\) received \(2, 144\) and failed", r"input was \(2, 3, 8, 8\)"],
        ),
        (
            create_model("lenet5"),
            (3, 32, 32),
            [r"the model received \(1, 3, 32, 32\) and failed: expected 1 channels"],
        ),
    ],
)
def test_a_failure_names_the_layer_and_the_shape(model, size, words):
    for word in words:
        with pytest.raises(ValueError, match=word) as failure:
            summary(model, size)
        assert failure.value.__cause__ is not None


def test_a_model_may_survive_the_failure_of_a_layer():
    def forward(self, x):
        try:
            x = self.body(x)
        except RuntimeError:
            x = self.other(x)
        return x

    body = nn.Sequential(nn.Conv2d(5, 1, 1))
    model = nn.Sequential(Apply(forward, body=body, other=nn.Conv2d(1, 2, 3)), nn.ReLU())
    table = summary(model, (1, 4, 4))
    assert named(table, "0.other")[0].macs == 72
    assert [row.output_shape for row in table.rows if row.depth == 0] == [(1, 2, 2, 2)] * 2


# --- Other forms ------------------------------------------------------------------------------


def test_the_html_is_an_accessible_table():
    class Odd(nn.ReLU):
        pass

    Odd.__name__ = "<Odd & co>"
    model = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), Odd()), nn.Flatten(), nn.Linear(8, 3))
    root = ElementTree.fromstring(f"<body>{summary(model, (1, 4, 4))._repr_html_()}</body>")
    table = root.find(".//table")
    assert table.findtext("caption") == "Sequential on an input of (1, 1, 4, 4)"
    assert [th.get("scope") for th in table.findall("thead/tr/th")] == ["col"] * 8
    rows = table.findall("tbody/tr")
    assert [[cell.text or "" for cell in row] for row in rows] == [
        ["0", "Sequential", "", "(1, 2, 2, 2)", "20", "72", "64 B", "3"],
        ["0", "Conv2d", "3×3", "(1, 2, 2, 2)", "20", "72", "32 B", "3"],
        ["1", "<Odd & co>", "", "(1, 2, 2, 2)", "0", "0", "32 B", "3"],
        ["1", "Flatten", "", "(1, 8)", "0", "0", "0 B", "3"],
        ["2", "Linear", "", "(1, 3)", "27", "24", "12 B", "all"],
    ]
    assert {row[0].get("scope") for row in (*rows, *table.findall("tfoot/tr"))} == {"row"}
    indents = [row[0].get("style") for row in rows]
    assert indents[0] == indents[3] != indents[1] == indents[2]
    assert [cell.text or "" for cell in table.find("tfoot/tr")][4:7] == ["47", "96", "76 B"]
    box = root.find("div")
    assert (box.get("role"), box.get("tabindex")) == ("region", "0")


def test_a_row_as_a_dictionary():
    (row,) = summary(nn.Conv2d(1, 2, 3, stride=2), (1, 7, 9)).to_dicts()
    assert row == {
        "name": "",
        "type": "Conv2d",
        "depth": 0,
        "kernel_size": (3, 3),
        "stride": (2, 2),
        "output_shape": (1, 2, 3, 4),
        "parameters": 20,
        "macs": 216,
        "memory": 96,
        "receptive_field": (3, 3),
        "jump": (2, 2),
        "container": False,
    }
