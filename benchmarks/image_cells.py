"""What of an image cell is the same on other processors, with other threads, and where not, how far apart it is?

One small cell of each family (the `ci` preset: scikit-learn's digits, two epochs) once for each setting below, in a process
of its own. The settings make this machine compute as a smaller one would. Needs no network:

    python benchmarks/image_cells.py               # a table on standard output; about five minutes on a core
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
# protocol, model, learners, drop rate
CELLS = {
    "ResNet-18": ("sgd", "resnet18", 5, 0.0),
    "CNN": ("cnn", "cnn", 5, 0.0),
    "VGG": ("vgg", "vgg", 5, 0.0),
    "learner dropout": ("sgd", "resnet18", 5, 0.6),
}
ATEN, ONEDNN, MKL = {"ATEN_CPU_CAPABILITY": "avx2"}, {"ONEDNN_MAX_CPU_ISA": "AVX2"}, {"MKL_ENABLE_INSTRUCTIONS": "AVX2"}
SETTINGS = {
    "one thread, the machine's own": {},
    "the same again": {},
    "two threads": {"LEARNER_COLLUSION_BENCH_THREADS": "2"},
    "ONEDNN_MAX_CPU_ISA=AVX512_CORE": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    "ONEDNN_MAX_CPU_ISA=AVX2": ONEDNN,
    "ATEN_CPU_CAPABILITY=avx2": ATEN,
    "MKL_ENABLE_INSTRUCTIONS=AVX2": MKL,
    "LEARNER_COLLUSION_ISA=avx2": {"LEARNER_COLLUSION_ISA": "avx2"},
    "all four for AVX2": ATEN | ONEDNN | MKL | {"LEARNER_COLLUSION_ISA": "avx2"},
}


def train(output: Path) -> None:
    """The cells in this process; their histories to `output`."""
    from learner_collusion.plan import configuration, settings
    from learner_collusion.stages import fetch, prepare, train_images
    from learner_collusion.training.protocol import Cell, Hardware

    paper = configuration.load(configuration.PAPER)
    config = configuration.load_all([ROOT / "config.yaml", ROOT / "workflow/presets/ci.yaml"])
    archive, images = str(output / "archive.tar"), str(output / "digits.npz")
    for stage, make, paths in (
        ("fetch", fetch.fetch_images, [archive]),
        ("prepare", prepare.prepare_images, [archive, images]),
    ):
        _, plain = settings.of_kind(settings.take(config, paper, stage, "digits"), table=make, images=make)
        make("digits", plain, *paths)
    threads = int(os.environ.get("LEARNER_COLLUSION_BENCH_THREADS", "1"))
    for name, (protocol, model, learners, drop_rate) in CELLS.items():
        cell = Cell(protocol, "digits", model, learners, "probability", drop_rate, 1.0, 0)
        part = settings.take(config, paper, "train_images", f"{protocol}-digits")
        chosen = settings.convert(part, train_images.Settings)
        hardware = Hardware(threads=threads, checkpoint_minutes=60)
        train_images.train(cell, chosen, hardware, images, str(output / f"{name}.parquet"))


def difference(ours, theirs) -> str:
    """ "identical", or how many of the numbers differ and the largest difference of ERR."""
    if ours.equals(theirs):
        return "identical"
    if len(ours) != len(theirs):
        return "stops elsewhere"
    apart = (ours["value"] - theirs["value"]).abs()
    errors = apart[ours["metric"] == "err"]
    return f"{(apart > 0).sum()} of {len(apart)} differ; ERR by at most {errors.max():.1g}"


def main() -> None:
    """Run every setting, compare the histories with those of the first one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return train(options.child)
    import pandas as pd

    reference = None
    print(f"| setting | {' | '.join(CELLS)} |\n|---|{'---|' * len(CELLS)}")
    for setting, variables in SETTINGS.items():
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--child", folder]
            done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True)
            if done.returncode:
                print(f"| {setting} | does not run here: {done.stderr.strip().splitlines()[-1:]} |", flush=True)
                continue
            found = {name: pd.read_parquet(Path(folder, f"{name}.parquet")) for name in CELLS}
        reference = reference or found
        told = " | ".join(difference(found[name], reference[name]) for name in CELLS)
        print(f"| {setting} | {told} |", flush=True)


if __name__ == "__main__":
    main()
