"""Two values of a setting, compared in words."""


def compare(name: str, ours, theirs) -> list[str]:
    """What differs between two values of a setting, or between the keys of two mappings: "runs 2 instead of 10"."""
    if ours == theirs or (ours == {} and theirs is None):  # a default that records write out
        return []
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [line for key in ours for line in compare(key, ours[key], theirs.get(key))]

    def show(value) -> str:
        if value is None:
            return "all" if name in ("train", "test") else "none"
        if isinstance(value, bool):
            return "on" if value else "off"
        return (" ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)

    return [f"{name.replace('_', ' ')} {show(ours)} instead of {show(theirs)}"]


def marked(config: dict, found: list[str]) -> str:
    """The line that says what differs from the paper's settings; empty where nothing does."""
    return f"Fidelity {config['fidelity']!r}, not the paper's: {'; '.join(found)}." if found else ""
