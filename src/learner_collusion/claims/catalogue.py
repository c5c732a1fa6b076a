"""Every claim of the paper that is judged, one entry each; rules, command and documentation read it here.

To add a claim with a statistic that exists: add its entry, in no other file. A new statistic is a function in the
part's judge, `theory`, `tabular` or `images` in this folder. Read while Snakemake parses, so it imports the standard
library alone.
"""

from dataclasses import dataclass, field

PARTS = {
    "theory": "Theory (Sections 4 and 5, Appendices C to E)",
    "tabular": "Tabular data (Section 6.1, Figures 2-4)",
    "images": "Images (Sections 6.2 and 6.3, Figures 5, 6 and 10-18)",
    "imagenet": "ImageNet (Section 3, Table 1)",
}


@dataclass(frozen=True)
class Claim:
    """`section`: where the paper says `text`. `statistic`: a function of the part's judge, called with `options`.

    `above` and `below` are the thresholds; a claim without any is reported, not judged. The option `limits` gives
    thresholds for single data sets, {name: {"above": .., "below": ..}}; the others are reported, with the option
    `elsewhere` as the note. `experiment`: the image experiment with whose cells the claim is judged; there is a row
    for each of its panels.
    """

    id: str
    part: str
    text: str
    section: str
    statistic: str
    above: float | None = None
    below: float | None = None
    experiment: str | None = None
    options: dict = field(default_factory=dict)


def _identity(section: str, text: str, statistic: str, **options) -> Claim:
    return Claim("C15", "theory", text, section, statistic, below=1e-9, options=options)


