"""The cells of the image experiments."""

from learner_collusion.plan import cells


def test_paths():
    cell = {"protocol": "sgd", "dataset": "cifar10", "model": "resnet18", "learners": 5, "averaging": "probability"}
    path = cells.history_path(**cell, drop_rate=0.0, beta=1, run=3)
    assert path == "results/images/sgd/cifar10/resnet18/m5-probability/drop0/beta1/run3/history.parquet"
    assert cells.number(0.1) == "0.1" and cells.number(1 / 3) == "0.333333333333"


def test_shared_cells_come_once(config):
    alone = {name: cells.cells(config, [name]) for name in config["images"]["experiments"]}
    assert {name: len(found) for name, found in alone.items()} == {
        "practical": 144, "curves": 24, "larger": 36, "score": 72, "cnn": 36, "vgg": 18, "dropout": 20,
    }  # fmt: skip
    together = cells.cells(config, list(alone))
    # 5 of the runs of `dropout` are also runs of `practical`
    assert len(together) == len(set(together)) == 345


def test_data_sets(config):
    assert cells.datasets(config, ["practical", "vgg"]) == ["cifar10", "cifar100", "svhn"]


def test_imagenet(config):
    found = cells.imagenet(config, [])
    assert len(found) == len(set(found)) == 16
    assert found[1] == "results/imagenet/imagenet/imagenet_resnet18/m5/beta1/run0/history.parquet"
    assert cells.imagenet(config, ["imagenet_mobilevit_xs"]) == [path for path in found if "mobilevit" in path]
