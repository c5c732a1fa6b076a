"""Compiles the native library, adds the configuration and completes the README's links; pyproject.toml holds everything else.

One file per instruction set, each with its own flags: the library picks one when it runs, so a build also works on older
machines than the one that made it. Without a C++ compiler the installation succeeds, and training uses PyTorch.
"""

import os
import platform
import re
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

NATIVE = "src/learner_collusion/native"
_DECIDING = tomllib.loads((Path(__file__).parent / NATIVE / "flags.toml").read_text(encoding="utf-8"))
FLAGS = [*_DECIDING["flags"], "-g0", "-Wno-psabi", "-pthread"]
KERNELS = _DECIDING["kernels"]
if platform.machine() not in ("x86_64", "AMD64"):
    KERNELS = {"portable": KERNELS["portable"]}
else:
    # GCC 12 warns of what its own header for AVX-512 leaves undefined on purpose
    KERNELS["avx512"].append("-Wno-maybe-uninitialized")
SOURCES = {f"{NATIVE}/{name}.cpp": [] for name in ("machine", "engine/permutations", "process/process")}
for part in ("engine", "convolution"):
    SOURCES[f"{NATIVE}/{part}/{part}.cpp"] = []
    SOURCES |= {f"{NATIVE}/{part}/{kernel}.cpp": flags for kernel, flags in KERNELS.items()}


# What the package reads of the clone, and an installed package beside `plan/configuration.py`.
SHIPPED = ("config.yaml", "workflow/schemas/config.schema.yaml")


class BuildPython(build_py):
    """Adds the paper's configuration and its schema to the package; an editable installation reads those of the clone."""

    def run(self):
        super().run()
        if not self.editable_mode:
            for path in SHIPPED:
                self.copy_file(path, os.path.join(self.build_lib, "learner_collusion/plan", os.path.basename(path)))


class BuildNative(build_ext):
    """Compiles each file with its own flags, as many at once as the machine has cores."""

    def build_extension(self, extension):
        def compiled(source: str) -> list[str]:
            flags = FLAGS + SOURCES[source]
            return self.compiler.compile(
                [source], output_dir=self.build_temp, depends=extension.depends, extra_postargs=flags
            )

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = [path for paths in pool.map(compiled, SOURCES) for path in paths]
        self.compiler.link_shared_object(
            objects, self.get_ext_fullpath(extension.name), extra_postargs=["-pthread"], target_lang="c++"
        )


def readme() -> str:
    """README.md with absolute links to the files of the repository, so that they also work on a package index."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]

    def absolute(link: re.Match) -> str:
        if not Path(link["path"]).exists():
            return link[0]
        kind = "raw" if link["image"] else "blob"
        return f"{link['before']}({project['urls']['Repository']}/{kind}/HEAD/{link['path']}{link['rest']})"

    text = Path("README.md").read_text(encoding="utf-8")
    return re.sub(r"(?P<before>(?P<image>!\[[^\]]*)?\])\((?P<path>[^)#\s]+)(?P<rest>[^)]*)\)", absolute, text)


# Not where a test reads SOURCES.
if __name__ == "__main__":
    setup(
        long_description=readme(),
        long_description_content_type="text/markdown",
        cmdclass={"build_ext": BuildNative, "build_py": BuildPython},
        ext_modules=[
            Extension(
                "learner_collusion.native._native",
                sources=list(SOURCES),
                depends=[f"{NATIVE}/flags.toml", *(str(header) for header in sorted(Path(NATIVE).rglob("*.h")))],
                language="c++",
                optional=True,
            )
        ],
    )
