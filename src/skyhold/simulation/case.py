"""One run of a study, as plain JSON, and the key by which its result is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from skyhold.errors import ModelError
from skyhold.simulation.patches import Patch
from skyhold.simulation.plain import hash_json

__all__ = ["Case", "case_key"]


@dataclass(frozen=True, slots=True)
class Case:
    """One run of a study. Holds everything but the bytes of model and weather, and needs no code of the user.

    Attributes:
        label: What people call it; no two of a plan are alike.
        parameters: Value of each parameter by name; empty in a baseline that sets none.
        model: Name of the base model in the plan.
        patch: What makes the base into this case's model (`apply_patch`).
        weather: Name of the weather in the plan; None for a simulator that needs none.
        options: The engine's flags, such as ``{"annual": True}``.
        selection: What is kept of the results.
        baseline: Label of the case that this one is compared with; its own label in a baseline; None without one.

    Example:
        >>> case = Case("thick", {"thickness": 0.2}, "office", [[["Material", "Wool", "thickness"], 0.2]], "chicago")
        >>> Case.from_json(case.to_json()) == case
        True
    """

    label: str
    parameters: Mapping[str, Any]
    model: str
    patch: Patch = field(default_factory=Patch)
    weather: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    selection: Mapping[str, Any] = field(default_factory=dict[str, Any])
    baseline: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "label": self.label,
            "parameters": dict(self.parameters),
            "model": self.model,
            "patch": self.patch,
            "weather": self.weather,
            "options": dict(self.options),
            "selection": dict(self.selection),
            "baseline": self.baseline,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Return the case that `to_json` wrote.

        Raises:
            ModelError: The record is not one of a case.
        """
        try:
            return cls(**record)
        except TypeError as error:
            raise ModelError(
                f"this is not the record of a case: {error}", remedy="Read the plan with the skyhold that wrote it"
            ) from error


def case_key(
    model_sha256: str,
    patch: Sequence[Sequence[Any]],
    weather_sha256: str | None,
    build: str,
    options: Mapping[str, Any],
    selection: Mapping[str, Any],
) -> str:
    """Return the id of a case: the SHA-256 of all that its result depends on, in hexadecimal digits.

    Labels and parameters are not in it, so two cases that ask the same run once.

    Args:
        model_sha256: Of the base model's canonical bytes.
        patch: What makes the base into this case's model.
        weather_sha256: Of the weather file; None without one.
        build: `Simulator.build`, to the commit.
        options: The engine's flags.
        selection: What is kept of the results.

    Raises:
        BadOptionError: A value is not JSON.

    Example:
        >>> case_key("0" * 64, [], None, "25.2.0-cf7368216c", {"annual": True}, {})[:12]
        'a7c11ecf240a'
    """
    return hash_json(
        {
            "format": 1,
            "model": model_sha256,
            "patch": list(patch),
            "weather": weather_sha256,
            "build": build,
            "options": dict(options),
            "selection": dict(selection),
        }
    )
