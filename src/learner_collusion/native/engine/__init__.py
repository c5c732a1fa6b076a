"""ctypes binding of the MLP sweep: training, predictions and gradients of ensembles of small MLPs.

It takes plain numbers and arrays, so that it can stand below `models` and `training`. A `shape` is (features, learners,
hidden_units, layers). The parameters of a learner are, layer by layer, weights (inputs, outputs) and biases (outputs,),
flattened in C order. Nothing is checked here: wrong sizes read memory that is not theirs; `training.sweep` checks them.
"""

import ctypes
from typing import NamedTuple

import numpy as np

from .. import compiled, wanted

HISTORY_WIDTH = 5  # columns of a history, `HISTORY_WIDTH` of engine.h; `training.sweep` names them

Shape = tuple[int, int, int, int]
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class Trained(NamedTuple):
    """One trained ensemble. Epochs count from 1; `diverged` is the epoch of the first loss that was not finite, or 0."""

    best: np.ndarray  # (learners, parameters) float32, of the epoch with the lowest validation ERR
    last: np.ndarray  # (learners, parameters) float32, after the last step
    history: np.ndarray  # (epochs run, HISTORY_WIDTH) float64
    best_epoch: int
    diverged: int


def _network_type(real):
    class NetworkStruct(ctypes.Structure):
        _fields_ = [(n, ctypes.c_int32) for n in ("features", "learners", "hidden_units", "layers")]
        _fields_ += [("weights", ctypes.POINTER(real))]

    return NetworkStruct


_NETWORK = {np.float32: _network_type(ctypes.c_float), np.float64: _network_type(ctypes.c_double)}


class _Training(ctypes.Structure):
    _fields_ = [
        ("network", _NETWORK[np.float32]),
        *((n, ctypes.c_int32) for n in ("rows", "validation_rows", "batch_size", "max_epochs", "patience")),
        ("beta", ctypes.c_float),
        *((n, ctypes.c_double) for n in ("learning_rate", "weight_decay")),
        *((n, ctypes.c_void_p) for n in ("x", "y", "validation_x", "validation_y", "permutations", "initial")),
        *((n, ctypes.c_void_p) for n in ("best", "last", "history", "outcome")),
    ]


def _network(shape: Shape, weights: np.ndarray):
    """The C struct of a network; it points into `weights`, which the caller keeps alive."""
    struct = _NETWORK[np.float32 if weights.dtype == np.float32 else np.float64]
    return struct(*shape, weights.ctypes.data_as(struct._fields_[-1][1]))


def train(
    shape: Shape,
    split: Arrays,
    betas: list[float],
    learning_rate: float,
    weight_decay: float,
    batch_size: int,
    max_epochs: int,
    patience: int,
    initial: np.ndarray,
    permutations: np.ndarray,
    weights: np.ndarray,
    threads: int = 1,
) -> list[Trained]:
    """Train one ensemble for each beta with Adam on the augmented squared error; weight decay is L2 in the gradient.

    `split` is x (rows, features), y (rows,), validation_x (validation rows, features) and validation_y (validation rows,);
    `initial` (learners, parameters); `permutations` (at least max_epochs, rows), the order of the rows in each epoch;
    `weights` (learners,) float32, the w_j of the ensemble's mean.

    The numbers of each beta are the same, bit for bit, whatever is trained beside it and on any number of threads.
    """
    arrays = [np.ascontiguousarray(a, np.float32) for a in split]
    permutations = np.ascontiguousarray(permutations, np.int32)
    initial, weights = (np.ascontiguousarray(a, np.float32) for a in (initial, weights))
    network = _network(shape, weights)
    results, tasks = [], (_Training * len(betas))()
    for i, beta in enumerate(betas):
        best, last = np.empty_like(initial), np.empty_like(initial)
        history, outcome = np.zeros((max_epochs, HISTORY_WIDTH)), np.zeros(3, np.int32)
        results.append((best, last, history, outcome))
        tasks[i] = _Training(
            network,
            len(arrays[1]),
            len(arrays[3]),
            batch_size,
            max_epochs,
            patience,
            beta,
            learning_rate,
            weight_decay,
            *(a.ctypes.data for a in (*arrays, permutations, initial, best, last, history, outcome)),
        )
    compiled().collusion_train(tasks, len(betas), threads, wanted())
    return [
        Trained(best, last, history[: outcome[0]].copy(), int(outcome[1]), int(outcome[2]))
        for best, last, history, outcome in results
    ]


def predict(shape: Shape, parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Predictions (rows, learners) float32 at x (rows, features) of an ensemble with parameters (learners, parameters)."""
    x, parameters = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(parameters, np.float32)
    learners = shape[1]
    out, weights = np.empty((len(x), learners), np.float32), np.ones(learners, np.float32)
    network = _network(shape, weights)
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (parameters, x, out)]
    compiled().collusion_predict(
        ctypes.byref(network), *pointers[:2], ctypes.c_long(len(x)), pointers[2], ctypes.c_int(wanted())
    )
    return out


def gradient(
    shape: Shape, parameters: np.ndarray, x: np.ndarray, y: np.ndarray, beta: float, weights: np.ndarray
) -> np.ndarray:
    """Derivatives (learners, parameters) of the augmented objective over one batch, in the dtype of `parameters`."""
    real, name = (ctypes.c_float, "float") if parameters.dtype == np.float32 else (ctypes.c_double, "double")
    parameters, x, y, weights = (np.ascontiguousarray(a, parameters.dtype) for a in (parameters, x, y, weights))
    out, network = np.empty_like(parameters), _network(shape, weights)
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (parameters, x, y, out)]
    getattr(compiled(), f"collusion_gradient_{name}")(
        ctypes.byref(network), *pointers[:3], ctypes.c_long(len(x)), real(beta), pointers[3], ctypes.c_int(wanted())
    )
    return out


def permutations(rows: int, epochs: int, generator: np.random.Generator) -> np.ndarray:
    """(epochs, rows) int32: random orders of the rows, the same as those of `Generator.permuted`, ten times faster."""
    out = np.empty((epochs, rows), np.int32)
    source = generator.bit_generator
    with source.lock:
        draws = source.ctypes
        next_uint32 = ctypes.cast(draws.next_uint32, ctypes.c_void_p)
        sizes = (ctypes.c_int64(epochs), ctypes.c_int64(rows))
        compiled().collusion_permute(ctypes.c_void_p(draws.state_address), next_uint32, *sizes, out.ctypes)
    return out
