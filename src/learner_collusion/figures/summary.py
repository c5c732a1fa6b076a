"""Figure 7: the paper's argument as a diagram, drawn in code."""

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from .style import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, plt, save

STEPS = (
    ("Section 2", "Background", "Ensembles are trained independently,\naware of each other, or jointly", "", GREY),
    ("Section 3", "Joint training fails", "Trained for the very loss it is tested\nby, the ensemble does worse", "Table 1", VERMILION),
    ("Section 4", "One definition of diversity", "DIV = ERR-bar - ERR for every loss: the whole\ndifference between the two objectives", "Theorems 4.3, 4.5", BLUE),
    ("Section 5", "The augmented objective", "(1 - beta) ERR-bar + beta ERR goes from\nindependent (0) to joint (1), and no further", "Theorem 5.1, Appendix D", GREEN),
    ("Section 6.1", "Learner collusion", "Learners inflate DIV by biases that cancel:\nexplosion, bias, codependence", "Figures 2, 3, 4", ORANGE),
    ("Section 6.2", "It does not generalise", "What lowers the training loss by collusion\nis lost on unseen data", "Figures 5, 10-12", ORANGE),
    ("Section 6.3", "It matters in practice", "Joint training is worst on CIFAR,\nSVHN and ImageNet", "Figures 6, 13-18", PURPLE),
)  # fmt: skip
ARROWS = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6))
PLACES = ((0, 2), (1, 2), (2, 2), (2, 1), (1, 1), (0, 1), (0, 0))


def diagram(pdf: str) -> None:
    """Boxes in the order of the argument, an arrow from each to the next."""
    figure, axes = plt.subplots(figsize=(9.2, 4.1))
    width, height, gap_x, gap_y = 2.75, 1.0, 0.35, 0.3
    corners = [(c * (width + gap_x), r * (height + gap_y)) for c, r in PLACES]
    for (section, title, text, shown, colour), (x, y) in zip(STEPS, corners, strict=True):
        box = FancyBboxPatch(
            (x, y), width, height, boxstyle="round,pad=0,rounding_size=0.08", fc="white", ec=colour, lw=1.8
        )
        axes.add_patch(box)
        axes.text(x + 0.1, y + height - 0.09, title, weight="bold", fontsize=9.5, va="top", color=colour)
        axes.text(x + width - 0.1, y + height - 0.1, section, fontsize=7.5, va="top", ha="right", color=GREY)
        axes.text(x + 0.1, y + height - 0.36, text, fontsize=8, va="top", linespacing=1.25)
        axes.text(x + 0.1, y + 0.08, shown, fontsize=7.5, va="bottom", color=GREY, style="italic")
    for start, end in ARROWS:
        (x0, y0), (x1, y1) = corners[start], corners[end]
        if y0 == y1:
            left = x0 < x1
            tail, head = (x0 + width * left, y0 + height / 2), (x1 + width * (not left), y1 + height / 2)
        else:
            tail, head = (x0 + width / 2, y0), (x1 + width / 2, y1 + height)
        axes.add_patch(
            FancyArrowPatch(tail, head, arrowstyle="-|>", mutation_scale=12, color="black", shrinkA=2, shrinkB=2)
        )
    x, y = width + gap_x, 0
    axes.text(x + 0.05, y + height / 2, "So: train base learners independently.\nbeta near 1 is where collusion sets in;\n"
              "values in between may be worth a try.", fontsize=9, va="center", style="italic")  # fmt: skip
    axes.set_xlim(-0.1, 3 * width + 2 * gap_x + 0.1)
    axes.set_ylim(-0.1, 3 * height + 2 * gap_y + 0.1)
    axes.axis("off")
    keys = ("section", "title", "text", "shown")
    save(figure, pdf, [dict(zip(keys, step[:4], strict=True)) for step in STEPS])