CLAIMS = (
    # Theory.
    _identity("Eq. 1", "For squared error, DIV is the spread of the learners around the ensemble", "ambiguity"),
    _identity(
        "Section 4.2", "DIV = sum_j w_j KL(q || p_j) for score averaging, for soft labels too", "score_averaging",
    ),
    _identity(
        "Theorem 4.3", "DIV = sum_j w_j sum_k y(k) log(p(k)/p_j(k)) for probability averaging, for soft labels too",
        "probability_averaging",
    ),
    _identity(
        "Theorem 4.5", "DIV is a curvature between the ensemble and each learner, with every c_j in [0, 1]",
        "curvature",
    ),
    _identity("Theorem 5.1", "The objective has no lower bound for beta > 1, and one for beta <= 1", "bounds"),
    _identity(
        "Theorem D.1", "Gradient adjusted targets are Eq. 2 with beta = 1 - 1/(1+alpha)^2", "gradient_adjusted_targets",
    ),
    _identity("Lemma D.2", "sum_j (f - f_j)(y - f_j) = M DIV", "lemma_d2"),
    _identity(
        "Theorem D.3", "Without the learner itself, gradient adjusted targets are Eq. 2 with gamma(alpha, M)",
        "targets_without_oneself",
    ),
    _identity("Appendix C.1", "Removing the bias b_j = mean(f_j - f) minimises DIV", "optimal_bias"),
    _identity(
        "Appendix E, Table 2", "The gradient of the independent objective is the printed one",
        "gradient", objective="independent",
    ),
    _identity(
        "Appendix E, Table 2", "The gradient of the probability averaged objective is the printed one",
        "gradient", objective="probability",
    ),
    _identity(
        "Appendix E, Table 2", "The gradient of the score averaged objective is the printed one",
        "gradient", objective="score",
    ),
    # Tabular. `first` and `second` are (metric, beta); the nearest beta of the records is taken.
    Claim(
        "C1a", "tabular", "Diversity explodes as beta goes to 1", "Figure 2",
        "ratio", above=10, options={"first": ["div", 1], "second": ["div", 0]},
    ),
    Claim(
        "C1b", "tabular", "Diversity stays low for most values of beta", "Figure 2",
        "ratio", below=3, options={"first": ["div", 0.5], "second": ["div", 0]},
    ),
    Claim(
        "C2", "tabular", "At beta = 1 diversity exceeds the ensemble's MSE", "Figure 2",
        "ratio", above=1, options={"first": ["div", 1], "second": ["err", 1]},
    ),
    Claim(
        "C2", "tabular", "At beta = 1 diversity exceeds the ensemble's MSE on at least half of the data sets",
        "Figure 2", "ratio_on_many", above=1, options={"first": ["div", 1], "second": ["err", 1], "share": 0.5},
    ),
    Claim(
        "C3", "tabular", "The ensemble's MSE hardly depends on beta", "Figure 2",
        "difference", options={
            "first": ["err", 1], "second": ["err", 0], "limits": {"facebook": {"above": -0.05, "below": 0.05}},
            "elsewhere": "the paper says this of Facebook alone",
        },
    ),
    Claim(
        "C4a", "tabular", "Constant bias explains about half of the diversity at beta = 1", "Figure 3",
        "mean_of_data_sets", above=0.3, below=0.7, options={"first": ["bias_share", 1]},
    ),
    Claim(
        "C4b", "tabular", "The bias's share of diversity is large only as beta goes to 1", "Figure 3",
        "difference", above=0.1, options={"first": ["bias_share", 1], "second": ["bias_share", 0.5]},
    ),
    Claim(
        "C5a", "tabular", "Dropping a few learners is catastrophic at beta = 1 alone", "Figure 4",
        "increase_ratio", above=5, options={"betas": [1, 0.5]},
    ),
    Claim(
        "C5b", "tabular", "At beta = 1 the error grows with the share of dropped learners", "Figure 4",
        "smallest_step", above=0, options={"beta": 1},
    ),
    # Images.
    Claim(
        "C6", "images", "Joint training overfits more", "Figure 5",
        "last_gap", above=0, experiment="curves",
    ),
    Claim(
        "C7", "images", "Joint training converges more slowly on the training set", "Figure 10",
        "mean_difference", above=0, experiment="curves", options={"split": "train", "metric": "err"},
    ),
    Claim(
        "C7", "images", "Joint training ends with a larger test loss", "Figure 10",
        "last_difference", above=0, experiment="curves", options={"split": "test", "metric": "err"},
    ),
    Claim(
        "C8", "images", "At beta = 1 training diversity peaks early", "Figure 11",
        "peak", below=1 / 3, experiment="curves", options={"split": "train", "metric": "div", "beta": 1},
    ),
    Claim(
        "C9", "images", "Test accuracy is lowest at beta = 1", "Figure 6",
        "worst_at_one", above=0, experiment="practical", options={"metric": "accuracy"},
    ),
    Claim(
        "C10", "images", "Base learners are less accurate at beta = 1 than at beta = 0", "Figure 6",
        "learner_loss", above=0, experiment="practical",
    ),
    Claim(
        "C10", "images", "From beta = 0 to beta = 1, base learners lose more accuracy than their ensemble", "Figure 6",
        "learner_loss_beyond_ensemble", above=0, experiment="practical",
    ),
    Claim(
        "C12", "images", "With larger ensembles, too, test accuracy is lowest at beta = 1", "Figure 13",
        "worst_at_one", above=0, experiment="larger", options={"metric": "accuracy"},
    ),
    Claim(
        "C12", "images", "With score averaging, too, test accuracy is lowest at beta = 1", "Figure 14",
        "worst_at_one", above=0, experiment="score", options={"metric": "accuracy"},
    ),
    Claim(
        "C12", "images", "With a VGG, too, test accuracy is lowest at beta = 1", "Figure 16",
        "worst_at_one", above=0, experiment="vgg", options={"metric": "accuracy"},
    ),
    Claim(
        "C12", "images", "Test ERR is highest at beta = 1", "Figure 17",
        "worst_at_one", above=0, experiment="practical", options={"metric": "err"},
    ),
    Claim(
        "C13", "images", "With small CNNs, too, test accuracy is lowest at beta = 1", "Figure 15",
        "worst_at_one", above=0, experiment="cnn", options={"metric": "accuracy"},
    ),
    Claim(
        "C13", "images", "With small CNNs, test ERR is lowest at a beta between 0 and 1", "Figure 15",
        "best_between", above=0, experiment="cnn", options={"metric": "err"},
    ),
    Claim(
        "C14", "images", "Dropping learners in training lowers diversity", "Figure 18",
        "fall_when_dropped", above=0, experiment="dropout", options={"metric": "div"},
    ),
    Claim(
        "C14", "images", "Dropping learners in training weakens each of them", "Figure 18",
        "rise_when_dropped", above=0, experiment="dropout", options={"metric": "err_bar"},
    ),
    Claim(
        "C14", "images", "Dropping learners in training does not improve the ensemble", "Figure 18",
        "no_gain_when_dropped", above=0, experiment="dropout", options={"metric": "accuracy"},
    ),
)  # fmt: skip
