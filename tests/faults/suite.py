"""Seeded faults on a small study, and what becomes of each: repaired, refused in a sentence and then repaired, lost, or falsified.

Example: python tests/faults/suite.py --count 500 --seed 0
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
if __name__ == "__main__":  # by hand, as tests have it
    sys.path[:0] = [str(HERE.parent)]
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

BEGIN, END = "<!-- faults -->", "<!-- /faults -->"
VERDICTS = ("repaired", "refused", "lost", "falsified")


def trials(count: int, seed: int, names: list[str] | None = None, snakemake: bool = True) -> list[tuple[str, int]]:
    """So many faults, each with a seed of its own: of each kind its share, and at least one. Without `snakemake` none of those that
    take long."""
    from faults.kinds import KINDS

    chosen = {
        name: kind.share
        for name, kind in KINDS.items()
        if (not names or name in names) and (snakemake or not kind.snakemake)
    }
    whole = sum(chosen.values())
    found = [(name, number) for name, share in chosen.items() for number in range(max(1, -(-count * share // whole)))]
    found = [(name, seed * 100_000 + number) for name, number in found]
    random.Random(seed).shuffle(found)
    return found


def lane(root: Path, chosen: list[tuple[str, int]], report: Path) -> None:
    """Do some faults one after the other, and write a line for each."""
    from faults.kinds import KINDS
    from faults.lab import Lab
    from faults.workflow import Workflow

    made: dict[bool, Lab] = {}
    try:
        with open(report, "w", encoding="utf-8") as file:
            for name, number in chosen:
                kind, start = KINDS[name], time.monotonic()
                if kind.snakemake not in made:
                    made[kind.snakemake] = (Workflow if kind.snakemake else Lab)(root / str(kind.snakemake))
                try:
                    verdict, said = kind.function(made[kind.snakemake], random.Random(f"{name} {number}"))
                except Exception:
                    verdict, said = "lost", traceback.format_exc()
                line = [name, number, verdict, said, time.monotonic() - start]
                file.write(json.dumps(line) + "\n")
                file.flush()
    finally:
        for lab in made.values():
            lab.close()


def run(
    count: int,
    seed: int,
    lanes: int = 1,
    names: list[str] | None = None,
    folder: Path | None = None,
    believing: bool = False,
    snakemake: bool = True,
) -> list[list]:
    """[kind, seed, verdict, what was said, seconds] of so many faults, done by so many processes."""
    from faults import forks
    from faults.kinds import KINDS

    forks.load()
    if believing:
        blind()
    root = Path(folder or tempfile.mkdtemp(prefix="faults-")).resolve()
    chosen = trials(count, seed, names, snakemake)
    # one process has all of Snakemake's: each that has some makes an undisturbed run first
    chosen.sort(key=lambda trial: not KINDS[trial[0]].snakemake)
    long = sum(KINDS[name].snakemake for name, _ in chosen)
    shares = [chosen[:long] if lanes > 1 else []] + [[] for _ in range(lanes - 1)]
    for trial in chosen[long if lanes > 1 else 0 :]:
        # as much work for each: one of Snakemake's counts as five
        place = min(range(lanes), key=lambda one: sum(5 if KINDS[name].snakemake else 1 for name, _ in shares[one]))
        shares[place].append(trial)
    children = []
    for number in range(lanes):
        place = root / f"lane{number}"
        shutil.rmtree(place, ignore_errors=True)
        if (child := os.fork()) == 0:
            status = 1
            try:
                lane(place, shares[number], root / f"report{number}")
                status = 0
            except BaseException:
                traceback.print_exc()
            sys.stderr.flush()
            os._exit(status)
        children.append(child)
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert not any(statuses), "a lane ended before its faults did"
    found = [
        json.loads(line) for number in range(lanes) for line in (root / f"report{number}").read_text().splitlines()
    ]
    if folder is None:
        shutil.rmtree(root, ignore_errors=True)
    return found


def blind() -> None:
    """Readers believe what they read: so the suite shows that it would tell."""
    from learner_collusion import seals
    from learner_collusion.records import identity

    seal_of, zip_seal = seals.seal_of, seals.zip_seal
    seals.seal_of = lambda content: (seal_of(content)[0] or "", True)
    seals.zip_seal = lambda path: (zip_seal(path)[0] or "", True)
    identity._checked = lambda job, one: identity.look(one.path, published=True).checksum


def table(found: list[list]) -> str:
    """How often each kind was tried, and what became of it."""
    from faults.kinds import KINDS

    rows = [("kind of fault", "tried", *VERDICTS)]
    for name in (*KINDS, "all"):
        verdicts = Counter(line[2] for line in found if name in (line[0], "all"))
        rows.append((name, *map(str, (sum(verdicts.values()), *(verdicts[one] for one in VERDICTS)))))
    lines = ["| " + " | ".join(row) + " |" for row in rows if row[1] != "0"]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500, help="of faults (default: 500)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: 0)")
    parser.add_argument(
        "--lanes", type=int, default=min(2, os.cpu_count() or 1), help="processes that try faults (default: 2)"
    )
    parser.add_argument("--kind", nargs="+", metavar="NAME", help="only these (default: all)")
    parser.add_argument("--document", type=Path, help="a page whose table is written anew")
    parser.add_argument("--folder", type=Path, help="where they work, and what is left there (default: none is left)")
    parser.add_argument("--verbose", action="store_true", help="show what was said of each")
    parser.add_argument(
        "--blind", action="store_true", help="with readers that believe everything, to see that the suite tells"
    )
    parser.add_argument("--no-snakemake", dest="snakemake", action="store_false", help="without those that take long")
    options = parser.parse_args()
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    found = run(
        options.count, options.seed, options.lanes, options.kind, options.folder, options.blind, options.snakemake
    )
    for name, number, verdict, said, seconds in found:
        if options.verbose or verdict in ("lost", "falsified"):
            print(f"{name}, seed {number}: {verdict} in {seconds:.1f} s. {said}\n")
    minutes = (time.monotonic() - start) / 60
    shown = (
        f"{table(found)}\n\n{len(found)} faults, seed {options.seed}, {minutes:.0f} minutes on {options.lanes} cores."
    )
    print(shown)
    if options.document:
        text = options.document.read_text(encoding="utf-8")
        before, _, rest = text.partition(f"{BEGIN}\n")
        options.document.write_text(f"{before}{BEGIN}\n\n{shown}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return int(any(line[2] in ("lost", "falsified") for line in found))


if __name__ == "__main__":
    sys.exit(main())
