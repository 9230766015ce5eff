"""An ordinary training run, as many are: a network on digits, Adam, a cosine schedule, L1 in the loss.

nonsmooth audit digits_with_l1:build     # from this folder: what this run really is
python digits_with_l1.py                 # the run itself
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

STRENGTH, STEPS = 1e-4, 1500


def build():
    """What ``nonsmooth audit`` asks for: the arguments of ``nonsmooth.audit`` by name."""
    torch.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    x = torch.as_tensor(images / 16, dtype=torch.float32)
    y = torch.as_tensor(labels)
    model = nn.Sequential(
        nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 10)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)

    def loss(output, target):
        penalty = sum(p.abs().sum() for p in model.parameters())
        return nn.functional.cross_entropy(output, target) + STRENGTH * penalty

    def step():
        rows = torch.randint(len(x), (128,))
        optimizer.zero_grad()
        loss(model(x[rows]), y[rows]).backward()
        optimizer.step()

    return {
        "model": model,
        "example": (x[:512], y[:512]),
        "loss": loss,
        "optimizer": optimizer,
        "scheduler": scheduler,
        "step": step,
        "steps": STEPS,
    }


if __name__ == "__main__":
    run = build()
    for _ in range(STEPS):
        run["step"]()
        run["scheduler"].step()
    weights = torch.cat([p.detach().flatten() for p in run["model"].parameters()])
    print(f"{int((weights == 0).sum())} of {len(weights)} weights are exactly 0")
