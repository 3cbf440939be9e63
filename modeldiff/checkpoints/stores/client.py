"""A client of an object store, with the credentials that the store's own conventions name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from modeldiff.errors import AccessDenied
from modeldiff.extras import require
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.settings.aws_profiles import aws_profile
from modeldiff.settings.store_environment import store_endpoint
from modeldiff.text.quoting import quoted


@dataclass(frozen=True)
class Retries:
    """How long a store is asked: further ``tries`` after the first, for ``seconds`` in all; how
    long one answer may take, and how long a connection."""

    tries: int
    seconds: float
    answer_seconds: float
    connect_seconds: float


def open_store(scheme: str, bucket: str, doing: str, retries: Retries) -> Any:
    """A client of ``bucket``, a bucket of the store whose addresses begin with ``scheme``, with
    what the environment says. ``doing`` begins the sentence on what needs the library
    (``Reading``). Raises ``MissingExtra``, and ``AccessDenied`` where settings are missing."""
    require("stores", f"{doing} {scheme}:// addresses")
    from obstore import exceptions, store

    settings = aws_profile() if scheme == "s3" else {}
    endpoint = settings.get("endpoint") or store_endpoint(scheme)
    client = {
        "timeout": timedelta(seconds=retries.answer_seconds),
        "connect_timeout": timedelta(seconds=retries.connect_seconds),
        # Whoever set an endpoint without TLS means it.
        "allow_http": endpoint.startswith("http://"),
    }
    patience = {
        "max_retries": retries.tries,
        "retry_timeout": timedelta(seconds=retries.seconds),
    }
    options: dict[str, Any] = {"client_options": client, "retry_config": patience, **settings}
    try:
        if scheme == "s3":
            return store.S3Store(bucket, **options)
        if scheme == "gs":
            return store.GCSStore(bucket, **options)
        return store.AzureStore(bucket, **options)
    except exceptions.BaseError:
        raise AccessDenied(
            f"The settings for {quoted(f'{scheme}://{bucket}')} in the environment are not "
            "complete.",
            hint="Set what the store's own tools need: for s3 credentials and AWS_REGION, for gs "
            "GOOGLE_APPLICATION_CREDENTIALS, for az AZURE_STORAGE_ACCOUNT_NAME.",
        ) from None
