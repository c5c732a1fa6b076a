"""ctypes binding of the MLP sweep: training, predictions and gradients of ensembles of small MLPs.

It takes plain numbers and arrays, so that it can stand below `models` and `training`. A `shape` is (features, learners,
hidden_units, layers). The parameters of a learner are, layer by layer, weights (inputs, outputs) and biases (outputs,),
flattened in C order. Arrays that do not fit raise ValueError, and too large ones MemoryError, before anything is computed.

The same bits on every instruction set and machine, with GCC and clang: see docs/reproducibility.md. NaN and infinity, in the
arrays or from overflow, pass through as in PyTorch; every NaN that comes out is the same quiet one.
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
        _fields_ = [(n, ctypes.c_int64) for n in ("features", "learners", "hidden_units", "layers")]
        _fields_ += [("weights", ctypes.POINTER(real))]

    return NetworkStruct


_NETWORK = {np.float32: _network_type(ctypes.c_float), np.float64: _network_type(ctypes.c_double)}


class _Training(ctypes.Structure):
    _fields_ = [
        ("network", _NETWORK[np.float32]),
        *((n, ctypes.c_int64) for n in ("rows", "validation_rows", "batch_size", "max_epochs", "patience")),
        ("beta", ctypes.c_float),
        *((n, ctypes.c_double) for n in ("learning_rate", "weight_decay")),
        *((n, ctypes.c_void_p) for n in ("x", "y", "validation_x", "validation_y", "permutations", "initial")),
        *((n, ctypes.c_void_p) for n in ("best", "last", "history", "outcome")),
    ]


def _network(shape: Shape, weights: np.ndarray):
    """The C struct of a network; it points into `weights`, which the caller keeps alive."""
    struct = _NETWORK[np.float32 if weights.dtype == np.float32 else np.float64]
    return struct(*shape, weights.ctypes.data_as(struct._fields_[-1][1]))


def _parameters(shape: Shape) -> int:
    """The number of parameters of one learner; ValueError for a shape that is none."""
    if len(shape) != 4 or not all(isinstance(n, (int, np.integer)) and n >= 1 for n in shape):
        raise ValueError(
            f"shape is {shape}: give features, learners, hidden_units and layers, whole numbers of at least 1."
        )
    features, _, hidden_units, layers = map(int, shape)
    return (features + 1) * hidden_units + (layers - 1) * (hidden_units + 1) * hidden_units + hidden_units + 1


def _fits(name: str, array, shape: tuple[int, ...], dtype) -> np.ndarray:
    """`array` as the library reads it; ValueError if it has another shape."""
    array = np.asarray(array)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape} for this network, but has shape {array.shape}.")
    return np.ascontiguousarray(array, dtype)


def _rows(name: str, x, features: int, dtype=np.float32) -> np.ndarray:
    """`x` (rows, features) as the library reads it, at least one row."""
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1] != features or not len(x):
        raise ValueError(f"{name} must have shape (rows, {features}) and at least one row, but has shape {x.shape}.")
    return np.ascontiguousarray(x, dtype)


def _call(name: str, *arguments) -> None:
    code = getattr(compiled(), name)(*arguments, ctypes.c_int(wanted()))
    if code == 1:
        raise MemoryError(
            "The native engine needs more memory than there is: take smaller batches or a smaller network."
        )
    if code == 2:
        raise ValueError("permutations must hold numbers of rows: count them from 0.")


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
    `weights` (learners,) float32, the w_j of the ensemble's mean. A batch is at most all rows.

    The numbers of each beta are the same, bit for bit, whatever is trained beside it and on any number of threads.

    Errors: ValueError for arrays that do not fit, empty parts, and counts below 1; MemoryError.
    """
    count, learners = _parameters(shape), int(shape[1])
    x, validation_x = _rows("x", split[0], shape[0]), _rows("validation_x", split[2], shape[0])
    y = _fits("y", split[1], x.shape[:1], np.float32)
    validation_y = _fits("validation_y", split[3], validation_x.shape[:1], np.float32)
    initial = _fits("initial", initial, (learners, count), np.float32)
    weights = _fits("weights", weights, (learners,), np.float32)
    permutations = np.asarray(permutations)
    if permutations.ndim != 2 or len(permutations) < max_epochs or permutations.shape[1] != len(x):
        raise ValueError(
            f"permutations must have {len(x)} columns, one for each row of x, and at least {max_epochs} rows, one for each "
            f"epoch, but has shape {permutations.shape}."
        )
    if min(batch_size, patience, threads) < 1 or max_epochs < 0:
        raise ValueError("batch_size, patience and threads must be at least 1, and max_epochs at least 0.")
    if permutations.dtype != np.int32 and permutations.size and not _whole(permutations, len(x)):
        raise ValueError("permutations must hold numbers of rows: count them from 0.")
    permutations = np.ascontiguousarray(permutations, np.int32)
    network, arrays = _network(shape, weights), (x, y, validation_x, validation_y, permutations, initial)
    results, tasks = [], (_Training * len(betas))()
    for i, beta in enumerate(betas):
        best, last = np.empty_like(initial), np.empty_like(initial)
        history, outcome = np.zeros((max_epochs, HISTORY_WIDTH)), np.zeros(3, np.int64)
        results.append((best, last, history, outcome))
        tasks[i] = _Training(
            network,
            len(x),
            len(validation_x),
            min(batch_size, len(x)),
            max_epochs,
            min(patience, max_epochs + 1),
            beta,
            learning_rate,
            weight_decay,
            *(a.ctypes.data for a in (*arrays, best, last, history, outcome)),
        )
    _call("collusion_train", tasks, ctypes.c_long(len(betas)), ctypes.c_int(min(threads, len(betas))))
    return [
        Trained(best, last, history[: outcome[0]].copy(), int(outcome[1]), int(outcome[2]))
        for best, last, history, outcome in results
    ]


