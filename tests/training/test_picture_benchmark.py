"""benchmarks/pictures.py in a tiny form: every way gives pictures, from drawn ones and from a tar."""

import importlib.util
from pathlib import Path

import drawn_pictures as make
import pytest


@pytest.fixture(scope="module")
def benchmark():
    path = Path(__file__).parents[2] / "benchmarks/pictures.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_pictures", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("packed", [False, True])
def test_every_way_is_measured(benchmark, tmp_path, packed):
    archive = make.tar(tmp_path / "x.tar", make.drawn()) if packed else None
    options = {"workers": 0, "seconds": 0.01, "size": 16, "batch": 4, "rounds": 1, "drawn": 24}
    found = benchmark.throughput(archive=archive and str(archive), **options)
    for rates in (found["pictures_per_second"], found["core_milliseconds"]):
        assert set(rates) == {"exact", "scaled", "kept", "torchvision"} and min(rates.values()) > 0
    assert found["ratio"] > 0 and found["core_ratio"] > 0 and found["size"] == 16
