"""Does a ConvVAE learn what the same net learns in PyTorch? Held-out ELBO, seed by seed.

Both begin with the same weights and take as many steps of Adam on the same net and objective, in
orders of their own: what PyTorch makes of the first batch is checked to be what npvae makes of it.

faces: the ORL set at 64 x 64 in grey values of [0, 1], standardised by pixel, a Gaussian with a
learnt scale, channels 16, 32, 64, 128, 32 latents, batches of 16, beta rising in the first quarter,
standardised faces shifted and mirrored at each visit. Every eighth person is held out, and the ELBO
is that of their pictures.

mnist: channels 32, 64, 20 latents, batches of 128, Bernoulli; the ELBO is that of the test images.

    NPVAE_DATA=FOLDER python -m bench.conv_quality [--data faces] [--seeds 3] [--epochs 40]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import npvae as nv

from . import nets, peers, quality

Array = np.ndarray
DRAWS = 10
"""Of z, for each held-out ELBO."""
HELD_OUT = 8
"""One person in so many."""


class Protocol(NamedTuple):
    """A model of a seed, the rows of training and those held out, and how it is trained."""

    model: Callable[[int], nv.ConvVAE]
    rows: Array
    held_out: Array
    batch: int
    lr: Callable[[float], float]
    beta: Callable[[float], float]
    transform: Callable[[Array, np.random.Generator], Array] | None = None


def main() -> None:
    parser = quality.options(__doc__)
    parser.add_argument("--data", choices=DATA, default="faces")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="40 of faces, 10 of digits, unless told")
    parser.add_argument("--peers", choices=PROGRAMS, nargs="+", default=list(PROGRAMS))
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    args.epochs = args.epochs or {"faces": 40, "mnist": 10}[args.data]
    try:
        protocol = DATA[args.data](args.epochs)
    except FileNotFoundError as error:
        parser.error(str(error))
    found: dict[str, list[float]] = {peer: [] for peer in peers.installed(args.peers)}
    for seed in range(args.seeds):
        for peer, values in found.items():
            values.append(PROGRAMS[peer](protocol, args.epochs, seed, args.threads))
            print(f"seed {seed}  {peer:6} held-out ELBO {values[-1]:.2f}", flush=True)
    for peer, values in found.items():
        print(f"{peer:6} {quality.with_error(values)} nats per picture")


def faces(epochs: int) -> Protocol:
    with np.load(nets.faces_file()) as archive:
        person = archive["y"]
    x = (nets.faces() / 255).astype(np.float32)
    unseen = person % HELD_OUT == 0
    mean, scale = x[~unseen].mean(0), x[~unseen].std(0)

    def model(seed: int) -> nv.ConvVAE:
        return nv.ConvVAE(
            (nets.SIDE, nets.SIDE), 32, channels=(16, 32, 64, 128), seed=seed,
            likelihood="gaussian_learnt_scale", standardise=dict(mean=mean, scale=scale),
        )  # fmt: skip

    flip, shift = nv.Flip((nets.SIDE, nets.SIDE)), nv.Shift((nets.SIDE, nets.SIDE))
    return Protocol(
        model, x[~unseen], x[unseen], 16, quality.cosine(2e-3, epochs),
        nv.Linear(0, 1, max(1, epochs // 4)), lambda rows, rng: shift(flip(rows, rng), rng),
    )  # fmt: skip


def mnist(epochs: int) -> Protocol:
    folder = nets.mnist_folder()
    x, x_test = (nets.floats(nv.datasets.load(folder, part)[0]) for part in ("train", "test"))
    lr = quality.cosine(2e-3, epochs)
    return Protocol(
        lambda seed: nv.ConvVAE((28, 28), 20, channels=(32, 64), seed=seed), x, x_test, 128, lr,
        lambda epoch: 1.0,
    )  # fmt: skip


DATA = {"faces": faces, "mnist": mnist}


def run_npvae(protocol: Protocol, epochs: int, seed: int, threads: int | None) -> float:
    model = protocol.model(seed)
    nv.fit(
        model, protocol.rows, objective=nv.ELBO(beta=protocol.beta), epochs=epochs,
        batch_size=protocol.batch, lr=protocol.lr, seed=seed, threads=threads,
        batch_transform=protocol.transform,
    )  # fmt: skip
    return float(model.elbo(protocol.held_out, n_samples=DRAWS).mean())


def run_torch(protocol: Protocol, epochs: int, seed: int, threads: int | None) -> float:
    import torch

    from .peers import conv_twin

    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(seed)
    model = protocol.model(seed)
    if model.units is None:  # else the mean is 0, where biases begin
        model.start_from(protocol.rows.mean(0), len(protocol.rows), protocol.rows)
    twin = conv_twin.Twin(model)
    conv_twin.check(twin, model, protocol.rows[: protocol.batch])
    conv_twin.train(twin, protocol, epochs, np.random.default_rng(seed))
    with torch.no_grad():
        held_out = torch.from_numpy(twin.standardised(protocol.held_out))
        terms = [twin.terms(held_out) for _ in range(DRAWS)]
    return float(np.mean([float((log_px - kl).mean()) for log_px, kl in terms]))


PROGRAMS = {"npvae": run_npvae, "torch": run_torch}

if __name__ == "__main__":
    main()
