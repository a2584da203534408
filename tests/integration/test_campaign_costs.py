"""After a campaign: what each case has cost of the store."""

from uuid import uuid4

import pytest

from conftest import make_bucket, make_container
from gcs_server import GcsServer
from skyhold.runs.journal import default_journal
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.campaign_record import Rules
from skyhold.simulation.worker import work
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.storage.pricing import AWS_2024, AZURE_2024, GOOGLE_2024, PriceTable
from skyhold.testing.servers import LocalServer
from tiny_model import InstantSimulator, tiny_plan

INSTANT = InstantSimulator()
COLUMNS = ["requests", "read_bytes", "sent_bytes", "requests_cost"]


def test_cases_share_what_their_chunk_has_cost_and_together_it_is_nearly_all_that_the_worker_was_charged(
    moto: LocalServer,
):
    store = open_store(f"s3://{make_bucket(moto)}/study", **moto.options)
    rules = Rules(chunk_s=8.0)  # chunks of four at most
    campaign = Campaign.create(store, tiny_plan(range(10)), simulator=INSTANT, rules=rules)
    receipt = work(store, simulator=INSTANT).receipt
    table = campaign.table(columns=COLUMNS)
    asked, read, sent, cost = (table.column(name).to_pylist() for name in COLUMNS)
    assert 0.0 < min(asked) < sum(receipt.requests.values()) / 5
    last_looks = sum(receipt.requests.values()) - sum(asked)
    assert last_looks == pytest.approx(2)  # the note that the last chunk is finished, and a look that nothing is left
    assert sum(sent) < receipt.bytes_out <= sum(sent) + 4_000
    assert sum(read) <= receipt.bytes_in
    assert receipt.cost is not None
    write_and_look = AWS_2024.price({"write": 1, "list": 1})
    assert sum(cost) == pytest.approx(receipt.cost["requests"] - write_and_look, abs=1e-6)
    assert table.schema.field("requests_cost").metadata[b"unit"] == b"USD"


def test_cases_of_one_chunk_have_the_same_share():
    store = open_store(f"memory://costs-{uuid4().hex}")
    campaign = Campaign.create(store, tiny_plan(range(5)), simulator=INSTANT, rules=Rules(workers=1))
    campaign.run(simulator=INSTANT)
    shares = [tuple(row.values()) for row in campaign.table(columns=COLUMNS).to_pylist()]
    assert shares[0] == shares[1] == shares[2] != shares[3]  # chunks of 3, 1 and 1


@pytest.fixture(params=[pytest.param("azure", marks=pytest.mark.azurite), "google"])
def elsewhere(request: pytest.FixtureRequest) -> tuple[Store, PriceTable]:
    if request.param == "azure":
        azurite: LocalServer = request.getfixturevalue("azurite")
        return open_store(f"az://{make_container(azurite)}/study", **azurite.options), AZURE_2024
    gcs: GcsServer = request.getfixturevalue("gcs")
    return open_store(f"gs://{gcs.make_bucket()}/study", endpoint=gcs.url, anonymous=True), GOOGLE_2024


def test_a_campaign_elsewhere_than_on_amazon_is_paid_at_the_prices_there(elsewhere: tuple[Store, PriceTable]):
    store, prices = elsewhere
    campaign = Campaign.create(store, tiny_plan(range(3)), simulator=INSTANT)
    assert campaign.run(simulator=INSTANT, workers=2).done == 3
    receipts = [entry.receipt for entry in default_journal().list_runs() if entry.receipt]
    assert {receipt.kind for receipt in receipts} == {"work", "campaign"}
    assert [(receipt.cost or {})["price_table"] for receipt in receipts] == [prices.name] * 3
    assert sum(campaign.table(columns=["requests_cost"])["requests_cost"].to_pylist()) > 0


def test_requests_cost_the_same_everywhere_so_that_tables_of_cases_need_not_know_the_service():
    assert AWS_2024.per_1000_requests == AZURE_2024.per_1000_requests == GOOGLE_2024.per_1000_requests
    assert {table.currency for table in (AWS_2024, AZURE_2024, GOOGLE_2024)} == {"USD"}


def test_where_no_service_charges_there_are_bytes_and_no_cost():
    store = open_store(f"memory://costs-{uuid4().hex}")
    campaign = Campaign.create(store, tiny_plan([1]), simulator=INSTANT)
    assert campaign.table(columns=COLUMNS).to_pylist() == [dict.fromkeys(COLUMNS)]
    campaign.run(simulator=INSTANT)
    (row,) = campaign.table(columns=COLUMNS).to_pylist()
    assert (row["requests"], row["requests_cost"]) == (0, None)
    assert row["sent_bytes"] > 100
