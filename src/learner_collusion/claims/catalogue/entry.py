"""What an entry of the catalogue says. Read while Snakemake parses, so it imports the standard library alone."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, and how it is judged.

    `section`: where the paper says what `text` has in our words. `statistic`: a function of the part's judge, called with
    `options`. `measures` says what the statistic measures and how it is judged, and
    `remark` what that has to do with the paper. `neutral` is the text on a data set that is not the paper's; it names neither
    section nor data set, and the remark is left out.

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
    neutral: str = ""
    measures: str = ""
    remark: str = ""
