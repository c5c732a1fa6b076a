"""Ways to write the training step of an ensemble of MLPs, as workers that are timed in turns.

    native   this project's engine: an epoch a call
    loop     a list of learners called one by one, as in the official code (PyTorch)
    vmap     stacked parameters and torch.func.vmap over the learners (PyTorch)
    bmm      stacked weights, one batched matrix product a layer, autograd (PyTorch)
    jax      one jitted lax.scan over all steps of an epoch (pip install jax optax)

The same work everywhere: mean squared error of the augmented objective at beta = 0.5, Adam, float32, one ensemble, one
thread, random data of 4,960 rows. `python ways.py WAY` is a worker: it reads a shape a line (learners, hidden, layers,
batch, features, steps) and answers with seconds per step; it is pinned to the first core it may use.
"""

import importlib.util
import os
import sys
import time

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

ROWS, BETA, RATE = 4960, 0.5, 1e-3
NEEDS = {"native": "numpy", "loop": "torch", "vmap": "torch", "bmm": "torch", "jax": "jax"}


def installed() -> list[str]:
    """The ways that can be measured here."""
    from learner_collusion import native

    found = [way for way, package in NEEDS.items() if importlib.util.find_spec(package)]
    if importlib.util.find_spec("optax") is None and "jax" in found:
        found.remove("jax")
    return [way for way in found if way != "native" or native.compiled() is not None]


def data(features):
    import numpy as np

    x = np.random.default_rng(0).normal(size=(ROWS, features)).astype(np.float32)
    return x, x[:, :3].sum(1)


def prepare_native(learners, hidden, layers, batch, features):
    import numpy as np

    from learner_collusion.models.mlp import Network, initial_parameters
    from learner_collusion.native import engine
    from learner_collusion.training.sweep import batch_permutations

    x, y = data(features)
    network, random = Network(features, learners, hidden, layers), np.random.default_rng(0)
    initial, weights = initial_parameters(network, random), np.full(learners, 1 / learners, np.float32)

    def run(steps):
        # one epoch of as many rows as the steps need; the validation part is one row
        rows = steps * batch
        order = batch_permutations(ROWS, -(-rows // ROWS), random).reshape(1, -1)[:, :rows] % rows
        long = (np.resize(x, (rows, features)), np.resize(y, rows), x[:1], y[:1])
        shape = (features, learners, hidden, layers)
        start = time.perf_counter()
        engine.train(shape, long, [BETA], RATE, 0.0, batch, 1, 1, initial, order, weights)
        return time.perf_counter() - start

    return run


def prepare_torch(way, learners, hidden, layers, batch, features):
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y = map(torch.from_numpy, data(features))
    widths = [features] + [hidden] * layers + [1]

    def mlp():
        parts = []
        for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
            parts += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*parts[:-1])

    members = [mlp() for _ in range(learners)]
    if way == "loop":
        parameters = [p for member in members for p in member.parameters()]

        def forward(rows):
            return torch.cat([member(rows) for member in members], 1)

    elif way == "vmap":
        stacked, buffers = torch.func.stack_module_state(members)
        parameters = list(stacked.values())

        def call(own, others, rows):
            return torch.func.functional_call(members[0], (own, others), (rows,))

        def forward(rows):
            return torch.vmap(call, (0, 0, None), out_dims=1)(stacked, buffers, rows).squeeze(2)

    else:
        linears = [[part for part in member if isinstance(part, nn.Linear)] for member in members]
        weights = [nn.Parameter(torch.stack([own[i].weight.detach().T for own in linears])) for i in range(layers + 1)]
        biases = [nn.Parameter(torch.stack([own[i].bias.detach()[None] for own in linears])) for i in range(layers + 1)]
        parameters = weights + biases

        def forward(rows):
            h = rows.expand(learners, *rows.shape)
            for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
                h = torch.baddbmm(bias, h, weight)
                h = h.relu() if i < layers else h
            return h.squeeze(2).T

    optimiser = torch.optim.Adam(parameters, RATE, fused=way != "loop")

    def run(steps):
        start = time.perf_counter()
        for i in range(steps):
            first = (i * batch) % (ROWS - batch)
            xb, yb = x[first : first + batch], y[first : first + batch]
            f = forward(xb)
            err, err_bar = (f.mean(1) - yb).square().mean(), (f - yb[:, None]).square().mean()
            optimiser.zero_grad()
            ((1 - BETA) * err_bar + BETA * err).backward()
            optimiser.step()
        return time.perf_counter() - start

    return run


def prepare_jax(learners, hidden, layers, batch, features):
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    x, y = map(jnp.asarray, data(features))
    random = np.random.default_rng(0)
    widths = [features] + [hidden] * layers + [1]
    layer = [
        (jnp.asarray(random.uniform(-1, 1, (learners, i, o)) / i**0.5, jnp.float32), jnp.zeros((learners, 1, o)))
        for i, o in zip(widths[:-1], widths[1:], strict=True)
    ]
    optimiser = optax.adam(RATE)

    def objective(parameters, xb, yb):
        h = jnp.broadcast_to(xb, (learners, *xb.shape))
        for i, (weight, bias) in enumerate(parameters):
            h = jnp.einsum("kbd,kdo->kbo", h, weight) + bias
            h = jax.nn.relu(h) if i < layers else h
        f = h[..., 0]
        return (1 - BETA) * ((f - yb) ** 2).mean() + BETA * ((f.mean(0) - yb) ** 2).mean()

    def step(state, rows):
        parameters, moments = state
        gradient = jax.grad(objective)(parameters, x[rows], y[rows])
        updates, moments = optimiser.update(gradient, moments)
        return (optax.apply_updates(parameters, updates), moments), None

    epoch = jax.jit(lambda state, rows: jax.lax.scan(step, state, rows)[0])
    state = (layer, optimiser.init(layer))

    def run(steps):
        rows = jnp.asarray(random.integers(0, ROWS, (steps, batch)))
        if steps not in compiled:
            jax.block_until_ready(epoch(state, rows))
            compiled.add(steps)
        start = time.perf_counter()
        jax.block_until_ready(epoch(state, rows))
        return time.perf_counter() - start

    compiled: set[int] = set()
    return run


def main() -> None:
    way = sys.argv[1]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    prepared: tuple = (None, None)
    for line in sys.stdin:
        *shape, steps = map(int, line.split())
        if prepared[0] != shape:
            make = {"native": prepare_native, "jax": prepare_jax}.get(way)
            run = make(*shape) if make else prepare_torch(way, *shape)
            run(min(steps, 5) if way != "jax" else steps)  # warm up
            prepared = (shape, run)
        print(prepared[1](steps) / steps, flush=True)


if __name__ == "__main__":
    main()
