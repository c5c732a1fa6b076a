"""The same bytes from every instruction set, compiler, level of optimisation and architecture; see docs/reproducibility.md.

In this process, the instruction sets of the machine's own library. Beside it a small C++ program, `driver.cpp`, compiled
with one kernel in another way, for which no second Python is needed: an emulator runs that of arm64.
"""

import platform
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from learner_collusion import native
from learner_collusion.native import convolution, engine

pytestmark = pytest.mark.skipif(native.compiled() is None, reason="the native library was not built: no C++ compiler")
NATIVE = ROOT / "src/learner_collusion/native"
X86 = platform.machine() in ("x86_64", "AMD64")


def instruction_sets() -> list[str]:
    """What this machine can run, the widest first."""
    names = ["avx512", "avx2", "portable"]
    best = native.compiled().collusion_instruction_set(0)
    # the best is AVX2 on Zen 4, which also has AVX-512
    flags = Path("/proc/cpuinfo").read_text() if X86 and Path("/proc/cpuinfo").exists() else ""
    return names if "avx512dq" in flags else names[3 - best :]


def sweep(seed: int) -> dict:
    """The arguments of a random training; every fifth one overflows, every fifth has subnormal numbers."""
    random = np.random.default_rng(seed)
    shape = tuple(int(random.integers(1, most)) for most in (12, 37, 14, 5))
    rows, validation, batch = (int(random.integers(1, most)) for most in (70, 40, 40))
    x, y = random.normal(size=(rows + validation, shape[0])), random.normal(size=rows + validation)
    if seed % 5 == 4:
        x, y = x * 1e6, y * 1e12
    if seed % 5 == 3:
        x = np.where(random.random(x.shape) < 0.7, 0, x * 1e-30)
    x, y = x.astype(np.float32), y.astype(np.float32)
    widths = [shape[0], *[shape[2]] * shape[3], 1]
    count = sum((inputs + 1) * outputs for inputs, outputs in zip(widths[:-1], widths[1:], strict=True))
    return {
        "shape": shape,
        "split": (x[:rows], y[:rows], x[rows:], y[rows:]),
        "betas": [float(random.random())],
        "learning_rate": float(10 ** random.uniform(-4, 3)),
        "weight_decay": float(random.choice([0, 1e-3])),
        "batch_size": min(batch, rows),
        "max_epochs": 5,
        "patience": 3,
        "initial": (random.normal(size=(shape[1], count)) / 2).astype(np.float32),
        "permutations": np.stack([random.permutation(rows) for _ in range(5)]).astype(np.int32),
        "weights": random.dirichlet(np.ones(shape[1])).astype(np.float32),
    }


def sweep_bytes(task: dict) -> bytes:
    """What the library makes of a training, in the order of driver.cpp."""
    [trained] = engine.train(**task)
    history = np.zeros((task["max_epochs"], engine.HISTORY_WIDTH))
    history[: len(trained.history)] = trained.history
    outcome = np.array([len(trained.history), trained.best_epoch, trained.diverged], np.int64)
    shape, (_, _, x, y), [beta], weights = (task[name] for name in ("shape", "split", "betas", "weights"))
    gradients = [
        engine.gradient(shape, task["initial"].astype(t), x, y, beta, weights) for t in (np.float32, np.float64)
    ]
    arrays = (outcome, history, trained.best, trained.last, engine.predict(shape, trained.last, x), *gradients)
    return b"".join(array.tobytes() for array in arrays)


def layer(seed: int, dtype=torch.float32) -> tuple:
    """The arguments of a random convolution, groups, and a gradient of its result."""
    random = torch.Generator().manual_seed(seed)
    images, groups, inputs, outputs, more = (
        int(torch.randint(1, most, (1,), generator=random)) for most in (4, 4, 7, 21, 8)
    )
    kernel = (1, 3, 5, 6)[seed % 4]
    size = (images, groups * inputs, kernel + more, kernel + 8 - more)
    x, weight, bias = (
        torch.randn(shape, generator=random, dtype=dtype).requires_grad_()
        for shape in (size, (groups * outputs, inputs, kernel, kernel), (groups * outputs,))
    )
    pooled = (images, groups * outputs, (more + 1) // 2, (9 - more) // 2)
    return (x, weight, bias), groups, torch.randn(pooled, generator=random, dtype=dtype)


def last(tensor: torch.Tensor) -> np.ndarray:
    """Channels last, as the library holds them."""
    return tensor.detach().permute(0, 2, 3, 1).contiguous().numpy()


def layer_bytes(tensors, groups: int, by: torch.Tensor) -> bytes:
    y = convolution.pooled_convolution(*tensors, groups)
    x, weight, bias = torch.autograd.grad(y, tensors, by)
    return b"".join(array.tobytes() for array in (last(y), last(x), last(weight), bias.numpy()))


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_every_instruction_set_trains_to_the_same_bytes(seed):
    task, found = sweep(seed), {}
    with pytest.MonkeyPatch.context() as patch:
        for name in instruction_sets():
            patch.setenv("LEARNER_COLLUSION_ISA", name)
            assert native.instruction_set() == name
            found[name] = sweep_bytes(task)
    assert len(found) > 1 or not X86
    assert len(set(found.values())) == 1


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([torch.float32, torch.float64]))
def test_every_instruction_set_convolves_to_the_same_bytes(seed, dtype):
    found = set()
    with pytest.MonkeyPatch.context() as patch:
        for name in instruction_sets():
            patch.setenv("LEARNER_COLLUSION_ISA", name)
            found.add(layer_bytes(*layer(seed, dtype)))
    assert len(found) == 1


