"""The claims of the theory: identities and limits, each checked on random cases in float64."""

from .entry import Claim


def _identity(section: str, text: str, statistic: str, below: float = 1e-9, measures: str = "", **options) -> Claim:
    how = measures or _TWO_SIDES
    return Claim("C15", "theory", text, section, statistic, below=below, options=options, measures=how)


_TWO_SIDES = "Largest difference of the two sides, each computed on its own, relative to the larger of 1 and the value."
_YES = "0 where it is so in a case, else 1."

THEORY = (
    _identity("Eq. 1", "For squared error, DIV is the spread of the learners around the ensemble", "ambiguity"),
    _identity(
        "Section 4.2", "For squared error, negative correlation learning penalises minus M DIV, so it is DIV up to a factor",
        "negative_correlation",
    ),
    _identity(
        "Section 4.2", "DIV = sum_j w_j KL(q || p_j) for score averaging, for soft labels too", "score_averaging",
    ),
    _identity(
        "Section 4.2", "The same holds beyond the softmax, for other exponential families with averaged scores",
        "exponential_families",
        measures="Bernoulli, Poisson, exponential and normal distribution: DIV of the negative log-likelihood against "
        "PyTorch's divergences; the largest difference of the four.",
    ),
    _identity(
        "Theorem 4.3", "DIV = sum_j w_j sum_k y(k) log(p(k)/p_j(k)) for probability averaging, for soft labels too",
        "probability_averaging",
    ),
    _identity("Section 4.2", "For the Brier score, DIV is the spread of the learners' probabilities", "brier"),
    _identity(
        "Theorem 4.5", "DIV is a curvature between the ensemble and each learner, with every c_j in [0, 1]",
        "curvature",
    ),
    _identity(
        "Section 4.2", "DIV is not negative for a convex loss, so an ensemble is no worse than its learners on average",
        "not_negative", measures="Cross-entropy of averaged scores and of averaged probabilities, and squared error: how far "
        "the lowest DIV lies below 0.",
    ),
    _identity(
        "Appendix C.3", "As the ensemble's prediction approaches the label's distribution, DIV approaches sum_j w_j KL(p || p_j)",
        "limit_of_calibration", measures="Labels y = p + t (y' - p), t from 1 to 1e-12: the difference falls with each step; "
        "the number is the difference at the last.",
    ),
    _identity(
        "Appendix C.3", "The more a learner's probability varies around the ensemble's, the larger is expected diversity",
        "more_varied_more_diverse", measures="Beta distributions of one mean and falling precision; " + _YES,
    ),
    _identity(
        "Theorem 5.1", "The objective has no lower bound for beta > 1, and one for beta <= 1", "bounds",
        measures="The two sequences of the proof fall for beta > 1 and stay bounded for beta <= 1; " + _YES,
    ),
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
    _identity(
        "Appendix F", "The joint loss of learners f + c_j depends on the mean of the c_j alone, so they can cancel",
        "shifts_cancel",
    ),
    _identity(
        "Appendix F", "ERR-bar comes close to DIV as the shifts c_j grow", "shifts_dominate",
        measures="|ERR-bar / DIV - 1| of learners f + c_j, the c_j of root mean square 1e7 and mean 0: with their mean ERR "
        "would grow, too.",
    ),
    _identity(
        "our remark on Figure 4", "Dropping M - k of M learners at random raises squared error by DIV (M - k) / (k (M - 1))",
        "expected_increase", measures="Mean over all choices of the learners kept, one by one, for each k.",
    ),
)  # fmt: skip
