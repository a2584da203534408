"""A client that has come in by the dashboard's door."""

from starlette.testclient import TestClient

from skyhold.dashboard.application import make_application
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.safety import Keyring, local_hosts

HERE = "http://127.0.0.1:8000"
OWN = {"Origin": HERE}
"""What a browser says of a form of the dashboard's own."""


def client_for(desk: Desk, keys: Keyring) -> TestClient:
    """Return a client that stands before the door."""
    application = make_application(desk, keys=keys, hosts=local_hosts(8000))
    return TestClient(application, base_url=HERE, follow_redirects=False, raise_server_exceptions=False)


def entered(desk: Desk) -> TestClient:
    """Return a client that has come in."""
    keys = Keyring(8000)
    client = client_for(desk, keys)
    assert client.get(f"/enter?token={keys.token}").status_code == 200
    return client
