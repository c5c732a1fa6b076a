"""A small study of all stages, and the jobs that the workflow plans for it: their commands, word for word, with what they read and
write. The faults are done to its files."""

import contextlib
import hashlib
import http.server
import os
import random
import re
import shlex
import socket
from dataclasses import dataclass
from pathlib import Path

import yaml
from workflows import plan

HERE = Path(__file__).parent
FINALS = (
    "results/claims.md", "results/claims.parquet", "results/tables/table1_imagenet.md",
    *(f"results/records/{name}.parquet" for name in ("tabular", "images", "imagenet", "sensitivity")),
)  # fmt: skip
# The same study with other settings, which change what each stage that trains makes.
OTHER = {
    "tabular": {"training": {"max_epochs": 5}, "split": {"test": 0.3}},
    "images": {"protocols": {"sgd": {"learning_rate": 0.04}}},
    "imagenet": {"models": {"imagenet_squeezenet1_1": {"learning_rate": 0.03}}},
}


@dataclass(frozen=True)
class Step:
    """A job: what it reads and writes, and its command without `learner-collusion`; of a settings file its text."""

    rule: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    arguments: tuple[str, ...]
    text: str | None = None


def houses() -> bytes:
    """A table that is downloaded."""
    numbers = random.Random(0)
    rows = [[numbers.gauss(0, 1) for _ in range(3)] for _ in range(150)]
    lines = [f"{a:.4f},{b:.4f},{c:.4f},{a + b * c + numbers.gauss(0, 0.1):.4f}" for a, b, c in rows]
    return ("area,rooms,age,price\n" + "\n".join(lines) + "\n").encode()


def write(folder: Path, port: int) -> tuple[Path, Path]:
    """The configuration of the study, and what changes it to the other one."""
    file = {"file": "houses.csv", "url": f"http://127.0.0.1:{port}/houses.csv", "target": "price"}
    file |= {"sha256": [hashlib.sha256(houses()).hexdigest()], "title": "houses", "incomplete": "leave_out"}
    study = yaml.safe_load((HERE / "study.yaml").read_text(encoding="utf-8"))
    study |= {"tables": {"houses": file}, "datasets": {"retries": 0, "timeout": 1}}
    paths = folder / "study.yaml", folder / "other.yaml"
    for path, content in zip(paths, (study, OTHER), strict=True):
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return paths


def steps(configuration: list[Path], folder: Path, targets: tuple[str, ...] = FINALS) -> list[Step]:
    """The jobs of a study that nothing has been made of, in an order in which they can run."""
    planned = plan("-p", "--configfile", *configuration, "--directory", folder, "--", *targets)
    assert planned.returncode == 0, planned.stdout + planned.stderr
    blocks = re.findall(
        r"^(?:local)?rule (\w+):\n(.*?)^Shell command: ?(.*?)(?=^\[\w{3} \w{3} |^Job stats:)",
        planned.stdout,
        re.M | re.S,
    )
    found = [_step(*block) for block in blocks]
    made: set[str] = set()
    ordered: list[Step] = []
    while found:
        ready = [step for step in found if not {path for other in found for path in other.outputs} & set(step.inputs)]
        assert ready, [step.rule for step in found]
        ordered += ready
        made.update(path for step in ready for path in step.outputs)
        found = [step for step in found if step not in ready]
    assert set(targets) <= made
    return ordered


def _step(rule: str, about: str, command: str) -> Step:
    inputs, outputs = (
        tuple(match[1].split(", ")) if (match := re.search(rf"^    {name}: (.*)$", about, re.M)) else ()
        for name in ("input", "output")
    )
    if rule in ("settings", "configuration"):
        return Step(rule, inputs, outputs, (), shlex.split(command)[2])
    line = re.search(r"-m learner_collusion (.*?)2>&1", command, re.S)[1]
    # one process: the same bytes, and nothing is imported anew
    words = shlex.split(re.sub(r"--processes \$\(\(.*?\)\)", "--processes 1", line))
    return Step(rule, inputs, outputs, tuple(words))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Origin:
    """A web server in a process of its own; `behave` says in a file how it answers from now on."""

    def __init__(self, folder: Path):
        self.port, self.mood = free_port(), folder / "mood"
        self.behave("well")
        self.process = os.fork()
        if self.process == 0:
            mood = self.mood

            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    with contextlib.suppress(ConnectionError):  # who asked has given up
                        answer(self, mood.read_text())

                def log_message(self, *_):
                    pass

            http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler).serve_forever()

    def behave(self, mood: str) -> None:
        self.mood.write_text(mood)

    def close(self) -> None:
        os.kill(self.process, 9)
        os.waitpid(self.process, 0)


MOODS = (
    "cut short", "cut without a length", "one bit", "a page", "nothing", "an error", "not found", "moved to itself", "nonsense",
    "too slow", "half, then reset", "another table",
)  # fmt: skip


def answer(handler, mood: str) -> None:
    """Answer a request; all moods but "well" lie or stop in between."""
    content, status, length = houses(), 200, None
    seed = random.Random(mood)
    if mood == "nothing":
        return
    if mood == "nonsense":
        handler.wfile.write(b"\x00\xff nonsense\r\n\r\n")
        return
    if mood.startswith("one bit"):
        place = seed.randrange(len(content))
        content = content[:place] + bytes([content[place] ^ 1 << seed.randrange(8)]) + content[place + 1 :]
    status = {"an error": 500, "not found": 404, "moved to itself": 302}.get(mood, 200)
    content = {"a page": b"<html>Please log in.</html>", "another table": content.replace(b"1", b"2")}.get(
        mood, content
    )
    length = len(content)
    if mood in ("cut short", "half, then reset", "cut without a length"):
        content = content[: seed.randrange(1, len(content))]
    handler.send_response(status)
    if mood != "cut without a length":
        handler.send_header("Content-Length", str(length))
    if status == 302:
        handler.send_header("Location", handler.path)
    handler.end_headers()
    if mood == "too slow":
        import time

        for place in range(0, 60, 10):
            handler.wfile.write(content[place : place + 10])
            time.sleep(0.5)
        return
    handler.wfile.write(content)
    if mood == "half, then reset":
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
