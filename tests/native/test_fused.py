"""The fused multiply-add of processors without one is that of IEEE 754, in the last bit."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "src/learner_collusion/native"


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_the_emulated_multiply_add_is_rounded_once(compiler, tmp_path):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    flags = tomllib.loads((NATIVE / "flags.toml").read_text())["flags"]
    program = tmp_path / "fused"
    subprocess.run([compiler, *flags, "-w", HERE / "fused.cpp", "-o", program], check=True, timeout=120)
    found = subprocess.run([program], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout == "0\n"
