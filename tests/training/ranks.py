"""One process of several, started by torchrun: ``ranks.py KIND FILE``. Rank 0 leaves its course in FILE.

The same 50 steps whatever the number of ranks, on batches of 10 and one of 3, which three ranks cannot share
out evenly. KIND:

    plain         an L1 term in the gradient, augmentation
    full          full batch, in chunks
    attached      a penalty attached
    idle          a layer that the loss does not depend on
    lonely        batches of one image: the other ranks have nothing to do
    checkpoint    once more from the checkpoint of the second epoch, by ranks that have lost their weights
    batch norm    what is said of it
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

import nonsmooth as ns
from nonsmooth.errors import InputError
from nonsmooth.training import Recipe, train
from training.toys import toy_data, toy_network


def course(kind: str, file: Path) -> dict[str, Any]:
    rank = dist.get_rank()
    model: nn.Module = toy_network(0 if rank == 0 else 1)  # rank 0's weights count
    if kind == "idle":
        torch.manual_seed(rank)
        used, idle = model, nn.Linear(2, 2)
        model = nn.Sequential(used)
        model.idle = idle
        model.forward = used.forward
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    if kind == "attached":
        ns.attach(optimizer, ns.L1(0.01), params=model)
    recipe = Recipe(
        epochs={"full": 50, "lonely": 1}.get(kind, 5),
        batch={"full": None, "lonely": 1}.get(kind, 10),
        chunk=17,
        l1=0.0 if kind in ("attached", "idle") else 1e-3,
        augment=True,
    )
    data = toy_data(50 if kind == "lonely" else 93)
    path, kept = file.with_suffix(".run"), file.with_suffix(".kept")
    if kind != "checkpoint":
        result = train(model, data, optimizer, recipe)
    else:
        train(
            model, data, optimizer, recipe, checkpoint=path,
            on_epoch=lambda row: shutil.copy(path, kept) if row["epoch"] == 2 else None,
        )  # fmt: skip
        for p in model.parameters():
            nn.init.constant_(p, float(rank))
        optimizer.state.clear()
        result = train(model, data, optimizer, recipe, checkpoint=kept)
        if result.resumed_from != 2:
            raise AssertionError(f"went on from epoch {result.resumed_from}")
    weights = [p.detach().clone() for p in model.parameters()]
    for p in weights:
        other = p.clone()
        dist.broadcast(other, 0)
        if not torch.equal(p, other):
            raise AssertionError(f"rank {rank} has other weights than rank 0")
    return {"weights": weights, "losses": result.step_losses, "history": result.history}


def words(model: nn.Module) -> str:
    try:
        train(model, toy_data(), torch.optim.SGD(model.parameters(), lr=0.1), Recipe(1))
    except InputError as error:
        return str(error)
    return "nothing was refused"


def main(kind: str, file: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    found = words(toy_network(batch_norm=True)) if kind == "batch norm" else course(kind, file)
    if dist.get_rank() == 0:
        torch.save(found, file)
    dist.barrier()
    # Leaving in the ordinary way, gloo's threads hang or abort in about one of five runs.
    os._exit(0)


if __name__ == "__main__":
    import nonsmooth.training._checkpoint

    nonsmooth.training._checkpoint._SHARE = 1e9  # write after every epoch
    main(sys.argv[1], Path(sys.argv[2]))
