"""The engine's tests once more on a build with AddressSanitizer and UndefinedBehaviorSanitizer: no report."""

import os
import platform
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

NATIVE = ROOT / "src/learner_collusion/native"


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the flags are those of x86-64")
def test_sanitizers_are_silent(tmp_path):
    # libstdc++ beside it: its interceptor of C++ exceptions looks for them among what is loaded at the start.
    runtime = [
        subprocess.run(["g++", f"-print-file-name={name}"], capture_output=True, text=True).stdout.strip()
        for name in ("libasan.so", "libstdc++.so")
    ]
    if not all(map(os.path.isabs, runtime)):
        pytest.skip("g++ has no AddressSanitizer here")
    flags = {"engine": [], "portable": [], "avx2": ["-mavx2", "-mfma"],
             "avx512": ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mfma"]}  # fmt: skip
    common = [
        "-std=c++17",
        "-O1",
        "-g",
        "-fPIC",
        "-Wno-psabi",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
    ]
    builds = [
        subprocess.Popen(["g++", *common, *own, "-c", str(NATIVE / f"{name}.cpp"), "-o", str(tmp_path / f"{name}.o")])
        for name, own in flags.items()
    ]
    assert all(build.wait() == 0 for build in builds)
    library = tmp_path / "sanitized.so"
    objects = [str(tmp_path / f"{name}.o") for name in flags]
    subprocess.run(
        ["g++", "-shared", "-pthread", "-fsanitize=address,undefined", *objects, "-o", str(library)], check=True
    )
    environment = os.environ | {
        "LD_PRELOAD": " ".join(runtime),
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter itself leaks at exit
        "LEARNER_COLLUSION_NATIVE": str(library),
    }
    files = ("tests/training/test_engines.py", "tests/native/test_convolution.py")
    command = [sys.executable, "-m", "pytest", "-s", "-p", "no:xdist", *files, "-k", "native"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    output = result.stdout + result.stderr
    assert result.returncode == 0 and " passed" in output, output[-4000:]
    assert "AddressSanitizer" not in output and "runtime error" not in output
