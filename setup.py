"""Builds the native engine; everything else stands in pyproject.toml.

One file an instruction set, each with its own flags: the engine picks one when it runs, so the binary also works on
machines older than the one that built it. Without a compiler the installation goes on, and training uses PyTorch.
"""

import platform

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

NATIVE = "src/learner_collusion/native"
FLAGS = ["-std=c++17", "-O3", "-g0", "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi", "-pthread"]
FILES = {f"{NATIVE}/engine.cpp": [], f"{NATIVE}/portable.cpp": []}
if platform.machine() in ("x86_64", "AMD64"):
    FILES[f"{NATIVE}/avx2.cpp"] = ["-mavx2", "-mfma"]
    # GCC 12 warns of what its own header for AVX-512 leaves undefined on purpose
    FILES[f"{NATIVE}/avx512.cpp"] = ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mfma", "-Wno-maybe-uninitialized"]


class BuildNative(build_ext):
    """Compiles each file with its own flags."""

    def build_extension(self, extension):
        objects = []
        for source, flags in FILES.items():
            objects += self.compiler.compile(
                [source], output_dir=self.build_temp, depends=extension.depends, extra_postargs=FLAGS + flags
            )
        self.compiler.link_shared_object(
            objects, self.get_ext_fullpath(extension.name), extra_postargs=["-pthread"], target_lang="c++"
        )


setup(
    cmdclass={"build_ext": BuildNative},
    ext_modules=[
        Extension(
            "learner_collusion.native._native",
            sources=list(FILES),
            depends=[
                f"{NATIVE}/{header}.h" for header in ("engine", "kernel", "layers", "block", "product", "convolution")
            ],
            language="c++",
            optional=True,
        )
    ],
)
