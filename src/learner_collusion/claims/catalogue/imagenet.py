"""The claims of Section 3 and of Figure 6, right: ImageNet, one run of each architecture.

With one run the rows of single architectures have values and no verdict. What can be judged is how often one objective wins
among the architectures, each counted once: a sign test.
"""

from .entry import Claim

_AT_BEST = "On validation pictures, at the evaluation of the lowest validation ERR: "


def _of_each(metric: str, name: str) -> Claim:
    return Claim(
        "C11", "imagenet", f"Independent training is more accurate than joint training, {name}", "Section 3, Table 1",
        "loss_from_zero_to_one", above=0, options={"metric": metric},
        neutral=f"Independent training is more accurate than joint training, {name}",
        measures=f"{_AT_BEST}{name} accuracy of the ensemble at beta = 0 minus that at 1.",
    )  # fmt: skip


def _of_all(metric: str, name: str) -> Claim:
    return Claim(
        "C11", "imagenet", f"Independent training consistently performs better, {name}: for more than half of such architectures",
        "Section 3, Table 1", "signs", above=0.5, options={"metric": metric},
        neutral=f"Independent training performs better for more than half of such architectures, {name}",
        measures=f"{_AT_BEST}the share of the architectures whose {name} accuracy is higher at beta = 0 than at 1. A sign test over the "
        "architectures, each one vote: it takes them for a sample of such architectures, and asks how often one of the two "
        "objectives wins, not by how much. Equal accuracies have no vote. For a verdict at 95 % all of six, seven or eight votes must "
        "agree.",
    )  # fmt: skip


def _throughout(of: str, text: str, neutral: str, measures: str) -> Claim:
    return Claim(
        "C10", "imagenet", text, "Section 6.3, Figure 6, right", "lead_over_training", above=0,
        options={"of": of, "model": "imagenet_resnet18", "share": 0.1}, neutral=neutral,
        measures=f"Validation accuracy {measures} at beta = 0 minus that at 1, at each evaluation that both have: the lowest but a "
        "tenth of them, so above 0 where beta = 0 leads at nine tenths of the evaluations.",
    )  # fmt: skip


IMAGENET = (
    _of_each("accuracy", "top-1"),
    _of_each("top5", "top-5"),
    _of_all("accuracy", "top-1"),
    _of_all("top5", "top-5"),
    _throughout(
        "ensemble", "The jointly trained ensemble is less accurate throughout training",
        "The jointly trained ensemble is less accurate throughout training", "of the ensemble",
    ),
    _throughout(
        "learners", "Base learners of joint training are less accurate throughout training",
        "Base learners of joint training are less accurate throughout training", "of the learners, their mean,",
    ),
    _throughout(
        "learners minus ensemble", "From independent to joint training, base learners lose more accuracy than their ensemble, throughout training",
        "From independent to joint training, base learners lose more accuracy than their ensemble, throughout training",
        "of the learners, their mean, minus that of their ensemble,",
    ),
)  # fmt: skip
