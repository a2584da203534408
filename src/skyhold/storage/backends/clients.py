"""The clients of obstore for the three clouds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from obstore.store import AzureStore, GCSStore, S3Store

from skyhold.storage.attempts import RetryPolicy
from skyhold.storage.credentials.connection import Connection, reveal_settings

__all__ = ["CloudSettings", "connect_client"]

_CLIENTS: dict[str, Callable[..., Any]] = {"s3": S3Store, "az": AzureStore, "gs": GCSStore}


@dataclass(frozen=True, slots=True)
class CloudSettings:
    """How a connection behaves, apart from who it is.

    Attributes:
        policy: How patient it is.
        timeout_s: Longest time of one request, its body included.
        connect_timeout_s: Longest time to make a connection.
        concurrency: Requests in flight for small objects.
        part_bytes: Size of the parts of large uploads.
    """

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_s: float = 60.0
    connect_timeout_s: float = 2.0
    concurrency: int = 128
    part_bytes: int = 16 * 1024 * 1024


def connect_client(connection: Connection, settings: CloudSettings, *, max_retries: int) -> Any:
    """Return a client that repeats a request by itself at most ``max_retries`` times."""
    client = {
        "timeout": timedelta(seconds=settings.timeout_s),
        "connect_timeout": timedelta(seconds=settings.connect_timeout_s),
        **connection.client,
    }
    retry = {
        "max_retries": max_retries,
        "retry_timeout": timedelta(seconds=settings.policy.total_s),
        "backoff": {"max_backoff": timedelta(seconds=settings.policy.max_delay_s)},
    }
    extra = {} if connection.provider is None else {"credential_provider": connection.provider}
    config = reveal_settings(connection.settings)
    return _CLIENTS[connection.scheme](
        connection.container, config=config, client_options=client, retry_config=retry, **extra
    )
