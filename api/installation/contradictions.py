"""Settings that contradict each other: each is right by itself, and together they do not do what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from activities.settings import Settings, listed
from api.client.problems import Message
from api.installation.findings import Finding
from api.stack.ports import LOCAL_HOSTS, address_of


def contradictions(settings: Settings) -> Iterator[Finding]:
    """One finding for each; one that says so if there is none."""
    found = [Finding(Message("doctor.contradiction"), False, ", ".join(names), do) for names, do in _all(settings)]
    yield from found or [Finding(Message("doctor.contradiction"), True, Message("doctor.contradiction_none"))]


def _all(settings: Settings) -> Iterator[tuple[tuple[str, ...], Message]]:
    for contradicts, names, do in RULES:
        if contradicts(settings):
            yield tuple(f"HOLDFAST_{name}" for name in names), do


def _remote(address: str) -> bool:
    try:
        return address_of(address)[0] not in LOCAL_HOSTS
    except ValueError:  # it has no port, so that nothing is there
        return False


def _follows_itself(settings: Settings) -> bool:
    data = settings.data_dir
    folders = [Path(folder).resolve() for folder in listed(settings.sync.folders)]
    return any(data.is_relative_to(folder) or folder.is_relative_to(data / "blobs") for folder in folders)


def _is_endpoint(settings: Settings) -> bool:
    return settings.generate.model.startswith(("http://", "https://"))


def _shares_no_files(settings: Settings) -> bool:
    return bool(settings.catalog.url) and not settings.blobs.url and _remote(settings.temporal.address)


def _believes_no_proxy(settings: Settings) -> bool:
    is_public = urlsplit(settings.public_url).scheme == "https"
    return is_public and settings.api.host in ("0.0.0.0", "::") and not settings.api.trusted_proxies  # noqa: S104


#: Whether settings contradict each other, their names, and what to do.
RULES: tuple[tuple[Callable[[Settings], bool], tuple[str, ...], Message], ...] = (
    (
        lambda each: bool(each.metrics.port) and not each.metrics.token,
        ("METRICS_PORT", "METRICS_TOKEN"),
        Message("contradiction.metrics"),
    ),
    (
        lambda each: each.api.max_pending_per_user > each.api.max_pending,
        ("API_MAX_PENDING_PER_USER", "API_MAX_PENDING"),
        Message("contradiction.per-user"),
    ),
    (
        lambda each: each.api.max_uploads_per_user > each.api.max_uploads,
        ("API_MAX_UPLOADS_PER_USER", "API_MAX_UPLOADS"),
        Message("contradiction.per-user"),
    ),
    (
        lambda each: each.parse.base_seconds > each.parse.max_seconds,
        ("PARSE_BASE_SECONDS", "PARSE_MAX_SECONDS"),
        Message("contradiction.parse"),
    ),
    (
        lambda each: bool(each.reconcile.keep_versions_days) and not each.reconcile.minutes,
        ("RECONCILE_KEEP_VERSIONS_DAYS", "RECONCILE_MINUTES"),
        Message("contradiction.never-removed"),
    ),
    (
        lambda each: bool(each.archive.keep_days) and not each.archive.minutes,
        ("ARCHIVE_KEEP_DAYS", "ARCHIVE_MINUTES"),
        Message("contradiction.never-removed"),
    ),
    (
        lambda each: (
            bool(each.generate.api_key or each.generate.api_key_file or each.generate.ca_file)
            and not _is_endpoint(each)
        ),
        ("GENERATE_MODEL", "GENERATE_API_KEY", "GENERATE_CA_FILE"),
        Message("contradiction.no-endpoint"),
    ),
    (
        lambda each: bool(each.generate.api_key and each.generate.api_key_file),
        ("GENERATE_API_KEY", "GENERATE_API_KEY_FILE"),
        Message("contradiction.two-keys"),
    ),
    (
        lambda each: bool(each.oidc.issuer) != bool(each.oidc.client_id),
        ("OIDC_ISSUER", "OIDC_CLIENT_ID"),
        Message("contradiction.oidc"),
    ),
    (
        lambda each: bool(each.oidc.issuer) and not each.public_url,
        ("OIDC_ISSUER", "PUBLIC_URL"),
        Message("contradiction.oidc-address"),
    ),
    (
        lambda each: (
            bool(each.oidc.operator_groups or each.oidc.auditor_groups or each.oidc.admin_groups)
            and not each.oidc.groups_claim
        ),
        ("OIDC_ADMIN_GROUPS", "OIDC_GROUPS_CLAIM"),
        Message("contradiction.oidc-groups"),
    ),
    (_believes_no_proxy, ("PUBLIC_URL", "API_TRUSTED_PROXIES"), Message("contradiction.proxy")),
    (_follows_itself, ("SYNC_FOLDERS", "DATA"), Message("contradiction.follows-itself")),
    (_shares_no_files, ("CATALOG_URL", "TEMPORAL_ADDRESS", "BLOBS_URL"), Message("contradiction.files")),
)
