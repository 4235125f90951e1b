"""The checks on networks give the counts of the real ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from students_inception import counted

from cnnlib.exercises import inception, networks
from cnnlib.models import create_model
from cnnlib.models.lenet import C3_TABLE, scaled_tanh


@pytest.mark.parametrize(("in_channels", "num_classes"), [(1, 10), (3, 7)])
def test_the_counts_are_the_taught_networks(in_channels, num_classes):
    model = create_model("lenet5", num_classes=num_classes, in_channels=in_channels)
    counts = [sum(p.numel() for p in layer.parameters()) for layer in model.children()]
    assert networks.check_lenet_parameters.right(in_channels, num_classes, 32) == counts


def test_subsampling_by_hand_on_one_window():
    x = np.array([[[1.0, 2.0], [3.0, -4.0]]])  # the sum is 2
    y = networks.check_subsample.right(x, np.array([0.5]), np.array([-1.0]))  # 0.5 * 2 - 1 = 0
    assert y.shape == (1, 1, 1)
    assert y.item() == 0
    y = networks.check_subsample.right(x, np.array([0.5]), np.array([0.5]))
    assert y.item() == pytest.approx(scaled_tanh(torch.tensor(1.5)).item(), abs=1e-6)


def test_the_papers_table_leaves_60_of_96_kernels():
    table = np.array([[int(c in seen) for c in range(6)] for seen in C3_TABLE])
    maps = networks.check_partial_connections.right(
        np.ones((6, 5, 5)), np.ones((16, 6, 5, 5)), table
    )
    assert maps.sum() == 60 * 25


def test_the_counts_are_those_of_the_real_networks():
    with torch.device("meta"):
        vgg11, googlenet = create_model("vgg11"), create_model("googlenet")
    counts, channels = (1, 1, 2, 2, 2), (64, 128, 256, 512, 512)
    assert inception.check_vgg_parameters.right(3, counts, channels) == counted(vgg11.features)
    widths = (384, 192, 384, 48, 128, 128)
    given = inception.check_inception_channels.right(832, widths)
    assert given == googlenet.fc.in_features
