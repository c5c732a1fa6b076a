"""Every figure of the paper, one entry each; the rules, the command line, the report and the documentation read it here.

To add a figure: write a function that draws it in a file of this folder, and add its entry.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """`draw`: "module:function" below `learner_collusion.figures`, called as `function(settings, records, output)`, see
    `stages.figure`. `part` of the paper; `experiment`: the image experiment whose records it reads (None: all of the
    tabular records for the part "tabular", no records for "theory"). `options` are passed on in `settings["options"]`.
    `single`: keys of the experiment that must hold exactly one value, as the figure has no axis for a second."""

    draw: str
    part: str
    shows: str
    caption: str
    experiment: str | None = None
    options: dict = field(default_factory=dict)
    single: tuple[str, ...] = ()


_MEAN_AND_ERROR = (
    "Mean and two standard errors over the runs; test metrics are those of the evaluation with the lowest validation ERR. "
    "The figure itself names what was left out and what was not run at the paper's settings."
)
_SINGLE = ("learners", "drop_rates")

FIGURES = {
    "fig1_collusion": Figure(
        "collusion:illustrate", "theory", "learner collusion in a small ensemble",
        "**Learner collusion.** Trained jointly, the learners shift their predictions in opposite directions: their ensemble "
        "is unchanged, and diversity is inflated. A real small ensemble, trained when the figure is drawn.",
    ),
    "fig2_diversity": Figure(
        "tabular:diversity", "tabular", "test MSE and diversity against beta",
        "**Diversity explosion.** Test MSE of the ensemble (top) and diversity (bottom) against beta; mean and one standard "
        "deviation over the runs, in units of the variance of the target. M is tuned per run.",
    ),
    "fig3_debiased": Figure(
        "tabular:debiased", "tabular", "share of constant bias in diversity",
        "**Bias removal.** Decrease of test diversity when each learner's constant bias is removed (Appendix C.1), against "
        "beta; mean and one standard deviation over the runs.",
    ),
    "fig4_codependence": Figure(
        "tabular:codependence", "tabular", "increase of test MSE when learners are dropped",
        "**Learner codependence.** Absolute increase of test MSE when a share of the learners is dropped at random at test "
        "time, mean of all draws, against beta; mean and one standard deviation over the runs.",
    ),
    "fig5_generalization_gap": Figure(
        "images:gap", "images", "generalisation gap", _MEAN_AND_ERROR, "curves", single=("models", *_SINGLE),
    ),
    "fig6_practical": Figure(
        "images:against_beta", "images", "test accuracy against beta", _MEAN_AND_ERROR, "practical",
        options={"metric": "accuracy", "imagenet": True}, single=_SINGLE,
    ),
    "fig7_summary": Figure(
        "summary:diagram", "theory", "the argument of the paper", "**The argument of the paper**, section by section.",
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
        "images:losses", "images", "training and test loss", _MEAN_AND_ERROR, "curves", single=("models", *_SINGLE),
    ),
    "fig11_train_decomposition": Figure(
        "images:decomposition", "images", "ERR-bar and DIV on the training set", _MEAN_AND_ERROR, "curves",
        options={"split": "train"}, single=("models", *_SINGLE),
    ),
    "fig12_test_decomposition": Figure(
        "images:decomposition", "images", "ERR-bar and DIV on the test set", _MEAN_AND_ERROR, "curves",
        options={"split": "test"}, single=("models", *_SINGLE),
    ),
    "fig13_larger_ensembles": Figure(
        "images:against_beta", "images", "larger ensembles", _MEAN_AND_ERROR, "larger",
        options={"metric": "accuracy"}, single=_SINGLE,
    ),
    "fig14_score_averaging": Figure(
        "images:against_beta", "images", "score averaging", _MEAN_AND_ERROR, "score",
        options={"metric": "accuracy"}, single=_SINGLE,
    ),
    "fig15_cnn": Figure(
        "images:both_metrics", "images", "small CNNs", _MEAN_AND_ERROR, "cnn",
        single=("datasets", "models", "drop_rates"),
    ),
    "fig16_vgg_svhn": Figure(
        "images:both_metrics", "images", "VGG on SVHN", _MEAN_AND_ERROR, "vgg",
        single=("datasets", "models", "drop_rates"),
    ),
    "fig17_ensemble_loss": Figure(
        "images:against_beta", "images", "test loss against beta", _MEAN_AND_ERROR, "practical",
        options={"metric": "err"}, single=_SINGLE,
    ),
    "fig18_learner_dropout": Figure(
        "images:dropout", "images", "learners dropped in training", _MEAN_AND_ERROR, "dropout",
        single=("datasets", "models", "learners", "betas"),
    ),
}  # fmt: skip
