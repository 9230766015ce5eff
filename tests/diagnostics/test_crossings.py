"""Crossings against a hand count: modules, functions, pooling; nothing else touched."""

import copy
import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from nonsmooth.diagnostics._crossings import KinkCounter
from nonsmooth.diagnostics._pieces import Watch
from nonsmooth.errors import InputError
from nonsmooth.networks import activation, vgg


def _move(model, seed=0, size=0.3):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(size * torch.randn(p.shape, generator=generator, dtype=p.dtype))


def test_by_hand_on_one_relu():
    model = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    with torch.no_grad():
        model[0].weight.fill_(1.0), model[0].bias.fill_(0.0)
    kinks = KinkCounter(model, torch.tensor([[-2.0], [-1.0], [1.0], [2.0], [3.0]]))
    with torch.no_grad():
        model[0].bias.fill_(-1.5)  # -3.5 -2.5 -0.5 0.5 1.5: one has changed
    assert dict(kinks.update().by_module) == {"1": 1}
    assert kinks.update().total == 0
    with torch.no_grad():
        model[0].weight.fill_(-1.0)  # 0.5 -0.5 -2.5 -3.5 -4.5: three
    found = kinks.update()
    assert (found.step, found.total, found.of, found.share) == (3, 3, 5, 0.6)


class _Functions(nn.Module):
    """No module for any kink."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 8)
        self.inner = nn.ModuleDict({"c": nn.Linear(8, 4)})

    def forward(self, x):
        first = self.a(x)
        second = self.b(functional.relu(first))
        third = torch.maximum(second, first.abs())
        return functional.hardtanh(self.inner["c"](third)), first, second


def test_functions_against_numpy():
    torch.manual_seed(0)
    model, x = _Functions(), torch.randn(50, 6)
    kinks = KinkCounter(model, x)

    def margins():
        with torch.no_grad():
            _, first, second = model(x)
            third = torch.maximum(second, first.abs())
            last = model.inner["c"](third)
        return [m.numpy() > 0 for m in (first, first, second - first.abs(), last + 1, last - 1)]

    before = margins()
    for seed in range(4):
        _move(model, seed)
        after = margins()
        found = kinks.update()
        assert found.total == sum(int((a != b).sum()) for a, b in zip(before, after, strict=True)) > 0
        assert found.of == sum(a.size for a in after)
        assert set(found.by_module) == {""}
        before = after


def test_every_module_with_kinks_against_its_knots():
    knots = {
        nn.ReLU: (0,),
        nn.LeakyReLU: (0,),
        nn.PReLU: (0,),
        nn.ReLU6: (0, 6),
        nn.Hardtanh: (-1, 1),
        nn.Hardswish: (-3, 3),
        nn.Hardsigmoid: (-3, 3),
        nn.Softshrink: (-0.5, 0.5),
        nn.Hardshrink: (-0.5, 0.5),
        nn.SELU: (0,),
    }
    for kind, places in knots.items():
        torch.manual_seed(0)
        model, x = nn.Sequential(nn.Linear(5, 9), kind(), nn.Linear(9, 2)), 4 * torch.randn(40, 5)
        kinks = KinkCounter(model, x)
        z = model[0](x).detach()
        _move(model, 1)
        moved = model[0](x).detach()
        expected = sum(int(((z > k) != (moved > k)).sum()) for k in places)
        assert dict(kinks.update().by_module) == {"1": expected}, kind
        assert expected > 0


@pytest.mark.parametrize("name", ["gelu", "silu", "elu", "tanh", "smoothed-relu:0.5", "analytic-relu:0.5"])
def test_smooth_activations_have_none(name):
    model = nn.Sequential(nn.Linear(5, 9), activation(name), nn.Linear(9, 2))
    kinks = KinkCounter(model, torch.randn(40, 5))
    _move(model)
    found = kinks.update()
    assert (found.total, found.of, found.share) == (0, 0, 0.0)


def test_pooling_counts_windows_whose_largest_is_another():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Conv2d(1, 3, 3), nn.MaxPool2d(2)), torch.randn(4, 1, 8, 8)
    kinks = KinkCounter(model, x)
    pick = nn.MaxPool2d(2, return_indices=True)
    before = pick(model[0](x))[1]
    _move(model)
    assert dict(kinks.update().by_module) == {"1": int((before != pick(model[0](x))[1]).sum())}


def test_nothing_else_is_touched():
    """Batch norm, dropout's stream, gradients, hooks: a run with it and one without are the same."""
    finals = []
    for watched in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(vgg(11, size=8, channels=1, batch_norm=True), nn.Dropout(0.5))
        x, y = torch.randn(12, 1, 8, 8), torch.randint(0, 10, (12,))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        probe = x[:4].clone()
        kinks = KinkCounter(model, probe, optimizer=optimizer) if watched else None
        if kinks:
            kinks.__enter__()
            probe.zero_()  # it has its own copy
        for _ in range(3):
            optimizer.zero_grad()
            functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        if kinks:
            kinks.__exit__(None, None, None)
            assert [each.step for each in kinks.history] == [1, 2, 3]
            assert kinks.history[-1].total > 0
            optimizer.step()
            assert len(kinks.history) == 3
            continue
        optimizer.step()
        finals.append(copy.deepcopy(model.state_dict()))
    assert all(torch.equal(value, finals[0][key]) for key, value in model.state_dict().items())
    assert not model[0]._forward_pre_hooks


