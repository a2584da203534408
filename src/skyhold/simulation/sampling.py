"""Which combinations of parameter values a study runs."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol, cast

from skyhold.errors import BadOptionError, MissingExtraError

__all__ = ["Grid", "LatinHypercube", "Listed", "Sample", "Sampling", "Sobol"]

Space = Sequence[Any]
"""The values of a parameter: a list of choices; or a tuple of two numbers, which a sample takes for a range."""

Sample = tuple[str | None, Mapping[str, Any]]
"""One combination: its label, None to make one of its values; and the value of each parameter."""

_ENDS = 2


class Sampling(Protocol):
    """A way to choose combinations."""

    def draw(self, spaces: Mapping[str, Space | None]) -> Iterator[Sample]:
        """Return the combinations: the same ones whenever it is asked.

        Args:
            spaces: Values of each parameter, by name and in the study's order; None where it has none of its own.

        Raises:
            BadOptionError: These values cannot be combined in this way.
        """
        ...


@dataclass(frozen=True, slots=True)
class Grid:
    """Every value with every other; the last parameter changes fastest.

    Example:
        >>> [values for _, values in Grid().draw({"a": [1, 2], "b": ["x", "y"]})]
        [{'a': 1, 'b': 'x'}, {'a': 1, 'b': 'y'}, {'a': 2, 'b': 'x'}, {'a': 2, 'b': 'y'}]
    """

    def draw(self, spaces: Mapping[str, Space | None]) -> Iterator[Sample]:
        filled = self.fill(spaces)
        for values in product(*filled.values()):
            yield None, dict(zip(filled, values, strict=True))

    def fill(self, spaces: Mapping[str, Space | None]) -> dict[str, Space]:
        """Return the values of each parameter.

        Raises:
            BadOptionError: One has none.
        """
        return _filled(spaces)


class Listed:
    """These combinations and no others.

    Args:
        rows: The value of each parameter, as a list, or by label. What a row leaves out stays as in the base model.

    Example:
        >>> list(Listed({"thick": {"wool": 0.2}, "thin": {"wool": 0.1}}).draw({"wool": None}))
        [('thick', {'wool': 0.2}), ('thin', {'wool': 0.1})]
    """

    def __init__(self, rows: Mapping[str, Mapping[str, Any]] | Sequence[Mapping[str, Any]]) -> None:
        pairs = rows.items() if isinstance(rows, Mapping) else ((None, row) for row in rows)
        self._samples: list[Sample] = [(label, dict(row)) for label, row in pairs]

    def draw(self, spaces: Mapping[str, Space | None]) -> Iterator[Sample]:  # noqa: ARG002 - rows have their own
        yield from self._samples


@dataclass(frozen=True, slots=True)
class LatinHypercube:
    """``n`` samples; each parameter's range is cut into ``n`` parts, and each part is met once.

    Values that are a tuple of two numbers are a range; of other values each is met equally often.

    Args:
        n: How many.
        seed: The same seed gives the same samples.

    Example:
        >>> [round(values["a"]) for _, values in LatinHypercube(4, seed=1).draw({"a": (0.0, 400.0)})]
        [349, 205, 86, 105]
    """

    n: int
    seed: int = 0

    def draw(self, spaces: Mapping[str, Space | None]) -> Iterator[Sample]:
        return _samples(self, "LatinHypercube", _filled(spaces))


@dataclass(frozen=True, slots=True)
class Sobol:
    """``n`` samples of a scrambled Sobol sequence: evenly spread in all parameters together.

    The spread is best where ``n`` is a power of two; a longer sequence begins with the shorter one.

    Args:
        n: How many.
        seed: The same seed gives the same samples.
    """

    n: int
    seed: int = 0

    def draw(self, spaces: Mapping[str, Space | None]) -> Iterator[Sample]:
        return _samples(self, "Sobol", _filled(spaces))


def _filled(spaces: Mapping[str, Space | None]) -> dict[str, Space]:
    for name, space in spaces.items():
        if space is None or not len(space):
            raise BadOptionError(f"the parameter {name!r} has no values", remedy="Give it a list of values")
    return cast("dict[str, Space]", dict(spaces))


def _samples(sampling: LatinHypercube | Sobol, method: str, spaces: Mapping[str, Space]) -> Iterator[Sample]:
    if sampling.n < 1:
        raise BadOptionError(f"{method}(n={sampling.n!r}): there must be one sample at least")
    if not spaces:
        raise BadOptionError(f"{method}: there is no parameter to sample")
    digits = len(str(sampling.n))
    for index, point in enumerate(_points(method, len(spaces), sampling), 1):
        values = {name: _pick(space, share) for (name, space), share in zip(spaces.items(), point, strict=True)}
        yield f"sample-{index:0{digits}d}", values


def _points(method: str, dimensions: int, sampling: LatinHypercube | Sobol) -> list[list[float]]:
    try:
        from scipy.stats import qmc  # noqa: PLC0415 - the extra `simulation`, and slow to import
    except ImportError as error:
        raise MissingExtraError.of("simulation", f"{method} samples (scipy)") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that n should be a power of two, which is documented
        return getattr(qmc, method)(dimensions, seed=sampling.seed).random(sampling.n).tolist()


def _pick(space: Space, share: float) -> Any:
    if not is_range(space):
        return space[int(share * len(space))]
    low, high = space
    return low + share * (high - low)


def is_range(space: Space) -> bool:
    """Return whether a sample may take any number between two: they are given as a tuple.

    Example:
        >>> is_range((0.1, 0.4)), is_range([0.1, 0.4]), is_range(("low", "high"))
        (True, False, False)
    """
    return isinstance(space, tuple) and len(space) == _ENDS and all(type(end) in {int, float} for end in space)
