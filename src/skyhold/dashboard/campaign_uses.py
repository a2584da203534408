"""Which campaigns of the dashboard's places have used a component.

A campaign keeps what it needs in its own store, by its SHA-256: weather files as they are, and models in a spelling of
its own. So weather is found by its content, which tells the version, whoever created the campaign and wherever its
workers ran. A model is found where it was read from the component's own place, which the campaign's record tells; which
version that was is not known.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from skyhold.components.manifest import Version
from skyhold.components.shown_files import ending_of
from skyhold.dashboard.campaign_list import Listed
from skyhold.dashboard.desk import Desk
from skyhold.errors import SkyholdError
from skyhold.simulation.campaign_record import CampaignRecord
from skyhold.simulation.layout import CAMPAIGN, blob_key
from skyhold.storage.contract import Store

__all__ = ["CampaignUse", "find_campaign_uses"]

_WEATHER = ".epw"
_MOST_ASKED = 50
_WAIT_S = 2.0


@dataclass(frozen=True, slots=True)
class CampaignUse:
    """A campaign that has used a component.

    Attributes:
        campaign: Which.
        versions: Those whose content it holds, oldest first; empty where it has only read from the component's place.
    """

    campaign: Listed
    versions: tuple[int, ...]


def find_campaign_uses(desk: Desk, uri: str, versions: Sequence[Version]) -> list[CampaignUse]:
    """Return the campaigns that have used a component; a campaign that does not answer is passed over.

    Args:
        desk: Whose places are looked into: the campaigns that it knows of.
        uri: The component's own place.
        versions: The newest first; no more than 50 contents are asked for.
    """
    numbers: dict[str, set[int]] = {}
    for version in versions:
        for entry in version.files:
            is_weather = ending_of(entry.name or version.component) == _WEATHER
            if is_weather and (entry.sha256 in numbers or len(numbers) < _MOST_ASKED):
                numbers.setdefault(entry.sha256, set()).add(version.number)
    found: list[CampaignUse] = []
    for campaign in desk.campaigns.listed(desk.places.values(), wait_s=_WAIT_S):
        try:
            store = desk.place(campaign.name).open()
            held = _held(store, list(numbers))
            if held or _has_read(store, uri):
                told = sorted({number for each in held for number in numbers[each]})
                found.append(CampaignUse(campaign, tuple(told)))
        except SkyholdError:  # its own page says what is wrong with it
            continue
    return found


def _held(store: Store, contents: list[str]) -> list[str]:
    with ThreadPoolExecutor(16, thread_name_prefix="skyhold-uses") as pool:
        there = list(pool.map(store.exists, map(blob_key, contents)))
    return [sha256 for sha256, is_there in zip(contents, there, strict=True) if is_there]


def _has_read(store: Store, uri: str) -> bool:
    origins = CampaignRecord.from_json(store.read(CAMPAIGN), store.uri).origins
    return any(origin == uri or origin.startswith(f"{uri}/") for origin in origins)