def test_dropout_alone_crosses_nothing():
    model = nn.Sequential(nn.Linear(5, 30), nn.Dropout(0.5), nn.ReLU(), nn.Linear(30, 30), nn.ReLU())
    kinks = KinkCounter(model, torch.randn(20, 5))
    assert kinks.update().total == 0


def test_the_encoder_layer_of_torch_hides_nothing_in_evaluation():
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    kinks = KinkCounter(model, torch.randn(3, 5, 8))
    _move(model)
    assert kinks.update().of == 3 * 5 * 16
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_model_that_changes_its_mind_is_not_compared_with_itself():
    class Fickle(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.wide = nn.Linear(3, 4), False

        def forward(self, x):
            z = functional.relu(self.a(x))
            return functional.relu(z - 1).sum() if self.wide else z.sum()

    model = Fickle()
    kinks = KinkCounter(model, torch.randn(6, 3))
    model.wide = True
    found = kinks.update()
    assert (found.total, found.unmatched) == (0, 1)


def test_probes_of_several_arguments_and_one_that_does_not_fit():
    class Two(nn.Module):
        def forward(self, a, b):
            return functional.relu(a - b)

    a, b = torch.randn(5), torch.randn(5)
    assert KinkCounter(Two(), (a, b)).update().of == 5
    assert KinkCounter(Two(), {"a": a, "b": b}).update().of == 5
    with pytest.raises(InputError, match="the model raises"):
        KinkCounter(nn.Linear(3, 2), torch.ones(2, 4))


def test_the_random_stream_modes_buffers_and_a_live_graph_stay_as_they_are():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 2))
    model[1].eval()  # a mixed mode
    kinks = KinkCounter(model, torch.randn(10, 4))
    modes = [m.training for m in model.modules()]
    objects = dict(model.named_buffers())
    for mode in (False, True):
        model[1].train(mode)
        modes = [m.training for m in model.modules()]
        kept, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
        loss = model(torch.randn(10, 4)).square().mean()
        after, moved = torch.get_rng_state(), copy.deepcopy(model.state_dict())
        kinks.update()
        assert torch.equal(torch.get_rng_state(), after)
        assert not torch.equal(state, after)
        assert all(torch.equal(value, moved[key]) for key, value in model.state_dict().items())
        assert mode != torch.equal(kept["1.running_mean"], moved["1.running_mean"])
        assert [m.training for m in model.modules()] == modes
        assert all(value is objects[key] for key, value in model.named_buffers())
        loss.backward()  # the graph made before the look is still good
    assert all("forward" not in vars(m) for m in model.modules())


