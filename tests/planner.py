"""Imports Snakemake once, and forks for each dry run that it reads from standard input: importing takes far longer than
planning. A line of JSON each: (arguments, working folder, environment, files for both outputs); the answer is the status."""

import json
import os
import signal
import sys

from snakemake.cli import main

TIMEOUT = 600  # seconds of one run


def become(arguments: list[str], folder: str, environment: dict[str, str], outputs: list[str]) -> None:
    """Make this process what `snakemake ARGUMENTS` is when it has imported everything."""
    signal.alarm(TIMEOUT)
    for number, path in enumerate([os.devnull, *outputs]):
        os.dup2(os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["snakemake", *arguments]


for line in sys.stdin:
    if (child := os.fork()) == 0:
        become(*json.loads(line))
        sys.exit(main())
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
