"""Every claim of the paper that is judged, one entry each; rules, command and documentation read it here.

To add a claim with a statistic that exists: add its entry to its part's file in this folder, and nothing else. A new
statistic is a function in the part's judge, of its name in the folder above. Read while Snakemake
parses, so it imports the standard library alone.
"""

from .entry import Claim
from .imagenet import IMAGENET
from .images import IMAGES
from .tabular import TABULAR
from .theory import THEORY

PARTS = {
    "theory": "Theory (Sections 4 and 5, Appendices C to F)",
    "tabular": "Tabular data (Section 6.1, Figures 2-4)",
    "images": "Images (Sections 6.2 and 6.3, Figures 5, 6 and 10-18)",
    "imagenet": "ImageNet (Section 3, Table 1, Figure 6)",
}
# How the note on a study begins whose tables are not the paper's.
OWN_STUDY = "A study of its own"
CLAIMS: tuple[Claim, ...] = (*THEORY, *TABULAR, *IMAGES, *IMAGENET)