def task_file(path: Path, sweeps: list[dict], layers: list[tuple]) -> None:
    with path.open("wb") as file:
        kinds = [0] * len(sweeps) + [1 if tensors[0].dtype == torch.float32 else 2 for tensors, _, _ in layers]
        np.array([len(kinds), *kinds], np.int64).tofile(file)
        for task in sweeps:
            x, y, validation_x, validation_y = task["split"]
            sizes = (task["initial"].shape[1], len(x), len(validation_x), task["batch_size"], task["max_epochs"])
            np.array([*task["shape"], *sizes, task["patience"]], np.int64).tofile(file)
            np.array([*task["betas"], task["learning_rate"], task["weight_decay"]]).tofile(file)
            for array in (x, y, validation_x, validation_y, task["permutations"], task["initial"], task["weights"]):
                np.ascontiguousarray(array).tofile(file)
        for (x, weight, bias), groups, by in layers:
            images, _, height, width = x.shape
            outputs, inputs, kernel, _ = weight.shape
            np.array([images, height, width, inputs, groups, outputs // groups, kernel], np.int64).tofile(file)
            for array in (last(x), last(weight), bias.detach().numpy(), last(by)):
                array.tofile(file)


# compiler, kernel, instruction set, level, emulator, Debian's package. "avx512" for AVX2: its vectors of 16 lanes, as pairs.
WAYS = [
    ("g++", "avx2", "avx2", "-O2", None, "g++"),
    ("g++", "portable", "portable", "-O2", None, "g++"),
    ("clang++", "avx2", "avx2", "-O3", None, "clang"),
    ("clang++", "portable", "portable", "-O2", None, "clang"),
    ("clang++", "avx512", "avx2", "-O2", None, "clang"),
    ("g++", "avx512", "avx512", "-O2", None, "g++"),
    ("clang++", "avx512", "avx512", "-O3", None, "clang"),
    ("aarch64-linux-gnu-g++", "portable", "portable", "-O3", "qemu-aarch64", "g++-aarch64-linux-gnu and qemu-user"),
]


@pytest.mark.heavy
@pytest.mark.parametrize(("compiler", "kernel", "isa", "level", "emulator", "package"), WAYS)
def test_other_compilers_and_machines_give_the_same_bytes(compiler, kernel, isa, level, emulator, package, tmp_path):
    if not shutil.which(compiler) or (emulator and not shutil.which(emulator)):
        pytest.skip(f"needs {package}")
    if isa not in instruction_sets():
        pytest.skip(f"this machine has no {isa}")
    setup = runpy.run_path(str(ROOT / "setup.py"))
    flags = [flag for flag in setup["FLAGS"] if not flag.startswith("-O")] + [level, f"-DKERNEL={kernel}"]
    flags += setup["KERNELS"][isa]
    sources = [
        Path(__file__).with_name("driver.cpp"),
        *(NATIVE / part / f"{kernel}.cpp" for part in ("engine", "convolution")),
    ]
    builds = [
        subprocess.Popen([compiler, *flags, "-c", str(source), "-o", str(tmp_path / f"{number}.o")])
        for number, source in enumerate(sources)
    ]
    assert [build.wait() for build in builds] == [0, 0, 0]
    program = tmp_path / "driver"
    static = ["-static"] if emulator else []
    subprocess.run([compiler, *static, *map(str, tmp_path.glob("*.o")), "-o", str(program)], check=True)
    sweeps, layers = [sweep(seed) for seed in range(40)], [layer(seed) for seed in range(12)]
    layers += [layer(seed, torch.float64) for seed in range(4)]
    task_file(tmp_path / "tasks", sweeps, layers)
    command = [str(program), str(tmp_path / "tasks"), str(tmp_path / "results")]
    subprocess.run([emulator, *command] if emulator else command, check=True)
    expected = [*map(sweep_bytes, sweeps), *(layer_bytes(*case) for case in layers)]
    assert (tmp_path / "results").read_bytes() == b"".join(expected)


@pytest.mark.heavy
@pytest.mark.skipif(not X86 or not shutil.which("g++"), reason="needs g++ on x86-64")
@pytest.mark.parametrize("kernel", ["avx2", "avx512"])
def test_no_instruction_approximates(kernel, tmp_path):
    """All that can be said of AVX-512 on a machine without it: QEMU does not emulate it."""
    setup = runpy.run_path(str(ROOT / "setup.py"))
    source, target = NATIVE / f"engine/{kernel}.cpp", tmp_path / "kernel.s"
    subprocess.run(
        ["g++", *setup["FLAGS"], *setup["KERNELS"][kernel], "-S", str(source), "-o", str(target)], check=True
    )
    found = set(re.findall(r"^\t(v\w+)", target.read_text(), re.MULTILINE))
    assert {"vdivps", "vsqrtps"} < found and not {name for name in found if re.match(r"v(rcp|rsqrt|exp2)", name)}
