"""Which simulator runs the cases of a campaign."""

from skyhold.errors import BadOptionError, EngineError
from skyhold.simulation.campaign_record import CampaignRecord
from skyhold.simulation.simulator import Simulator

__all__ = ["check_simulator", "find_simulator"]


def find_simulator(simulator: str = "energyplus") -> Simulator:
    """Return the simulator that is meant where none is given.

    Raises:
        BadOptionError: It is none that comes with this package.
        MissingExtraError: EnergyPlus is not installed.
    """
    if simulator != "energyplus":
        raise BadOptionError(
            f"the simulator {simulator!r} does not come with skyhold",
            remedy="Pass the object: work(uri, simulator=…), or --simulator module:name",
        )
    from skyhold.simulation.energyplus import EnergyPlus  # noqa: PLC0415 - other simulators do without

    return EnergyPlus(warm=True)


def check_simulator(simulator: Simulator, record: CampaignRecord, uri: str) -> None:
    """Raise where a campaign is of another simulator.

    Raises:
        EngineError: It is, or of another build of it.
    """
    if (simulator.name, simulator.build) != (record.simulator, record.build):
        raise EngineError(
            f"the campaign {uri!r} is of {record.simulator} {record.build}, "
            f"and this worker has {simulator.name} {simulator.build}",
            remedy=f"Install that build, or create another campaign for {simulator.build}",
        )
