"""Runs Snakemake with one live line that says how far it is; its full output goes to a log.

python -m learner_collusion.live --title TITLE --show FOLDER --print FILE -- snakemake ...
"""

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

_STEPS = re.compile(r"(\d+) of (\d+) steps \((\d+)%\) done")
_RULE = re.compile(r"^(?:local)?rule (\w+):")
_WILDCARDS = re.compile(r"^    wildcards: (.*)")


def follow(lines, write) -> None:
    """Turn Snakemake's output into one line that is written over and over, through `write`."""
    start, done, total, rule = time.monotonic(), 0, 0, ""
    for line in lines:
        if found := _STEPS.search(line):
            done, total = int(found[1]), int(found[2])
        elif found := _RULE.match(line):
            rule = found[1].replace("_", " ")
        elif found := _WILDCARDS.match(line):
            rule = f"{rule.split(' (')[0]} ({found[1]})"
        else:
            continue
        share = f"{done} of {total} steps" if total else "starting"
        write(f"{share}, {time.monotonic() - start:.0f} s: {rule}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--title", required=True)
    parser.add_argument("--show", required=True, help="folder of figures to name at the end")
    parser.add_argument("--print", required=True, dest="table", help="text to print at the end")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    log = Path("runs/live.log")
    log.parent.mkdir(exist_ok=True)
    live = sys.stdout.isatty()
    shown = [0.0]

    def write(text: str) -> None:
        # over itself on a terminal; in a log file a line now and then
        if live:
            print(f"\r\033[K{text[:118]}", end="", flush=True)
        elif time.monotonic() - shown[0] > 15:
            shown[0] = time.monotonic()
            print(text, flush=True)

    print(options.title, flush=True)
    process = subprocess.Popen(options.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        with open(log, "w", encoding="utf-8") as file:

            def tee():
                for line in process.stdout:
                    file.write(line)
                    yield line

            follow(tee(), write)
        code = process.wait()
    except KeyboardInterrupt:
        process.wait()
        print("\nStopped; the same command goes on from here.")
        return 130
    print("\r\033[K" if live else "", end="")
    if code:
        tail = log.read_text(encoding="utf-8").splitlines()[-25:]
        print("\n".join(tail), file=sys.stderr)
        print(
            f"It did not finish; the whole output is in {log}, and the same command goes on from here.", file=sys.stderr
        )
        return code
    print(Path(options.table).read_text(encoding="utf-8"))
    print("Figures (PDF, PNG and the plotted numbers as CSV):")
    for path in sorted(Path(options.show).glob("*.pdf")):
        print(f"  {path}")
    print(f"Claims: {options.table}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
