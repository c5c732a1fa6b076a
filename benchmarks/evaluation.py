"""How many images to evaluate at once on a CPU: seconds of its time for 1,000 images, of the process and of the kernel for it.

    python benchmarks/evaluation.py [--size PIXELS] [--model NAME] [--width W]

Five networks on one thread, batch sizes in turns, medians of five rounds. Scores do not depend on the batch.
"""

import argparse
import resource
import statistics

import torch

from learner_collusion.models.ensemble import ensemble
from learner_collusion.publishing.markdown import table

SIZES = (500, 256, 100, 50, 32, 16)


def spent() -> tuple[float, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime, used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--width", type=float, default=1 / 16)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--images", type=int, default=1000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    last = torch.channels_last
    net = ensemble(options.model, 5, 10, options.width).to(memory_format=last).eval()
    images = torch.randn(options.images, 3, options.size, options.size).to(memory_format=last)
    taken: dict[int, list[tuple[float, float]]] = {size: [] for size in SIZES}
    scores = {}
    with torch.no_grad():
        for turn in range(6):
            for size in SIZES:
                before = spent()
                scores[size] = torch.cat([net(part) for part in images.split(size)])
                if turn:  # the first one warms up
                    taken[size].append(tuple(b - a for a, b in zip(before, spent(), strict=True)))
    totals = {size: statistics.median(map(sum, each)) for size, each in taken.items()}
    rows = []
    for size, each in taken.items():
        process, kernel = (statistics.median(part) for part in zip(*each, strict=True))
        farthest = (scores[size] - scores[SIZES[0]]).abs().max().item()
        rows.append(
            {
                "images at once": size,
                "process, s": f"{process:.2f}",
                "kernel, s": f"{kernel:.2f}",
                "times the fastest": f"{totals[size] / min(totals.values()):.2f}",
                "scores differ by": f"{farthest:.1g}",
            }
        )
    print(table(rows))


if __name__ == "__main__":
    main()
