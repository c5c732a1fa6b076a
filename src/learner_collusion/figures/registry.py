"""Every figure of the paper, one entry each; the rules, the command line, the report and the documentation read it here.

To add a figure: write a function that draws it in a file of this folder, and add its entry.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """`draw`: "module:function" below `learner_collusion.figures`, called as `function(settings, records, output)`, see
    `stages.figure`, with one argument more where the figure has something `beside`. `part` of the paper; `experiment`: the image experiment whose records it reads (None: all of the
    tabular records for the part "tabular", no records for "theory"). `options` are passed on in `settings.options`.
    `single`: keys of the experiment that must hold exactly one value, as the figure has no axis for a second. `beside`: another
    part, and its experiment, whose records stand beside its own where `parts` has that part."""

    draw: str
    part: str
    shows: str
    caption: str
    experiment: str | None = None
    options: dict = field(default_factory=dict)
    single: tuple[str, ...] = ()
    beside: tuple[str, str] | None = None


_RUNS = (
    "Thick: the mean over the runs. From three runs on, the band is two standard errors to both sides of it, so that one run that "
    "stands out can take the band to values that no run has. Two runs are drawn themselves, as thin lines."
)
_AT_BEST = f"{_RUNS} Test metrics are those of each run's evaluation with the lowest validation ERR."
_GUESS = "Dotted: the ERR of a uniform guess, where it lies within the panel."
_EACH_RUN = (
    "Thick: the mean over the runs; thin: each run; an axis is logarithmic where its values span more than tenfold, and the "
    "values below it are counted. The standard deviation, the paper's band, is in the CSV."
)
_TRAIN = "The training curve is the running mean over the batches since the last evaluation, in training mode."
_SINGLE = ("learners", "drop_rates")

FIGURES = {
    "fig1_collusion": Figure(
        "collusion:illustrate", "theory", "learner collusion in a small ensemble",
        "**Learner collusion.** Trained jointly, the learners shift their predictions in opposite directions: their ensemble "
        "is unchanged, and diversity is inflated. A real small ensemble, trained when the figure is drawn. Left, as the paper "
        "draws it: each learner is a point in output space, its predictions at two inputs, and an arrow leads from independent "
        "to joint training. Right: the same learners against the input.",
    ),
    "fig2_diversity": Figure(
        "tabular:diversity", "tabular", "test MSE and diversity against beta",
        "**Diversity explosion.** Test MSE of the ensemble (top) and diversity (bottom) against beta, in units of the variance "
        "of the target; M is tuned per run. " + _EACH_RUN,
    ),
    "fig3_debiased": Figure(
        "tabular:debiased", "tabular", "share of constant bias in diversity",
        "**Bias removal.** Decrease of test diversity when each learner's constant bias is removed (Appendix C.1), against "
        "beta. " + _EACH_RUN,
    ),
    "fig4_codependence": Figure(
        "tabular:codependence", "tabular", "increase of test MSE when learners are dropped",
        "**Learner codependence.** Absolute increase of test MSE when a share of the learners is dropped at random at test "
        "time, mean of all draws, against beta, in units of the variance of the target. Dashed: for the squared error the "
        "mean increase over all choices of k of M learners is DIV (M - k) / (k (M - 1)), so for each M this figure is the "
        "test diversity times a constant, and no second sign of collusion. " + _EACH_RUN,
    ),
    "fig5_generalization_gap": Figure(
        "images:gap", "images", "generalisation gap",
        "**Generalisation gap.** Test minus train ERR over training, beta 0 and 1. " + f"{_RUNS} {_TRAIN}", "curves",
        single=("models", *_SINGLE),
    ),
    "fig6_practical": Figure(
        "imagenet:practical", "images", "test accuracy against beta, and ImageNet throughout training",
        "**Practical implications.** Left: test accuracy against beta. " + _AT_BEST + " Thin dashed lines: each learner's accuracy, "
        "its mean over the runs. Right: validation accuracy throughout training on ImageNet, or on the data set that the "
        "title names, of the ensemble (thick) and of each learner (thin), beta 0 and 1. A side that is not part of the results is named.", "practical",
        options={"metric": "accuracy", "learners": True}, single=_SINGLE, beside=("imagenet", "imagenet_resnet18"),
    ),
    "fig7_summary": Figure(
        "summary:diagram", "theory", "the argument of the paper",
        "**The argument of the paper**, section by section: its statements, not results of this project.",
    ),
    "fig8_gat_gamma": Figure(
        "gat:gamma", "theory", "gamma against the step alpha",
        "**Gradient adjusted targets without oneself** (Theorem D.3). Gamma, the weight of DIV, against the step alpha for "
        "several ensemble sizes. It reaches 1 at alpha = M - 1 and falls beyond.",
    ),
    "fig9_gat_alpha": Figure(
        "gat:alpha", "theory", "the step alpha against beta",
        "**Gradient adjusted targets** (Theorem D.1). The step alpha that equals a given beta: a power law, "
        "(1 - beta)^(-1/2) - 1; the paper calls it exponential (erratum).",
    ),
    "fig10_loss_curves": Figure(
        "images:losses", "images", "training and test loss",
        "**Loss curves.** Train (top) and test ERR (bottom) over training, beta 0 and 1. " + f"{_RUNS} {_GUESS} {_TRAIN}", "curves",
        single=("models", *_SINGLE),
    ),
    "fig11_train_decomposition": Figure(
        "images:decomposition", "images", "ERR-bar and DIV on the training set",
        "**Decomposition in training.** Train ERR-bar (top) and DIV (bottom), beta 0 and 1. " + f"{_RUNS} {_TRAIN}", "curves",
        options={"split": "train"}, single=("models", *_SINGLE),
    ),
    "fig12_test_decomposition": Figure(
        "images:decomposition", "images", "ERR-bar and DIV on the test set",
        "**Decomposition on the test set.** Test ERR-bar (top) and DIV (bottom) over training, beta 0 and 1. " + _RUNS,
        "curves", options={"split": "test"}, single=("models", *_SINGLE),
    ),
    "fig13_larger_ensembles": Figure(
        "images:against_beta", "images", "larger ensembles",
        "**Larger ensembles.** Test accuracy against beta. " + _AT_BEST, "larger",
        options={"metric": "accuracy"}, single=_SINGLE,
    ),
    "fig14_score_averaging": Figure(
        "images:against_beta", "images", "score averaging",
        "**Score averaging.** Test accuracy against beta; scores are averaged, not probabilities. " + _AT_BEST, "score",
        options={"metric": "accuracy"}, single=_SINGLE,
    ),
    "fig15_cnn": Figure(
        "images:both_metrics", "images", "small CNNs",
        "**Small CNNs.** Test accuracy (top) and loss (bottom) against beta. " + f"{_AT_BEST} {_GUESS}", "cnn",
        single=("datasets", "models", "drop_rates"),
    ),
    "fig16_vgg_svhn": Figure(
        "images:both_metrics", "images", "VGG on SVHN",
        "**VGG on SVHN.** Test accuracy (top) and loss (bottom) against beta. " + f"{_AT_BEST} {_GUESS}", "vgg",
        single=("datasets", "models", "drop_rates"),
    ),
    "fig17_ensemble_loss": Figure(
        "images:against_beta", "images", "test loss against beta",
        "**Ensemble loss.** Test ERR against beta, of the runs of Figure 6. " + f"{_AT_BEST} {_GUESS}", "practical",
        options={"metric": "err"}, single=_SINGLE,
    ),
    "fig18_learner_dropout": Figure(
        "images:dropout", "images", "learners dropped in training",
        "**Learner dropout.** Test metrics at beta = 1 against the share of learners dropped from each training batch. "
        + _AT_BEST, "dropout", single=("datasets", "models", "learners", "betas"),
    ),
    "sensitivity": Figure(
        "sensitivity:matrix", "sensitivity", "the tabular verdicts under other open choices",
        "**Sensitivity.** The tabular claims (columns) with each choice that the paper leaves open changed (lines), one at a time and "
        "several at once. The colour and its sign say what is found, the number is the effect; bold where the finding differs from "
        "that of the choices as they are.",
    ),
}  # fmt: skip
