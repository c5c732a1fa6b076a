"""Means of many columns over rows that are drawn with replacement, a block of rows at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 2**13  # rows that share a generator, so the numbers depend on it
_NUMBERS = 2**20  # predictions from which columns are made at once, which bounds the memory


class Estimate(NamedTuple):
    """A value and its 95 % interval, by bootstrap over rows."""

    value: float
    low: float
    high: float


def resample(
    columns: Callable[[slice], dict[str, Tensor]],
    rows: int,
    width: int,
    draws: int,
    seed: int,
    threads: int = 1,
    progress: Callable[[int], None] | None = None,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Means of columns over all rows, (1, ...) by name, and over each of the `draws` samples of the rows, (draws, ...).

    `columns` gives those of a slice of the rows, (rows of the slice, ...) each; `width` is about how many predictions a row
    has. A sample has as many rows as there are, drawn with replacement: how many of them fall into each block of BLOCK rows is
    drawn first (multinomially), then which. That is the ordinary bootstrap, and its memory does not grow with the rows. The same
    `seed` draws the same rows, whatever the columns, and with any number of `threads`, which work on a block each.
    `progress` is called with the number of rows of each block that is done.

    Means are float64, on the CPU.
    """
    starts = range(0, rows, BLOCK)
    sizes = [min(BLOCK, rows - first) for first in starts]
    together = max(1, min(BLOCK, _NUMBERS // width))

    @torch.no_grad()  # a thread does not inherit it
    def sums(block: int, drawn: Tensor) -> dict[str, Tensor]:
        times = _times(sizes[block], drawn, seed + block)
        totals: dict[str, Tensor] = {}
        for start in range(0, sizes[block], together):
            stop = min(start + together, sizes[block])
            part = columns(slice(starts[block] + start, starts[block] + stop))
            part = {name: column.double().cpu() for name, column in part.items()}
            flat = torch.cat([column.reshape(len(column), -1) for column in part.values()], 1)
            added = (times[:, start:stop] @ flat).split([column[0].numel() for column in part.values()], 1)
            _add(totals, {name: a.reshape(-1, *part[name].shape[1:]) for name, a in zip(part, added, strict=True)})
        return totals

    totals: dict[str, Tensor] = {}
    with ThreadPoolExecutor(threads) as pool:
        for size, found in zip(sizes, pool.map(sums, range(len(sizes)), _shares(sizes, draws, seed)), strict=True):
            _add(totals, found)  # in the order of the blocks
            if progress:
                progress(size)
    means = {name: total / rows for name, total in totals.items()}
    return {name: mean[:1] for name, mean in means.items()}, {name: mean[1:] for name, mean in means.items()}


def estimate(value: Tensor | float, drawn: Tensor) -> Estimate:
    """A value with the interval that its draws (draws,) span."""
    low, high = torch.quantile(drawn, torch.tensor([0.025, 0.975], dtype=drawn.dtype)).tolist()
    return Estimate(float(value), low, high)


def _shares(sizes: list[int], draws: int, seed: int) -> list[Tensor]:
    """How many rows of each sample fall into each block, (draws,) a block."""
    rows = sum(sizes)
    left, shares = torch.full((draws,), rows, dtype=torch.float64), []
    generator = torch.Generator().manual_seed(seed + len(sizes))
    for size in sizes[:-1]:
        shares.append(torch.binomial(left, torch.full_like(left, size / rows), generator=generator))
        left, rows = left - shares[-1], rows - size
    return [*shares, left]


def _times(rows: int, drawn: Tensor, seed: int) -> Tensor:
    """How often each row of a block counts: once, and as often as each sample has it, (1 + draws, rows)."""
    generator = torch.Generator().manual_seed(seed)
    times = torch.ones(1 + len(drawn), rows, dtype=torch.float64)
    for k, count in enumerate(drawn.long().tolist(), 1):
        times[k] = torch.bincount(torch.randint(rows, (count,), generator=generator), minlength=rows)
    return times


def _add(totals: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    for name, value in found.items():
        totals[name] = totals[name] + value if name in totals else value
