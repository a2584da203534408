"""Finding the simulators that ``--simulator module:name`` names."""

from collections.abc import Callable, Iterable

from skyhold.cli.models import load_object
from skyhold.simulation.simulator import Simulator
from skyhold.simulation.simulator_choice import find_simulator

__all__ = ["load_simulator", "simulators_by_name"]


def load_simulator(name: str) -> Simulator:
    """Return the simulator that ``module:name`` or ``file.py:name`` names; EnergyPlus for an empty name.

    Raises:
        BadOptionError: There is no such module or name, or importing it fails.
        MissingExtraError: EnergyPlus is not installed.
    """
    if not name:
        return find_simulator()
    found = load_object(name, argument="--simulator")
    return found() if isinstance(found, type) else found


def simulators_by_name(names: Iterable[str]) -> Callable[[str], Simulator]:
    """Return what finds a simulator by what it calls itself, as campaigns do: among these, and those of this package.

    Raises:
        BadOptionError: There is no such module or name, or importing it fails.
    """
    given = {simulator.name: simulator for simulator in map(load_simulator, names)}

    def find(name: str) -> Simulator:
        return given[name] if name in given else find_simulator(name)

    return find
