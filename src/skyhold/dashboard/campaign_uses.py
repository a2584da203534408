"""Which campaigns of the dashboard's places hold a component's content.

A campaign keeps what it needs in its own store, by its SHA-256: weather files as they are, and models in a spelling of
its own. So it is the weather that is found, whoever created the campaign and wherever its workers ran.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from skyhold.components.manifest import Version
from skyhold.components.shown_files import ending_of
from skyhold.dashboard.campaign_desk import Listed
from skyhold.dashboard.desk import Desk
from skyhold.errors import SkyholdError
from skyhold.simulation.layout import blob_key

__all__ = ["CampaignUse", "find_campaign_uses"]

_WEATHER = ".epw"
_MOST_ASKED = 50
_WAIT_S = 2.0


@dataclass(frozen=True, slots=True)
class CampaignUse:
    """A campaign that holds content of a component.

    Attributes:
        campaign: Which.
        versions: Those whose content it holds, oldest first.
    """

    campaign: Listed
    versions: tuple[int, ...]


def find_campaign_uses(desk: Desk, versions: Sequence[Version]) -> list[CampaignUse]:
    """Return the campaigns that hold weather of some versions; a campaign that does not answer is passed over.

    Args:
        desk: Whose places are looked into: the campaigns that it knows of.
        versions: The newest first; no more than 50 contents are asked for.
    """
    numbers: dict[str, set[int]] = {}
    for version in versions:
        for entry in version.files:
            is_weather = ending_of(entry.name or version.component) == _WEATHER
            if is_weather and (entry.sha256 in numbers or len(numbers) < _MOST_ASKED):
                numbers.setdefault(entry.sha256, set()).add(version.number)
    found: list[CampaignUse] = []
    for campaign in desk.campaigns.listed(desk.places.values(), wait_s=_WAIT_S) if numbers else ():
        held = _held(desk, campaign, list(numbers))
        if held:
            found.append(CampaignUse(campaign, tuple(sorted({number for each in held for number in numbers[each]}))))
    return found


def _held(desk: Desk, campaign: Listed, contents: list[str]) -> list[str]:
    try:
        store = desk.place(campaign.name).open()
        with ThreadPoolExecutor(16, thread_name_prefix="skyhold-uses") as pool:
            there = list(pool.map(store.exists, map(blob_key, contents)))
    except SkyholdError:  # its own page says what is wrong with it
        return []
    return [sha256 for sha256, is_there in zip(contents, there, strict=True) if is_there]
