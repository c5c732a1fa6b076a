"""Every table of the paper that is made, one entry each; the rules, the command line and the report read it here.

To add a table: write a function that makes it in `tables.py`, and add its entry.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """`make`: "module:function" below `learner_collusion.publishing`, called as `function(settings, entry, output, parquet)`
    with this entry, see `stages.table`, and with the records of its part where it `reads` them. `part` of the paper; `title` heads the file; `shows` and `caption` are for the report.
    `model`: the base learner whose layers it lists, if it does; `remark`: what to know about the paper's table."""

    make: str
    part: str
    title: str
    shows: str
    caption: str
    model: str | None = None
    remark: str = ""
    reads: bool = False


_LAYERS = "The layers of the base learner, read from the module that is trained."

TABLES = {
    "table1_imagenet": Table(
        "table1:accuracies", "imagenet", "Table 1: independent and joint training on ImageNet",
        "top-1 and top-5 accuracy of eight ensembles, independent and joint",
        "**Table 1.** Top-1 and top-5 accuracy of the ensembles, trained independently and jointly, with the paper's numbers beside them.",
        reads=True,
    ),
    "table2_losses": Table(
        "tables:losses", "theory", "Table 2: ensemble loss functions", "loss functions and their gradients",
        "**Table 2.** The loss functions and their gradients, each verified numerically.",
    ),
    "table3_cnn": Table(
        "tables:layers", "images", "Table 3: the convolutional network", "the layers of the CNN", f"**Table 3.** {_LAYERS}",
        model="cnn",
        remark="The paper's Table 3 has kernel 5, stride 2, padding 1 and 500 inputs of the first linear layer, which do not "
        "fit: padding 1 gives 980. `pool`, the variant of the official code, and `stride`, stride 2 without padding, both "
        "give 500.",
    ),
    "table4_vgg": Table(
        "tables:layers", "images", "Table 4: the VGG", "the layers of the VGG", f"**Table 4.** {_LAYERS}",
        model="vgg",
        remark="The paper's Table 4 has max-pools of kernel 2 and padding 2, which is no valid pool (at most half of the "
        "kernel); stride 2 is what gives the table's 512 inputs of the first linear layer.",
    ),
    "sensitivity": Table(
        "sensitivity:verdicts", "sensitivity", "Sensitivity of the tabular verdicts to the open choices",
        "which verdicts hang on an open choice",
        "**Sensitivity.** The tabular claims with each choice that the paper leaves open changed: which verdicts stay, and on "
        "which choice each of the others hangs.",
        reads=True,
    ),
}  # fmt: skip
