"""The paper's small VGG on CIFAR-10 with an attached L1 penalty: how good it gets, and which weights are 0.

python examples/train_cifar10.py FOLDER
torchrun --nproc-per-node 2 examples/train_cifar10.py FOLDER
"""

import os
from pathlib import Path

import click
import torch
import torch.distributed as dist

import nonsmooth as ns
from nonsmooth.datasets import read_images
from nonsmooth.networks import initialise, vgg
from nonsmooth.training import Recipe, Resident, train


@click.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--epochs", default=5, show_default=True)
@click.option("--strength", default=1e-4, show_default=True, help="Of the L1 penalty on the weights.")
@click.option("--count", type=int, help="Training images to use; all if not given.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Go on from this file, and keep it up.")
def main(folder: Path, epochs: int, strength: float, count: int | None, checkpoint: Path | None) -> None:
    """Train on the CIFAR-10 in FOLDER, in any of the formats that `nonsmooth data check` knows."""
    device, first = "cuda" if torch.cuda.is_available() else "cpu", True
    if "LOCAL_RANK" in os.environ:  # started by torchrun
        if device == "cuda":
            device = f"cuda:{os.environ['LOCAL_RANK']}"
            torch.cuda.set_device(device)
        dist.init_process_group()
        first = dist.get_rank() == 0

    data = Resident.of(read_images(folder), device=device, count=count)
    model = vgg(11).to(device)
    initialise(model, "he", "relu", seed=0)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    ns.attach(optimizer, ns.L1(strength), params=model)
    recipe = Recipe(epochs, augment=True, precision="bfloat16" if "cuda" in device else "float32")

    def show(row: dict) -> None:
        print(
            f"epoch {row['epoch']:3}  loss {row['loss']:.3f}  test accuracy {row['test_accuracy']:.1%}  "
            f"l1 norm {row['l1_norm']:.0f}  {row['seconds']:.1f} s"
        )

    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    result = train(model, data, optimizer, recipe, scheduler=schedule, checkpoint=checkpoint, on_epoch=show)
    if first:
        print(f"{result.images_per_second:.0f} images a second")
        print(ns.sparsity(model), flush=True)
    if dist.is_initialized():
        dist.barrier()
        os._exit(0)  # leaving in the ordinary way, gloo's threads hang now and then


if __name__ == "__main__":
    main()
