"""The claims of Sections 6.2 and 6.3 and Appendix G.

Curves are those of the experiment `curves`; "end" is the mean of the last tenth of training.
"""

from .entry import Claim

_WORST = "lies below that of every other beta: the smallest of the differences, each a mean over the runs."
_AT_BEST = "On test images, at the evaluation of the lowest validation ERR: "


def _worst(id: str, text: str, section: str, experiment: str, metric: str = "accuracy") -> Claim:
    what = "accuracy" if metric == "accuracy" else "minus ERR"
    return Claim(
        id, "images", text, section, "worst_at_one", above=0, experiment=experiment, options={"metric": metric},
        neutral=f"Test {'accuracy is lowest' if metric == 'accuracy' else 'ERR is highest'} at beta = 1",
        measures=f"{_AT_BEST}how far {what} of beta = 1 {_WORST}",
    )  # fmt: skip


IMAGES = (
    Claim(
        "C6", "images", "Joint training overfits more", "Section 6.2, Figure 5",
        "end_of_gap", above=0, experiment="curves",
        neutral="The generalisation gap of joint training is the larger one at the end",
        measures="Test ERR minus training ERR, at beta = 1 minus the same at 0, at the end. The effect tells both gaps, and from "
        "which evaluation on the joint one is the larger.",
    ),
    Claim(
        "C16", "images", "The gap of independent training plateaus", "Section 6.2, Figure 5",
        "growth_of_gap", below=0, experiment="curves", options={"beta": 0, "share": 0.1},
        neutral="The generalisation gap of independent training plateaus",
        measures="Growth of the gap at beta = 0 over the last fifth of training (last tenth minus the eighth), minus a tenth of "
        "the gap at the end: below 0 where it grows by less than a tenth.",
    ),
    Claim(
        "C16", "images", "It does so at a much lower level than that of joint training", "Section 6.2, Figure 5",
        "gap_over_gap", above=0, experiment="curves", options={"factor": 1.5},
        neutral="The generalisation gap of joint training is half as large again as that of independent training",
        measures="Gap at beta = 1 minus one and a half times that at 0, at the end.", remark="The factor stands for \"much\".",
    ),
    Claim(
        "C17", "images", "The best loss on held-out images comes much earlier than the end of training", "Appendix B",
        "time_of_lowest", below=0.5, experiment="curves", options={"split": "test", "metric": "err"},
        neutral="The best loss on held-out images comes in the first half of training",
        measures="When test ERR is lowest, as a share of training: the later one of beta 0 and 1.",
        remark="The paper says it of validation images; these runs have none, as the paper's, so it is the test images.",
    ),
    Claim(
        "C7", "images", "Joint training converges more slowly on the training set", "Appendix G.1, Figure 10",
        "later_at_common_level", above=0, experiment="curves", options={"split": "train", "metric": "err"},
        neutral="Joint training converges more slowly on the training set",
        measures="When training ERR first reaches a level that both betas reach, the higher one of their two ends: time of beta = 1 "
        "minus that of 0, as a share of training. The effect tells from which evaluation on joint training is behind.",
    ),
    Claim(
        "C7", "images", "Joint training's loss on the training set is the higher one, on average over training",
        "Appendix G.1, Figure 10", "mean_difference", above=0, experiment="curves",
        options={"split": "train", "metric": "err"},
        neutral="Joint training's loss on the training set is the higher one, on average over training",
        measures="Training ERR at beta = 1 minus that at 0, mean over training: a mean level and no speed.",
    ),
    Claim(
        "C7", "images", "Joint training ends with a larger test loss", "Appendix G.1, Figure 10",
        "end_difference", above=0, experiment="curves", options={"split": "test", "metric": "err"},
        neutral="Joint training ends with a larger test loss",
        measures="Test ERR at beta = 1 minus that at 0, at the end.",
    ),
    Claim(
        "C8", "images", "At beta = 1 training diversity peaks early", "Appendix G.1, Figure 11",
        "peak", below=1 / 3, experiment="curves", options={"split": "train", "metric": "div", "beta": 1},
        neutral="At beta = 1 training diversity peaks early",
        measures="When training DIV at beta = 1 is largest, as a share of training; early is the first third. A run whose curve is "
        "not complete does not count.",
    ),
    Claim(
        "C8", "images", "The individual error falls later than that", "Appendix G.1, Figure 11",
        "above_midpoint_at_peak", above=0, experiment="curves", options={"split": "train", "beta": 1},
        neutral="The individual error falls after the peak of diversity",
        measures="Training ERR-bar at beta = 1 when DIV peaks, minus the middle between its highest value and its end: above 0 where "
        "more than half of its fall is still to come.",
    ),
    Claim(
        "C18", "images", "On test images, too, the learners of joint training are each worse at the end",
        "Appendix G.1, Figure 12", "end_difference", above=0, experiment="curves",
        options={"split": "test", "metric": "err_bar"},
        neutral="On test images the learners of joint training are each worse at the end",
        measures="Test ERR-bar at beta = 1 minus that at 0, at the end.",
    ),
    Claim(
        "C18", "images", "On test images, too, the diversity of joint training is the larger one at the end",
        "Appendix G.1, Figure 12", "end_difference", above=0, experiment="curves",
        options={"split": "test", "metric": "div"},
        neutral="On test images the diversity of joint training is the larger one at the end",
        measures="Test DIV at beta = 1 minus that at 0, at the end. With C7's larger test loss: diversity that does not help.",
    ),
    _worst("C9", "Test accuracy is lowest at beta = 1", "Section 6.3, Figure 6", "practical"),
    Claim(
        "C9", "images", "Joint training is less accurate than independent training", "Figure 6",
        "loss_from_zero_to_one", above=0, experiment="practical", options={"metric": "accuracy"},
        neutral="Joint training is less accurate than independent training",
        measures=f"{_AT_BEST}accuracy at beta = 0 minus that at 1.",
    ),
    Claim(
        "C10", "images", "Base learners are less accurate at beta = 1 than at beta = 0", "Section 6.3",
        "learner_loss", above=0, experiment="practical",
        neutral="Base learners are less accurate at beta = 1 than at beta = 0",
        measures=f"{_AT_BEST}the learners' mean accuracy at beta = 0 minus that at 1.",
        remark="The paper shows it on ImageNet (Figure 6, right); this is about its CIFAR runs, of which the text says the same.",
    ),
    Claim(
        "C10", "images", "From beta = 0 to beta = 1, base learners lose more accuracy than their ensemble", "Section 6.3",
        "learner_loss_beyond_ensemble", above=0, experiment="practical",
        neutral="From beta = 0 to beta = 1, base learners lose more accuracy than their ensemble",
        measures="The same, minus what their ensemble loses.",
    ),
    _worst("C12", "With larger ensembles, too, test accuracy is lowest at beta = 1", "Figure 13", "larger"),
    _worst("C12", "With score averaging, too, test accuracy is lowest at beta = 1", "Figure 14", "score"),
    _worst("C12", "With a VGG, too, test accuracy is lowest at beta = 1", "Figure 16", "vgg"),
    _worst("C12", "Test ERR is highest at beta = 1", "Figure 17", "practical", "err"),
    Claim(
        "C19", "images", "Ten learners are a little more accurate than five", "Appendix G.2, Figure 13",
        "mean_over_other_experiment", above=0, below=0.05, experiment="larger",
        options={"metric": "accuracy", "other": "practical"},
        neutral="The larger ensemble is a little more accurate",
        measures=f"{_AT_BEST}accuracy minus that of the experiment `practical`, mean over the betas of both. A little is more than "
        "none and less than five points.",
    ),
    Claim(
        "C20", "images", "Averaging scores is about as accurate as averaging probabilities", "Appendix G.3, Figure 14",
        "mean_over_other_experiment", above=-0.02, below=0.02, experiment="score",
        options={"metric": "accuracy", "other": "practical"},
        neutral="Averaging scores is about as accurate as averaging probabilities",
        measures=f"{_AT_BEST}accuracy minus that of the experiment `practical`, mean over the betas of both. Similar is within two "
        "points.",
    ),
    _worst("C13", "With small CNNs, too, test accuracy is lowest at beta = 1", "Figure 15", "cnn"),
    Claim(
        "C13", "images", "With small CNNs, test ERR is lowest at a beta between 0 and 1", "Appendix G.4, Figure 15",
        "best_between", above=0, experiment="cnn", options={"metric": "err"},
        neutral="Test ERR is lowest at a beta between 0 and 1",
        measures=f"{_AT_BEST}how far the best beta between 0 and 1 lies below both ends: the largest over these betas of the smaller "
        "of the two differences.",
    ),
    Claim(
        "C14", "images", "Dropping learners in training lowers diversity", "Appendix G.7, Figure 18",
        "fall_when_dropped", above=0, experiment="dropout", options={"metric": "div"},
        neutral="Dropping learners in training lowers diversity",
        measures=f"{_AT_BEST}DIV at beta = 1 without dropping, minus that at the largest drop rate.",
    ),
    Claim(
        "C14", "images", "Dropping learners in training weakens each of them", "Appendix G.7, Figure 18",
        "rise_when_dropped", above=0, experiment="dropout", options={"metric": "err_bar"},
        neutral="Dropping learners in training weakens each of them",
        measures=f"{_AT_BEST}ERR-bar at beta = 1 at the largest drop rate, minus that without dropping.",
    ),
    Claim(
        "C14", "images", "Dropping learners in training does not improve the ensemble", "Appendix G.7, Figure 18",
        "no_gain_when_dropped", above=0, experiment="dropout", options={"metric": "accuracy"},
        neutral="Dropping learners in training does not improve the ensemble",
        measures=f"{_AT_BEST}accuracy at beta = 1 without dropping minus that with it, the smallest over the drop rates.",
    ),
)  # fmt: skip
