"""Which deletions must come first: a name cannot be a file and a folder at once, so one of them must go before."""

from collections.abc import Collection, Iterator

__all__ = ["in_the_way"]


def in_the_way(gone: Collection[str], new: Collection[str]) -> set[str]:
    """Return the paths of either that cannot be beside one of the other: one is a folder of the other.

    Args:
        gone: Paths that are to be deleted.
        new: Paths that are to come to be, on the same side.

    Example:
        >>> sorted(in_the_way({"arm", "leg/left", "hand"}, {"arm/left", "leg", "handle"}))
        ['arm', 'arm/left', 'leg', 'leg/left']
    """
    found: set[str] = set()
    for here, there in ((gone, new), (new, gone)):
        if not here:
            break
        for path in there:
            above = [folder for folder in _folders_of(path) if folder in here]
            if above:
                found |= {path, *above}
    return found


def _folders_of(path: str) -> Iterator[str]:
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)
