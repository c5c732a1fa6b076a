"""The claims of Section 6.1. `first` and `second` are (metric, beta)."""

from .entry import Claim

TABULAR = (
    Claim(
        "C1a", "tabular", "Diversity explodes as beta goes to 1", "Figure 2",
        "ratio", above=10, options={"first": ["div", 1], "second": ["div", 0]},
        neutral="Diversity at beta = 1 is more than ten times that of independent training",
        measures="Test DIV at beta = 1 over that at beta = 0, geometric mean of the runs.",
    ),
    Claim(
        "C1b", "tabular", "Diversity stays low for most values of beta", "Section 6.1, Figure 2",
        "ratio_at_most_betas", below=3, options={"metric": "div"},
        neutral="At most betas, diversity is less than three times that of independent training",
        measures="DIV(beta) / DIV(0) for each trained beta between 0 and 1, and of these the one that more than half do not "
        "exceed. Low is less than three times. The effect tells how large DIV is at the last beta before 1, and from where it "
        "is beyond three times.",
    ),
    Claim(
        "C2", "tabular", "At beta = 1 diversity exceeds the ensemble's MSE", "Figure 2",
        "ratio", above=1, options={"first": ["div", 1], "second": ["err", 1]},
        neutral="At beta = 1 diversity exceeds the ensemble's MSE",
        measures="Test DIV over test ERR at beta = 1, geometric mean of the runs.",
    ),
    Claim(
        "C2", "tabular", "At beta = 1 diversity often exceeds the ensemble's MSE: on at least half of the data sets",
        "Section 6.1, Figure 2", "ratio_on_many", above=1,
        options={"first": ["div", 1], "second": ["err", 1], "share": 0.5},
        neutral="At beta = 1 diversity exceeds the ensemble's MSE on at least half of the data sets",
        measures="Counts the data sets on which the row above holds; one that is undecided counts for either side. There is no "
        "such row for a single data set.",
    ),
    Claim(
        "C3", "tabular", "The ensemble's MSE hardly depends on beta", "Figure 2, Appendix F",
        "difference", options={
            "first": ["err", 1], "second": ["err", 0], "limits": {"facebook": {"above": -0.05, "below": 0.05}},
            "elsewhere": "the paper says this of one of its data sets alone",
        },
        neutral="The test MSE of joint and of independent training",
        measures="Test ERR at beta = 1 minus that at beta = 0, in units of the target's variance: betas between are not looked "
        "at.",
        remark="Judged on Facebook, of which the paper says it, and reported elsewhere.",
    ),
    Claim(
        "C4a", "tabular", "Constant bias explains about half of the diversity at beta = 1, on average over the data sets",
        "Section 6.1, Figure 3", "mean_of_data_sets", above=0.3, below=0.7, options={"first": ["bias_share", 1]},
        neutral="Constant bias explains about half of the diversity at beta = 1, on average over the data sets",
        measures="Share of DIV that goes when each learner's mean deviation on the test part is removed; mean over the data sets, "
        "which differ: the effect is the range of their means, and the rows below are the single ones.",
    ),
    Claim(
        "C4a", "tabular", "The share of constant bias in the diversity at beta = 1", "Section 6.1, Figure 3",
        "value", options={"first": ["bias_share", 1]},
        neutral="The share of constant bias in the diversity at beta = 1",
        measures="The share of DIV that goes when each learner's mean deviation on the test part is removed, on each data set; "
        "reported.",
    ),
    Claim(
        "C4b", "tabular", "The bias's share of diversity is large only as beta goes to 1", "Figure 3",
        "difference", above=0.1, options={"first": ["bias_share", 1], "second": ["bias_share", 0.5]},
        neutral="The bias's share of diversity is larger at beta = 1 than between 0 and 1",
        measures="The share at beta = 1 minus that at 0.5, or at the trained beta next to it.",
    ),
    Claim(
        "C5a", "tabular", "Dropping a few learners is catastrophic at beta = 1 alone", "Section 6.1, Figure 4",
        "excess_increase", above=0, options={"betas": [1, 0.5], "factor": 5},
        neutral="Dropping a few learners costs more than five times as much at beta = 1 as between 0 and 1",
        measures="Increase of test ERR when the smallest share of learners is dropped at random, at beta = 1 minus five times "
        "that at 0.5 (or the trained beta next to it). That compares betas; how bad the increase is, the effect tells: as a "
        "share of ERR. For squared error the expected increase is DIV times a constant, so this is the growth of DIV in other "
        "units and no second sign of collusion.",
    ),
    Claim(
        "C5b", "tabular", "At beta = 1 the error grows with the share of dropped learners", "Figure 4",
        "smallest_step", above=0, options={"beta": 1},
        neutral="At beta = 1 the error grows with the share of dropped learners",
        measures="The smallest growth of the increase from one drop rate to the next.",
    ),
    Claim(
        "C5c", "tabular", "The increase when learners are dropped is what DIV and M alone predict", "our remark on Figure 4",
        "increase_over_prediction", options={"beta": 1},
        neutral="The increase when learners are dropped is what DIV and M alone predict",
        measures="The measured increase at beta = 1 over DIV (M - k) / (k (M - 1)), its mean over all choices of the k learners "
        "kept, for the largest share dropped; what is left is the noise of the draws. Reported: it follows from the definition.",
    ),
)  # fmt: skip
