"""What the checks on training say of mistakes that no formula makes."""

from __future__ import annotations

import numpy as np
import torch
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