def _whole(permutations: np.ndarray, rows: int) -> bool:
    """Whether numbers of another type survive the way to int32."""
    return permutations.min() >= 0 and permutations.max() < rows and bool(np.all(permutations == permutations // 1))


def predict(shape: Shape, parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Predictions (rows, learners) float32 at x (rows, features) of an ensemble with parameters (learners, parameters).

    Errors: ValueError for arrays that do not fit, or no rows; MemoryError.
    """
    count, learners = _parameters(shape), int(shape[1])
    x, parameters = _rows("x", x, shape[0]), _fits("parameters", parameters, (learners, count), np.float32)
    out, weights = np.empty((len(x), learners), np.float32), np.ones(learners, np.float32)
    network = _network(shape, weights)
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (parameters, x, out)]
    _call("collusion_predict", ctypes.byref(network), *pointers[:2], ctypes.c_long(len(x)), pointers[2])
    return out


def gradient(
    shape: Shape, parameters: np.ndarray, x: np.ndarray, y: np.ndarray, beta: float, weights: np.ndarray
) -> np.ndarray:
    """Derivatives (learners, parameters) of the augmented objective over one batch, in the dtype of `parameters`.

    Errors: ValueError for arrays that do not fit, no rows, or parameters in another type than float32 or float64.
    """
    count, learners, dtype = _parameters(shape), int(shape[1]), np.asarray(parameters).dtype
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"parameters must be float32 or float64, but are {dtype}.")
    real, name = (ctypes.c_float, "float") if dtype == np.float32 else (ctypes.c_double, "double")
    x = _rows("x", x, shape[0], dtype)
    y, weights = _fits("y", y, x.shape[:1], dtype), _fits("weights", weights, (learners,), dtype)
    parameters = _fits("parameters", parameters, (learners, count), dtype)
    out, network = np.empty_like(parameters), _network(shape, weights)
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (parameters, x, y, out)]
    name, rows = f"collusion_gradient_{name}", ctypes.c_long(len(x))
    _call(name, ctypes.byref(network), *pointers[:3], rows, real(beta), pointers[3])
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
