"""What the checks on training say of mistakes that no formula makes."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from zoo import diagnosis

from cnnlib.exercises import training


def test_a_sum_that_lost_its_axis_gets_a_hint():
    verdict = training.check_softmax(lambda z: np.exp(z) / np.exp(z).sum(axis=1))
    assert "raised ValueError" in verdict.message
    assert verdict.message.endswith("has the shape (N, 1).")


def test_naive_logsumexp_overflows_too():
    def student(z, labels):
        return (torch.tensor(z).exp().sum(1).log() - torch.tensor(z)[range(len(z)), labels]).mean()

    check = training.check_cross_entropy
    assert diagnosis(check, check(student)) == training.EXPONENTIALS_OVERFLOW


def test_a_step_in_place_is_noticed():
    def in_place(w, grad, velocity, lr, momentum):
        velocity *= momentum
        velocity += grad
        w -= lr * velocity
        return w, velocity

    assert "changes its argument w" in training.check_sgd_step(in_place).message


def test_nesterov_and_plain_are_torchs():
    """The sentence on Nesterov's step names what torch calls so."""
    setting = training.check_sgd_step.settings[1]
    w, grad, velocity, lr, momentum = setting
    weight = torch.nn.Parameter(torch.tensor(w))
    weight.grad = torch.tensor(grad)
    optimizer = torch.optim.SGD([weight], lr=lr, momentum=momentum, nesterov=True)
    optimizer.state[weight]["momentum_buffer"] = torch.tensor(velocity)
    optimizer.step()
    [mistake] = [f for name, f in training.check_sgd_step.diagnoses.items() if "Nesterov" in name]
    assert np.allclose(mistake(*setting)[0], weight.detach())


def test_a_gamma_along_the_wrong_axis_gets_a_hint():
    def student(x, gamma, beta, eps):
        return gamma * (x - x.mean()) + beta

    assert training.check_batch_norm(student).message.endswith("`gamma.reshape(1, -1, 1, 1)`.")


def test_a_scale_along_the_columns_gets_a_hint():
    def student(weight, bias, gamma, beta, mean, variance, eps):
        scale = gamma / np.sqrt(variance + eps)
        return weight * scale, beta + scale * (bias - mean)

    assert training.check_fold_batch_norm(student).message.endswith("`scale.reshape(-1, 1, 1, 1)`.")


def test_the_folded_convolution_gives_what_the_two_layers_give():
    """The answer that the check calls right is asked of torch's two layers, picture by picture."""
    for setting in training.check_fold_batch_norm.settings:
        weight, bias, gamma, beta, mean, variance = map(torch.tensor, setting[:-1])
        x = torch.randn(
            2, weight.shape[1], 5, 5, generator=torch.Generator().manual_seed(0)
        ).double()
        after = F.batch_norm(
            F.conv2d(x, weight, bias), mean, variance, gamma, beta, eps=setting[-1]
        )
        folded = map(torch.tensor, training.check_fold_batch_norm.right(*setting))
        assert torch.allclose(F.conv2d(x, *folded), after)
