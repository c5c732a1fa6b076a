"""The native library's tests on a build with AddressSanitizer and UndefinedBehaviorSanitizer: no report, whatever the shapes."""

import os
import platform
import runpy
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

# no optimisation: it would take most of the time of this test
FLAGS = ["-std=c++17", "-O0", "-g", "-fPIC", "-Wno-psabi", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.mark.heavy
@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the flags are those of x86-64")
def test_sanitizers_are_silent(tmp_path):
    # libstdc++ too: the interceptor of C++ exceptions looks for them among the libraries that are loaded first
    runtime = [
        subprocess.run(["g++", f"-print-file-name={name}"], capture_output=True, text=True).stdout.strip()
        for name in ("libasan.so", "libstdc++.so")
    ]
    if not all(map(os.path.isabs, runtime)):
        pytest.skip("g++ has no AddressSanitizer here")
    sources = runpy.run_path(str(ROOT / "setup.py"))["SOURCES"]
    objects = [str(tmp_path / f"{number}.o") for number in range(len(sources))]
    builds = [
        subprocess.Popen(["g++", *FLAGS, *flags, "-c", str(ROOT / source), "-o", target])
        for (source, flags), target in zip(sources.items(), objects, strict=True)
    ]
    assert [build.wait() for build in builds] == [0] * len(builds)
    library = tmp_path / "sanitized.so"
    subprocess.run(
        ["g++", "-shared", "-pthread", "-fsanitize=address,undefined", *objects, "-o", str(library)], check=True
    )
    environment = os.environ | {
        "LD_PRELOAD": " ".join(runtime),
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter itself leaks at exit
        "LEARNER_COLLUSION_NATIVE": str(library),
    }
    files = ["tests/training/test_engines.py"]
    files += [f"tests/native/test_{name}.py" for name in ("engine", "convolution", "mistakes")]
    command = [sys.executable, "-m", "pytest", "-s", "-p", "no:xdist", *files, "-k", "native"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    output = result.stdout + result.stderr
    assert result.returncode == 0 and " passed" in output, output[-4000:]
    assert "AddressSanitizer" not in output and "runtime error" not in output