def test_everything_comes_back_when_the_model_raises_later():
    class Late(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm, self.act, self.fail = nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), False

        def forward(self, x):
            x = functional.hardtanh(self.act(self.norm(self.first(x))))
            if self.fail:
                raise ValueError("late")
            return x

    model = Late()
    kinks = KinkCounter(model, torch.randn(6, 3))
    kinks.update()
    kept, state, grad = copy.deepcopy(model.state_dict()), torch.get_rng_state(), torch.is_grad_enabled()
    model.fail = True
    with pytest.raises(InputError, match=r"the model raises ValueError \(late\)"):
        kinks.update()
    assert all(torch.equal(value, kept[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert (torch.is_grad_enabled(), torch.backends.mha.get_fastpath_enabled()) == (grad, True)
    assert all("forward" not in vars(m) for m in model.modules())
    model.fail = False
    assert kinks.update().total == 0


def test_under_autocast_the_next_step_still_has_gradients():
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    kinks = KinkCounter(model, torch.randn(10, 4))
    with torch.autocast("cpu", torch.bfloat16):
        kinks.update()
        model(torch.randn(3, 4)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("name", ["modules", "functions"])
def test_the_quick_look_sees_what_the_full_one_sees(name, monkeypatch):
    """Only the first look and each 50th are at every operation, and the counts are the same either way."""
    torch.manual_seed(0)
    model, x = (
        (vgg(11, size=8, channels=1, pooling="max"), torch.randn(6, 1, 8, 8))
        if name == "modules"
        else (_Functions(), torch.randn(20, 6))
    )
    full = []
    whole = Watch._all
    monkeypatch.setattr(Watch, "_all", lambda watch: (full.append(watch), whole(watch))[1])
    quick, slow = KinkCounter(model, x), KinkCounter(model, x)
    for seed in range(4):
        _move(model, seed, 0.05)
        slow._watch._modes = []  # nothing known: looks at everything
        a, b = quick.update(), slow.update()
        assert (dict(a.by_module), a.of) == (dict(b.by_module), b.of)
        assert a.total > 0
    assert [sum(each is k._watch for each in full) for k in (quick, slow)] == [1, 5]


def test_every_second_step_counts_what_differs_between_looks():
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU())
    nn.init.constant_(model[0].weight, 1.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=2.0)
    with KinkCounter(model, torch.ones(3, 1), optimizer=optimizer, every=2) as kinks:
        for _ in range(5):  # the weight goes 1, -1, -3, ...: the kink is crossed in the first step
            model[0].weight.grad = torch.ones(1, 1)
            optimizer.step()
    assert [(each.step, each.total) for each in kinks.history] == [(2, 3), (4, 0)]
    with pytest.raises(InputError, match="every"):
        KinkCounter(model, torch.ones(3, 1), every=0)


def test_pooling_and_sorting_by_their_indices():
    class Picks(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv1d(1, 3, 3), nn.AdaptiveMaxPool1d(3)

        def forward(self, x):
            return self.b(self.a(x)).flatten(1).topk(2).values, torch.searchsorted(x.flatten(), x)

    torch.manual_seed(0)
    model, x = Picks(), torch.randn(4, 1, 12)
    kinks = KinkCounter(model, x)

    def taken():
        pooled, index = functional.adaptive_max_pool1d(model.a(x), 3, return_indices=True)
        return index, pooled.flatten(1).topk(2).indices

    before = taken()
    _move(model)
    expected = [int((a != b).sum()) for a, b in zip(before, taken(), strict=True)]
    found = kinks.update()
    assert dict(found.by_module) == {"b": expected[0], "": expected[1]}
    assert sum(expected) > 0
    assert "not watched: searchsorted" in kinks.observation().evidence


def test_observations():
    model = nn.Sequential(nn.Linear(5, 9), nn.ReLU(), nn.Linear(9, 9), nn.ReLU())
    kinks = KinkCounter(model, torch.randn(40, 5))
    assert kinks.observation().level == "unknown"
    kinks.update()
    still = kinks.observation()
    assert (still.id, still.level, still.title) == (
        "kinks-crossed",
        "fine",
        "No kink was crossed on the probe.",
    )
    _move(model)
    total = kinks.update().total
    moved = kinks.observation()
    assert moved.level == "note"
    assert f"{total:,} crossings in all" in moved.evidence
    assert moved.numbers["crossed"] == [0, total]
    assert moved.numbers["dtype"] == "float32"
    assert len(moved.drawings) == 1
    json.dumps(moved.as_dict())
    smooth = KinkCounter(nn.Linear(5, 9), torch.randn(4, 5))
    smooth.update()
    assert smooth.observation().title == "The model has no kinks on the probe."
    nn.init.constant_(model[0].weight, np.nan)
    kinks.update()
    broken = kinks.observation()
    assert (broken.level, "NaN" in broken.title) == ("unknown", True)


def test_models_that_cannot_be_looked_at():
    probe = torch.ones(2, 3)
    broken = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    nn.init.constant_(broken[0].weight, np.nan)
    with pytest.raises(InputError, match="NaN"):
        KinkCounter(broken, probe)
    with pytest.raises(InputError, match="lazy module"):
        KinkCounter(nn.LazyLinear(2), probe)
    with pytest.raises(InputError, match="meta device"):
        KinkCounter(nn.Linear(3, 2, device="meta"), probe)
    with pytest.raises(InputError, match="is a builtin_function_or_method"):
        KinkCounter(torch.relu, probe)
    assert KinkCounter(nn.ReLU(), probe).update().of == 6  # no parameters: nothing can move


def test_it_draws():
    model = nn.Sequential(nn.Linear(5, 9), nn.ReLU(), nn.Linear(9, 9), nn.ReLU())
    kinks = KinkCounter(model, torch.randn(40, 5))
    with pytest.raises(InputError, match="no step"):
        kinks.draw()
    for seed in range(5):
        _move(model, seed)
        kinks.update()
    axes = kinks.draw().figure.axes[0]
    lines = {line.get_label(): np.asarray(line.get_ydata()) for line in axes.get_lines()}
    assert set(lines) == {"all", "1", "3"}
    np.testing.assert_allclose(lines["all"], lines["1"] + lines["3"])


def test_whole_numbers_have_no_kinks_to_watch() -> None:
    class Wraps(nn.Module):
        def __init__(self, whole: bool) -> None:
            super().__init__()
            self.linear, self.whole = nn.Linear(2, 2), whole

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.linear(x)
            return y[torch.arange(5) % 3] if self.whole else torch.remainder(y, 1.0)

    said = [KinkCounter(Wraps(whole), torch.ones(3, 2)).observation().numbers for whole in (True, False)]
    assert [each["unwatched"] for each in said] == [[], ["remainder"]]
