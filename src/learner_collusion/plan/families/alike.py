"""Whether a data set is declared as the paper's is."""


def alike(ours: dict, papers: dict, name: str, place: tuple[str, ...] = ()) -> bool:
    """Whether two mappings have the same entry under `name`, but for the keys `place`, which say where the files lie."""
    sides = ({k: v for k, v in known.get(name, {}).items() if k not in place} for known in (ours, papers))
    first, second = sides
    return first == second
