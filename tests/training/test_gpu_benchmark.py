"""benchmarks/gpu.py in its tiny form: it runs without a GPU, and writes down each part as it goes."""

import json
import subprocess
import sys
from pathlib import Path

from learner_collusion.data import image_arrays
from learner_collusion.records import parquet

ROOT = Path(__file__).parents[2]


def test_all_parts_run_in_a_tiny_form(tmp_path, images):
    arrays = {name: getattr(images, name) for name in image_arrays.ARRAYS}
    image_arrays.write(tmp_path / "cifar10.npz", arrays, {"dataset": "cifar10"})
    command = [sys.executable, str(ROOT / "benchmarks/gpu.py"), "--device", "cpu", "--precision", "fp32"]
    command += ["--images", str(tmp_path / "cifar10.npz"), "--output", str(tmp_path), "--minutes", "5"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())["parts"]
    assert all(part["gradient"] < 1e-6 for part in found["losses"].values())
    assert found["steps"]["ways"]["ours, fp32"]["milliseconds"] > 0
    assert 0 <= found["tabular engine"]["torch, cpu"]["difference"] < 1e-4
    rates = found["picture input"]["ways"]["pictures a second"]
    assert set(rates) == {"exact", "scaled", "kept", "torchvision", "exact / torchvision"} and min(rates.values()) > 0
    assert list(found["cells"]) == ["beta 0", "beta 1", "beta 0.6"]
    cells = [parquet.read_metadata(path)["cell"] for path in tmp_path.rglob("history.parquet")]
    assert sorted(cell["beta"] for cell in cells) == [0, 0.6, 1]
    assert "## cells" in (tmp_path / "gpu.md").read_text()
