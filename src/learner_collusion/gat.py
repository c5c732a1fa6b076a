"""The scalar formulas of gradient adjusted targets (Appendix D); plain floats and NumPy arrays, no torch."""


def beta_of_alpha(alpha):
    """beta = 1 - 1/(1 + alpha)^2: training on targets moved by a step alpha >= 0 is Eq. 2 with this beta (Theorem D.1)."""
    return 1 - 1 / (1 + alpha) ** 2


def alpha_of_beta(beta):
    """alpha = (1 - beta)^(-1/2) - 1 for beta in [0, 1), the inverse of `beta_of_alpha`: a power law (see docs/errata.md)."""
    return (1 - beta) ** -0.5 - 1


def gamma_of_alpha(alpha, learners):
    """The weight of DIV when each learner's target leaves out its own prediction (Theorem D.3); learners M >= 2."""
    m = learners
    return alpha / (alpha + 1) ** 2 * m * ((alpha + 2) * m - 2 * (alpha + 1)) / (m - 1) ** 2
