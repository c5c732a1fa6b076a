"""The live line of `make demo`."""

import subprocess
import sys

from learner_collusion.live import follow


def test_line_says_how_far_it_is():
    shown = []
    lines = [
        "localrule fetch:\n",
        "rule tune_run:\n",
        "    wildcards: dataset=abalone, run=3\n",
        "5 of 20 steps (25%) done\n",
    ]
    follow(lines, shown.append)
    assert shown[-1].startswith("5 of 20 steps") and shown[-1].endswith("tune run (dataset=abalone, run=3)")


def test_failure_is_shown_and_its_code_kept(tmp_path):
    command = [sys.executable, "-m", "learner_collusion.live", "--title", "T", "--show", ".", "--print", "x", "--"]
    code = "import sys; print('what went wrong'); sys.exit(3)"
    result = subprocess.run([*command, sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 3 and "what went wrong" in result.stderr and "Traceback" not in result.stderr


def test_success_prints_the_claims_and_figures(tmp_path):
    (tmp_path / "claims.md").write_text("| C1 |")
    (tmp_path / "fig.pdf").write_text("")
    command = [
        sys.executable,
        "-m",
        "learner_collusion.live",
        "--title",
        "T",
        "--show",
        ".",
        "--print",
        "claims.md",
        "--",
    ]
    result = subprocess.run([*command, "true"], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0 and "| C1 |" in result.stdout and "fig.pdf" in result.stdout
