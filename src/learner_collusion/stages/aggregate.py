"""Put the records of data sets, the histories of image cells, or the claims of variants together in one long table.

Example: learner-collusion aggregate --family tabular --inputs results/records/tabular/abalone.parquet --output all.parquet
"""

from ..errors import UserError
from ..plan.parts import RECORDED


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument("--family", choices=RECORDED, required=True)
    parser.add_argument(
        "--inputs", nargs="+", required=True, help="records of data sets, histories of cells, or claims of variants"
    )
    parser.add_argument("--output", required=True)


def run(options) -> None:
    """Write the table, by the function here that bears the family's name."""
    globals()[options.family](options.inputs, options.output)


def tabular(records: list[str], output: str) -> None:
    """The records of several data sets."""
    from ..records import parquet
    from ..records.tabular import RECORDS

    parquet.concatenate(records, output, RECORDS)


def sensitivity(judged: list[str], output: str) -> None:
    """The claims of several variants, each row with its variant. Claims that do not say of which one are those of the
    configuration's own choices."""
    import pandas as pd

    from ..records import parquet
    from ..records.claims import CLAIMS
    from ..records.sensitivity import CHOSEN, SENSITIVITY

    frames, known = [], {}
    for path in judged:
        metadata = parquet.read_metadata(path)
        name = metadata.get("variant", CHOSEN)
        own = {"variant": name, "shows": metadata.get("shows", "as chosen"), "joint": metadata.get("joint", False)}
        frames.append(parquet.read(path, CLAIMS).assign(**own))
        known[name] = {key: metadata[key] for key in ("first", "fidelity", "provenance") if key in metadata}
    parquet.write(output, pd.concat(frames)[SENSITIVITY.names], SENSITIVITY, {"variants": known})


def images(histories: list[str], output: str) -> None:
    """The histories of cells, each row with its cell.

    The metadata list the data sets that were not available, and why; and under "<protocol>-<data set>" all settings that the
    cells were trained with: one entry, unless cells of several configurations were put together.
    """
    import pandas as pd

    from ..records import parquet
    from ..records.images import CELL, CELL_HISTORY, IMAGES

    frames, missing, settings = [], {}, {}
    for path in histories:
        metadata = parquet.read_metadata(path)
        if "cell" not in metadata:
            raise UserError(f"{path} is not the history of an image cell: give histories that train_images wrote.")
        cell = metadata["cell"]
        known = settings.setdefault(f"{cell['protocol']}-{cell['dataset']}", [])
        if (trained := metadata["settings"] | {"precision": metadata.get("precision")}) not in known:
            known.append(trained)
        if "missing" in metadata:
            missing[cell["dataset"]] = metadata["missing"]
        frames.append(parquet.read(path, CELL_HISTORY).assign(**{name: cell[name] for name in CELL}))
    provenance = parquet.provenance("torch", "torchvision")
    metadata = {"missing": missing, "settings": settings, "provenance": provenance}
    parquet.write(output, pd.concat(frames)[IMAGES.names], IMAGES, metadata)
