"""The native CPU engine: training, predictions and gradients of tabular ensembles by the native library."""

import ctypes

import numpy as np

from ..native import compiled, wanted
from .mlp import HISTORY_COLUMNS, Network, Sweep, Trained


def _network_type(real):
    class NetworkStruct(ctypes.Structure):
        _fields_ = [(n, ctypes.c_int32) for n in ("features", "learners", "hidden", "layers")]
        _fields_ += [("weights", ctypes.POINTER(real))]

    return NetworkStruct


_NETWORK = {np.float32: _network_type(ctypes.c_float), np.float64: _network_type(ctypes.c_double)}


class _Training(ctypes.Structure):
    _fields_ = [
        ("network", _NETWORK[np.float32]),
        *((n, ctypes.c_int32) for n in ("rows", "validation_rows", "batch", "epochs", "patience")),
        ("beta", ctypes.c_float),
        *((n, ctypes.c_double) for n in ("rate", "decay")),
        *((n, ctypes.c_void_p) for n in ("x", "y", "validation_x", "validation_y", "orders", "initial")),
        *((n, ctypes.c_void_p) for n in ("best", "last", "history", "outcome")),
    ]


def _network(network: Network, weights: np.ndarray):
    real = np.float32 if weights.dtype == np.float32 else np.float64
    struct = _NETWORK[real]
    pointer = weights.ctypes.data_as(struct._fields_[-1][1])
    return struct(network.features, network.learners, network.hidden, network.layers, pointer)


def train(sweep: Sweep, weights: np.ndarray, threads: int = 1) -> list[Trained]:
    """Train all betas of a sweep; see `sweep.train_sweeps`, which checks the arguments."""
    split, settings, betas = sweep.split, sweep.settings, sweep.betas
    arrays = [np.ascontiguousarray(a, np.float32) for a in (split.x, split.y, split.validation_x, split.validation_y)]
    orders = np.ascontiguousarray(sweep.orders, np.int32)
    initial = np.ascontiguousarray(sweep.initial, np.float32)
    struct = _network(sweep.network, weights)
    results, tasks = [], (_Training * len(betas))()
    for i, beta in enumerate(betas):
        best, last = np.empty_like(initial), np.empty_like(initial)
        history = np.zeros((settings.max_epochs, len(HISTORY_COLUMNS)))
        outcome = np.zeros(3, np.int32)
        results.append((best, last, history, outcome))
        tasks[i] = _Training(
            struct,
            len(arrays[1]),
            len(arrays[3]),
            settings.batch_size,
            settings.max_epochs,
            settings.patience,
            beta,
            settings.learning_rate,
            settings.weight_decay,
            *(a.ctypes.data for a in (*arrays, orders, initial, best, last, history, outcome)),
        )
    compiled().collusion_train(tasks, len(betas), threads, wanted())
    return [
        Trained(beta, best, last, history[: outcome[0]].copy(), int(outcome[1]), int(outcome[2]))
        for beta, (best, last, history, outcome) in zip(betas, results, strict=True)
    ]


def predict(network: Network, parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Predictions (rows, learners) float32 of an ensemble with parameters (learners, parameters)."""
    x, parameters = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(parameters, np.float32)
    out = np.empty((len(x), network.learners), np.float32)
    struct = _network(network, np.ones(network.learners, np.float32))
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (parameters, x, out)]
    compiled().collusion_predict(
        ctypes.byref(struct), *pointers[:2], ctypes.c_long(len(x)), pointers[2], ctypes.c_int(wanted())
    )
    return out


def gradient(
    network: Network, parameters: np.ndarray, x: np.ndarray, y: np.ndarray, beta: float, weights: np.ndarray
) -> np.ndarray:
    """Derivatives (learners, parameters) of the augmented objective over one batch, in the dtype of `parameters`."""
    real, name = (ctypes.c_float, "float") if parameters.dtype == np.float32 else (ctypes.c_double, "double")
    parameters, x, y, weights = (np.ascontiguousarray(a, parameters.dtype) for a in (parameters, x, y, weights))
    out = np.empty_like(parameters)
    struct = _network(network, weights)
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (parameters, x, y, out)]
    getattr(compiled(), f"collusion_gradient_{name}")(
        ctypes.byref(struct), *pointers[:3], ctypes.c_long(len(x)), real(beta), pointers[3], ctypes.c_int(wanted())
    )
    return out
