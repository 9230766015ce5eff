"""One process of a run on several ranks: ``python two_ranks.py KIND METHOD PENALTY FILE``, with RANK and
WORLD_SIZE set.

Trains the same small network on the same batches whatever the number of ranks: each rank takes its share of a
batch. Rank 0 writes the final weights and the penalty's value to FILE.
"""

import os
import sys

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

import nonsmooth as ns

STEPS, BATCH = 100, 8
PENALTIES = {
    "L1": lambda: ns.L1(0.02),
    "rows": lambda: ns.GroupL1(0.05),
    "columns": lambda: ns.GroupL1(0.05, "columns"),
    "MCP": lambda: ns.MCP(0.02, 3.0),
}


def _attached(model: nn.Module, penalty):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02, weight_decay=0.0)
    return optimizer, ns.attach(optimizer, penalty, params=model)


def _inside(make):
    def both(model: nn.Module, penalty):
        choices = ns.select_weights(model).choices
        groups = [
            {"params": [each.parameter for each in choices if each.included is included], "penalty": own}
            for included, own in ((True, penalty), (False, None))
        ]
        optimizer = make(groups)
        return optimizer, optimizer

    return both


METHODS = {
    "attached": _attached,
    "ProxAdam": _inside(lambda groups: ns.ProxAdam(groups, lr=0.02)),
    "ProxAdam, compiled": _inside(lambda groups: ns.ProxAdam(groups, lr=0.02, compile=True)),
    "ProxSGD": _inside(lambda groups: ns.ProxSGD(groups, lr=0.02, momentum=0.9)),
    "dual averaging": _inside(lambda groups: ns.RegularizedDualAveraging(groups, lr=0.2)),
}


def main(kind: str, method: str, penalty: str, file: str) -> None:
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    model: nn.Module = nn.Sequential(nn.Linear(6, 10), nn.Tanh(), nn.Linear(10, 4)).double()
    if kind == "replicated":
        model = DistributedDataParallel(model)
    else:
        mesh = dist.init_device_mesh("cpu", (world,))
        for layer in (model[0], model[2], model):
            fully_shard(layer, mesh=mesh)
    optimizer, prox = METHODS[method](model, PENALTIES[penalty]())
    for k in range(STEPS):
        random = torch.Generator().manual_seed(k)
        x = torch.randn(BATCH, 6, generator=random, dtype=torch.float64)
        y = x[:, :4].argmax(1)  # two inputs say nothing: some weights are to be zero, some not
        mine = slice(rank * BATCH // world, (rank + 1) * BATCH // world)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[mine]), y[mine]).backward()
        optimizer.step()
    value = prox.value()  # all ranks ask
    ends = [(p.full_tensor() if isinstance(p, DTensor) else p).detach().clone() for p in model.parameters()]
    if rank == 0:
        torch.save([*ends, value], file)
    dist.barrier()
    # Leaving in the ordinary way, gloo's threads hang or abort in about one of five runs, penalty or not.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
