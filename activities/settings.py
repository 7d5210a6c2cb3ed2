"""Settings of every process, read once from the environment at the composition roots.

The environment variable follows from the field: ``Settings.triton.address`` is ``HOLDFAST_TRITON_ADDRESS``. No other
module reads the environment. A secret can stand in a file, as orchestrators mount it: ``HOLDFAST_MILVUS_TOKEN_FILE``
names one with the value of ``HOLDFAST_MILVUS_TOKEN``.

A secured Temporal (TLS, API key) is configured with the variables that Temporal's own tools read
(``TEMPORAL_API_KEY``, ``TEMPORAL_TLS_…``, ``TEMPORAL_CONFIG_FILE``). The settings carry them; they are interpreted
when the connection is made.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_type_hints
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Meta

from activities.errors import SettingsError, first_line
from activities.phrases import Phrase
from activities.validation import explain

if TYPE_CHECKING:
    from temporalio.envconfig import ClientConnectConfig

PREFIX = "HOLDFAST_"

#: Variables of Temporal's environment configuration: exact names, and prefixes of the others.
TEMPORAL_VARIABLES = (
    "TEMPORAL_ADDRESS",
    "TEMPORAL_NAMESPACE",
    "TEMPORAL_API_KEY",
    "TEMPORAL_PROFILE",
    "TEMPORAL_CONFIG_FILE",
    "TEMPORAL_TLS",
)
TEMPORAL_PREFIXES = ("TEMPORAL_TLS_", "TEMPORAL_GRPC_META_")

#: Settings whose values are never shown, and may stand in a file.
SECRETS = frozenset(
    {
        *(("api_key",), ("milvus", "token"), ("catalog", "url"), ("oidc", "client_secret")),
        *(("metrics", "token"), ("generate", "api_key")),
    }
)

#: What the name of a secret setting ends with to name a file that holds it.
FILE = "_FILE"

Port = Annotated[int, Meta(ge=1, le=65535)]
Positive = Annotated[int, Meta(ge=1)]


def listed(text: str) -> list[str]:
    """The entries of a comma-separated setting."""
    return [entry for part in text.split(",") if (entry := part.strip())]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the sections; immutable, because all components of a process share one instance."""


class ApiSettings(Section, frozen=True):
    host: str = "127.0.0.1"
    """Address that the API and the web page listen on."""
    port: Port = 8700
    """Port of the API and the web page."""
    max_upload_bytes: Positive = 1024 * 1024 * 1024
    """Largest upload request that is accepted, in bytes."""
    max_question_characters: Positive = 4000
    """Longest question or search query that is accepted, in characters."""
    max_uploads: Positive = 256
    """Upload requests that are served concurrently; further ones get 429 with a short Retry-After."""
    max_uploads_per_user: Positive = 64
    """The same for one user."""
    max_pending: Positive = 100_000
    """Documents that may be pending (accepted and not finished); beyond that, uploads get 429."""
    max_pending_per_user: Positive = 50_000
    """The same for one user."""
    batch_parallelism: Positive = 8
    """Documents of one batch that are in flight at once; a batch can set its own number."""
    allowed_hosts: Annotated[str, Meta(pattern=r"^([^,/]+(,[^,/]+)*)?$")] = ""
    """Comma-separated names by which browsers and clients call the API, beside addresses and those of this machine;
    `*` for any. Requests with another Host header get 421."""
    cors_origins: Annotated[str, Meta(pattern=r"^(\s*https?://[^,/*\s]+\s*(,\s*https?://[^,/*\s]+\s*)*)?$")] = ""
    """Comma-separated exact origins (`https://portal.example.org`) whose pages may call the API; empty for none."""
    requests_per_minute: Positive = 12_000
    """Requests that one key may send in a minute; further ones get 429 with Retry-After."""
    refusals_per_minute: Positive = 300
    """Requests without a valid key that one address may send in a minute before it gets 429."""
    connections_per_address: Positive = 4096
    """Connections that one address may hold open at once."""
    chat_sources: Literal["field", "text"] = "field"
    """Where answers of the OpenAI-compatible API name their sources: in the field `holdfast` only, or (`text`) also in
    a list at the end of their text; a request may say otherwise."""
    trusted_proxies: str = ""
    """Comma-separated addresses or networks of reverse proxies whose X-Forwarded-For is believed; empty for none."""


class TemporalEnvironment(msgspec.Struct, frozen=True):
    """Variables of Temporal's environment configuration. Some are secrets: only their names are ever shown."""

    variables: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"TemporalEnvironment({', '.join(sorted(self.variables))})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("variables", sorted(self.variables))]


class PayloadKeys(msgspec.Struct, frozen=True):
    """The file of keys that encrypt the payloads of Temporal; "" for no encryption."""

    file: str = ""


class TemporalSettings(Section, frozen=True):
    address: str = "127.0.0.1:7233"
    """host:port of Temporal's frontend (gRPC)."""
    namespace: str = "default"
    """Temporal namespace of all workflow runs."""
    ui_url: str = "http://127.0.0.1:8233"
    """Address of Temporal's Web UI; `holdfast up` serves it on this port."""
    environment: TemporalEnvironment = TemporalEnvironment()
    """Temporal's own environment variables; not a HOLDFAST_ setting."""
    payload_keys: PayloadKeys = PayloadKeys()
    """The file of ``PayloadSettings``, or that of the data folder if there is one; not a setting either."""

    def connection(self) -> ClientConnectConfig:
        """Address, namespace, TLS, API key and metadata: the arguments of ``Client.connect``.

        Precedence: HOLDFAST_ settings, TEMPORAL_ variables, the profile of a configuration file. The file is read
        only when TEMPORAL_CONFIG_FILE or TEMPORAL_PROFILE is set. Certificates are read from disk at each call.
        Raises SettingsError, whose text never contains a secret.
        """
        if not self.environment.variables:
            return {"target_host": self.address, "namespace": self.namespace}
        return {"target_host": self.address, "namespace": self.namespace, **_connection(self.environment.variables)}


class PayloadSettings(Section, frozen=True):
    keys: str = ""
    """File of the keys that encrypt what Temporal stores; `holdfast up` makes one in the data folder."""


class TritonSettings(Section, frozen=True):
    address: str = "127.0.0.1:8001"
    """host:port of Triton's gRPC endpoint, or of several, separated by commas; a name with several addresses stands for
    as many servers."""
    metrics_port: Port = 8002
    """Port on which the embedded Triton serves its Prometheus metrics."""
    venv: str = ".venv-triton"
    """Folder of Triton's virtual environment; used only by `holdfast up`."""


class MilvusSettings(Section, frozen=True):
    uri: str = "http://127.0.0.1:19530"
    """Address of Milvus; `holdfast up` serves Milvus Lite at this address."""
    token: str = ""
    """Token (`user:password`) of a Milvus cluster; empty for none. A secret."""
    index: Literal["auto", "AUTOINDEX", "HNSW", "HNSW_SQ", "DISKANN"] = "auto"
    """Index of the dense vectors of new collections; `auto`: HNSW on a cluster, Milvus Lite's own there."""
    index_m: Annotated[int, Meta(ge=2, le=2048)] = 16
    """Neighbours of a vector in an HNSW index: more find more, and cost 8 bytes each."""
    index_ef_construction: Positive = 200
    """Candidates while an HNSW index is built."""
    ef: Annotated[int, Meta(ge=1, le=32768)] = 128
    """Candidates of a search in an HNSW or DISKANN index; at least as many as are wanted."""
    consistency: Literal["bounded", "strong"] = "bounded"
    """`bounded`: searches on a cluster wait for the newest rows only within seconds of a publication; `strong`:
    always."""
    collections: Annotated[int, Meta(ge=0)] = 1000
    """Index generations with a collection of their own; further ones share one for each embedding model."""
    partitions: Annotated[int, Meta(ge=1, le=1024)] = 64
    """Partitions of a new shared collection, over which its knowledge bases are spread."""


class CatalogSettings(Section, frozen=True):
    url: str = ""
    """SQLAlchemy URL of the catalogue; empty means SQLite in the data folder. A secret."""
    connections: Positive = 15
    """Connections to PostgreSQL that each process opens at most."""


class BlobSettings(Section, frozen=True):
    url: str = ""
    """obstore URL of the blob store (`s3://bucket/prefix`, `file:///path`); empty means the data folder."""


class EmbedSettings(Section, frozen=True):
    model: str = ""
    """Embedding model: a folder, a hub id, or empty for the bundled multilingual-e5-small (read by Triton).
    It is the default one of new knowledge bases."""
    models: str = ""
    """Embedding models that can be used beside it, separated by commas (read by Triton)."""
    requests_in_flight: Positive = 2
    """Embedding requests that one document keeps in flight; 2 saturate a CPU, 8 suit a GPU."""


class GenerateSettings(Section, frozen=True):
    model: str = ""
    """Language model: a GGUF file, `owner/repo:file.gguf`, an OpenAI-compatible endpoint (`https://host/v1#model`), or
    empty for the bundled one (read by Triton). Naming one makes `generative` the default answer mode."""
    api_key: str = ""
    """API key of the endpoint (read by Triton only); empty for none. A secret."""
    api_key_file: str = ""
    """A file with the endpoint's API key, instead of the setting; read for each request (by Triton only)."""
    ca_file: str = ""
    """Certificates by which the endpoint's is verified (PEM, read by Triton); empty: those that the system trusts."""
    extra: str = ""
    """JSON object of further fields of each request to the endpoint, such as `{"reasoning_effort":"low"}` (read by
    Triton); null leaves a field out."""
    timeout_seconds: Positive = 120
    """Longest silence of the endpoint before and within an answer, in seconds (read by Triton)."""
    languages: str = "en"
    """Comma-separated ISO 639-1 codes of the languages that the language model writes; `*` for all."""
    max_tokens: Positive = 300
    """Longest generated answer, in tokens."""
    context_tokens: Positive = 900
    """Room for quoted sources in a prompt, in tokens of the embedding model."""

    def writes(self, language: str) -> bool:
        """Whether the language model writes ``language`` (an ISO 639-1 code)."""
        languages = {code.strip() for code in self.languages.split(",")}
        return "*" in languages or language in languages

    def check(self) -> None:
        """Raises SettingsError for an endpoint that names no model."""
        if self.model.startswith(("http://", "https://")) and not re.fullmatch(r"https?://[^\s#?@]+#\S+", self.model):
            raise SettingsError(key=f"{PREFIX}GENERATE_MODEL", value=self.model, problem=Phrase.NOT_AN_ENDPOINT)

    @property
    def rephrases(self) -> bool:
        """Whether paraphrased answers are accepted; the bundled language model is too small for them."""
        return bool(self.model)


class RerankSettings(Section, frozen=True):
    model: str = ""
    """Rerank model (a CrossEncoder): a folder or a hub id, read by Triton; empty disables reranking."""


class WorkerSettings(Section, frozen=True):
    cpu_slots: Positive = (os.cpu_count() or 2) + 2
    """Documents that one worker parses or chunks at once; more than cores, so that long documents do not block."""
    gpu_slots: Positive = 4
    """Documents that one worker embeds at once."""
    store_slots: Positive = 4
    """Activities on the catalogue and Milvus that one worker runs at once."""
    answer_slots: Positive = 16
    """Questions that one worker answers at once."""


class ParseSettings(Section, frozen=True):
    base_seconds: Positive = 60
    """Time for reading a small document, in seconds; the same again for splitting it into chunks."""
    seconds_per_mb: Positive = 20
    """Time added for each MiB of the document, in seconds; each page of a PDF or a picture adds 20 by itself."""
    max_seconds: Positive = 7200
    """Longest time for one document, whatever its size, in seconds."""
    max_memory_mb: Positive = 4096
    """Memory limit for parsing one document, in MiB."""
    max_pages: Positive = 20_000
    """Pages that one document may have."""
    max_archive_files: Positive = 50_000
    """Files that one uploaded zip archive may hold."""
    max_expansion: Positive = 200
    """Maximum ratio of unpacked size to upload size (a guard against zip bombs)."""
    ocr: Literal["auto", "off"] = "auto"
    """Text recognition: `auto` reads pictures, and PDF pages without a text layer."""
    hidden: Literal["skip", "read"] = "skip"
    """Hidden sheets, rows, columns, slides and text: `skip` leaves them out and says so, `read` reads them."""

    def seconds(self, bytes: int) -> float:
        """Time for one step on a document of this size."""
        return min(self.max_seconds, self.base_seconds + self.seconds_per_mb * bytes / (1 << 20))


class ReconcileSettings(Section, frozen=True):
    minutes: Annotated[int, Meta(ge=0)] = 60
    """Minutes between two reconciliations of catalogue, blobs, Milvus and Temporal with repair; 0 disables them."""
    keep_versions_days: Annotated[int, Meta(ge=0)] = 0
    """Days for which a replaced version keeps its files; 0 keeps them for ever."""


class ArchiveSettings(Section, frozen=True):
    minutes: Annotated[int, Meta(ge=0)] = 60
    """Minutes between two exports of the histories of ended runs to the blob store; 0 disables them."""
    keep_days: Annotated[int, Meta(ge=0)] = 0
    """Days for which exported histories are kept; 0 keeps them for ever."""


class AuditSettings(Section, frozen=True):
    key: str = ""
    """File of the key that signs the audit log; empty: the one that `holdfast up` makes in the data folder."""
    send_to: Annotated[str, Meta(pattern=r"^((/|https?://)[^,]+(,(/|https?://)[^,]+)*)?$")] = ""
    """Further places of signed checkpoints, beside the data folder and the blob store: comma-separated absolute
    files, to which they are appended, and addresses, to which they are posted."""
    days: Annotated[int, Meta(ge=0)] = 0
    """Days for which audit events are kept; 0 keeps them for ever. What is dropped is anchored by a signature."""
    reads: Literal["all", "content", "none"] = "content"
    """Reads in the audit trail: `content` of documents, questions and searches, `all` also of lists and states."""


class SyncSettings(Section, frozen=True):
    folders: Annotated[str, Meta(pattern=r"^(/[^,]*(,\s*/[^,]*)*)?$")] = ""
    """Comma-separated absolute folders: knowledge bases may follow these and what is below; empty: no folder."""
    buckets: Annotated[str, Meta(pattern=r"^(s3://[^,/]+(/[^,]*)?(,\s*s3://[^,/]+(/[^,]*)?)*)?$")] = ""
    """The same for S3: comma-separated `s3://bucket/prefix`."""


class WebhookSettings(Section, frozen=True):
    allowed_networks: str = ""
    """Networks (`10.0.0.0/8,fd00::/8`) that webhooks reach although they are not public, also by http."""

    def networks(self) -> list[IPv4Network | IPv6Network]:
        """``allowed_networks``. Raises SettingsError."""
        found = []
        for text in filter(None, (part.strip() for part in self.allowed_networks.split(","))):
            try:
                found.append(ip_network(text))
            except ValueError as exc:
                key = f"{PREFIX}WEBHOOK_ALLOWED_NETWORKS"
                value, problem = self.allowed_networks, Phrase.NOT_NETWORKS
                raise SettingsError(key=key, value=value, problem=problem, said=text) from exc
        return found


class OidcSettings(Section, frozen=True):
    issuer: Annotated[str, Meta(pattern=r"^(https?://[^\s?#]+)?$")] = ""
    """Address of the company's OpenID Connect provider, exactly as it names itself; empty: no such sign-in."""
    client_id: str = ""
    """The id under which the provider knows this platform."""
    client_secret: str = ""
    """The client's secret at the provider; empty for a public client. A secret."""
    name: Annotated[str, Meta(max_length=60)] = ""
    """What the button on the page calls the provider; empty: its host name."""
    scopes: Annotated[str, Meta(pattern=r"^[!#-\[\]-~ ]*$")] = "openid profile email"
    """What the provider is asked for, separated by spaces."""
    groups_claim: str = "groups"
    """The claim that lists a person's groups; empty: groups are not taken over."""
    operator_groups: str = ""
    """Comma-separated groups whose members are operators. Once one of these settings is set, they decide on roles."""
    auditor_groups: str = ""
    """The same for auditors."""
    admin_groups: str = ""
    """The same for administrators."""
    required_claims: Annotated[str, Meta(pattern=r"^([^=,]+=[^=,]+(,[^=,]+=[^=,]+)*)?$")] = ""
    """Comma-separated `claim=value` that a person must have to sign in, such as `hd=example.org`."""
    session_hours: Annotated[int, Meta(ge=1, le=336)] = 12
    """Hours after which a person signs in there again: groups and roles are those of the last sign-in."""


class LogSettings(Section, frozen=True):
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Minimum severity of the log lines that are written."""
    format: Literal["console", "json"] = "console"
    """`console` for people, `json` for log collectors."""


class MetricsSettings(Section, frozen=True):
    token: Annotated[str, Meta(pattern=r"^(\S{16,})?$")] = ""
    """Token with which Prometheus reads metrics, and nothing else; at least 16 characters. A secret."""
    host: str = "127.0.0.1"
    """Address on which workers show their metrics."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    """Port on which a worker shows its metrics to whoever has the token; 0: none. Those of `holdfast up` take this one
    and the next ones."""

    @property
    def are_served(self) -> bool:
        """Whether a worker shows its metrics: it has a port for them, and a token that opens it."""
        return bool(self.port and self.token)


class TracingSettings(Section, frozen=True):
    endpoint: Annotated[str, Meta(pattern=r"^(https?://[^\s?#@]+)?$")] = ""
    """Address of a collector that takes traces by OTLP over HTTP (`http://collector:4318`); empty: no traces."""
    ratio: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """Part of the requests, and of the runs that no request started, that is traced."""


class Settings(Section, frozen=True):
    """All settings of one process."""

    data: str = ".holdfast"
    """Data folder of the embedded platform: databases, blobs, logs, the first API key."""
    url: str = ""
    """URL of the API for the command line; empty means the embedded one."""
    api_key: str = ""
    """API key of the command line; empty means the one in `<data>/local.env`. A secret."""
    public_url: Annotated[str, Meta(pattern=r"^(https?://[^/\s?#@]+/?)?$")] = ""
    """Address at which browsers open the page (`https://holdfast.example.org`); empty: that of this machine."""
    api: ApiSettings = ApiSettings()
    temporal: TemporalSettings = TemporalSettings()
    payload: PayloadSettings = PayloadSettings()
    triton: TritonSettings = TritonSettings()
    milvus: MilvusSettings = MilvusSettings()
    catalog: CatalogSettings = CatalogSettings()
    blobs: BlobSettings = BlobSettings()
    embed: EmbedSettings = EmbedSettings()
    generate: GenerateSettings = GenerateSettings()
    rerank: RerankSettings = RerankSettings()
    worker: WorkerSettings = WorkerSettings()
    parse: ParseSettings = ParseSettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    archive: ArchiveSettings = ArchiveSettings()
    audit: AuditSettings = AuditSettings()
    sync: SyncSettings = SyncSettings()
    webhook: WebhookSettings = WebhookSettings()
    oidc: OidcSettings = OidcSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    tracing: TracingSettings = TracingSettings()

    @property
    def data_dir(self) -> Path:
        """The data folder as an absolute path."""
        return Path(self.data).expanduser().resolve()

    @property
    def keys_file(self) -> Path:
        """The keys of payloads that ``holdfast up`` makes."""
        return self.data_dir / "payload.keys"

    @property
    def audit_key_file(self) -> Path:
        """The key that signs the audit log; the file may not exist."""
        return Path(self.audit.key).expanduser() if self.audit.key else self.data_dir / "audit.key"

    @property
    def checkpoints_file(self) -> Path:
        """The signed checkpoints of the audit log that are kept in the data folder."""
        return self.data_dir / "audit" / "checkpoints"

    @property
    def catalog_url(self) -> str:
        """The catalogue's SQLAlchemy URL, with the default filled in."""
        return self.catalog.url or f"sqlite+aiosqlite:///{self.data_dir / 'catalog.db'}"

    @property
    def blobs_url(self) -> str:
        """The blob store's URL, with the default filled in."""
        return self.blobs.url or (self.data_dir / "blobs").as_uri()

    @property
    def files_dir(self) -> Path | None:
        """The folder of the blob store; None if it is not on this machine's disks."""
        url = urlsplit(self.blobs_url)
        return Path(unquote(url.path)) if url.scheme == "file" else None

    @property
    def api_url(self) -> str:
        """The URL at which this machine reaches the API."""
        all_interfaces = self.api.host in ("0.0.0.0", "::")  # noqa: S104
        host = "127.0.0.1" if all_interfaces else self.api.host
        return self.url or f"http://{host}:{self.api.port}"

    @property
    def page_url(self) -> str:
        """The origin at which browsers open the page."""
        return (self.public_url or self.api_url).rstrip("/")


S = TypeVar("S", bound=Section)


def variables(section: type[Section] = Settings, prefix: str = PREFIX) -> dict[str, tuple[str, ...]]:
    """Every supported environment variable, with the path of its field."""
    paths: dict[str, tuple[str, ...]] = {}
    hints = get_type_hints(section)
    for field in msgspec.structs.fields(section):
        kind = hints[field.name]
        if kind in (TemporalEnvironment, PayloadKeys):
            continue
        if isinstance(kind, type) and issubclass(kind, Section):
            inner = variables(kind, f"{prefix}{field.name.upper()}_")
            paths |= {name: (field.name, *path) for name, path in inner.items()}
        else:
            paths[prefix + field.name.upper()] = (field.name,)
    return paths


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Reads the settings from the environment.

    Raises SettingsError, naming key and value (not those of secrets), for an unknown variable or an invalid value.
    """
    known = variables()
    tree: dict[str, Any] = {}
    for key, value in _with_files(environ, known).items():
        if key not in known:
            raise SettingsError(key=key, value="…", problem=Phrase.NO_SUCH_SETTING)
        *parents, field = known[key]
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[field] = value
        _check(key, value, known[key])
    settings = msgspec.convert(tree, Settings, strict=False)
    settings.webhook.networks()
    settings.generate.check()
    named = settings.payload.keys and str(Path(settings.payload.keys).expanduser())
    keys = named or (str(settings.keys_file) if settings.keys_file.is_file() else "")
    temporal = msgspec.structs.replace(settings.temporal, payload_keys=PayloadKeys(keys))
    return msgspec.structs.replace(settings, temporal=_with_environment(temporal, environ))


def _with_files(environ: Mapping[str, str], known: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The settings of the environment; secrets that it names files for are read from these.

    The key of the language model's endpoint is not: Triton reads its file itself, anew for each answer.
    """
    given = {key: value for key, value in environ.items() if key.startswith(PREFIX)}
    for name in [name for name, path in known.items() if path in SECRETS and name + FILE not in known]:
        file = given.pop(name + FILE, "")
        if not file:
            continue
        if given.get(name):
            raise SettingsError(key=name + FILE, value=file, problem=Phrase.SECRET_TWICE, name=name)
        try:
            given[name] = Path(file).expanduser().read_text().strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise SettingsError(key=name + FILE, value=file, problem=first_line(exc)) from exc
    return given


def is_temporal_variable(name: str) -> bool:
    """Whether the variable belongs to Temporal's environment configuration."""
    return name in TEMPORAL_VARIABLES or name.startswith(TEMPORAL_PREFIXES)


def _with_environment(temporal: TemporalSettings, environ: Mapping[str, str]) -> TemporalSettings:
    values = {name: value for name, value in environ.items() if is_temporal_variable(name) and value}
    if values:
        for name in ("ADDRESS", "NAMESPACE"):
            if (override := environ.get(f"{PREFIX}TEMPORAL_{name}")) is not None:
                values[f"TEMPORAL_{name}"] = override
    return msgspec.structs.replace(temporal, environment=TemporalEnvironment(values))


def _connection(variables: dict[str, str]) -> ClientConnectConfig:
    from temporalio.envconfig import ClientConfigProfile  # noqa: PLC0415 - a slow import, and rarely needed

    file = variables.get("TEMPORAL_CONFIG_FILE")
    if file is not None and not Path(file).is_file():
        raise SettingsError(key="TEMPORAL_CONFIG_FILE", value=file, problem="there is no such file")
    named = file is not None or "TEMPORAL_PROFILE" in variables
    try:
        profile = ClientConfigProfile.load(override_env_vars=variables, disable_file=not named)
    except RuntimeError as exc:  # further lines of the message quote the file, which may contain secrets
        problem = first_line(exc)
        raise SettingsError(key="TEMPORAL_CONFIG_FILE", value=file or "…", problem=problem) from None
    if "TEMPORAL_TLS" in variables and (profile.tls is None or profile.tls.disabled is None):
        raise SettingsError(key="TEMPORAL_TLS", value=variables["TEMPORAL_TLS"], problem="it is neither true nor false")
    try:
        return profile.to_client_connect_config()
    except OSError as exc:
        path = str(exc.filename)
        shown = "…" if "-----BEGIN" in path else path  # a key that was pasted where its path belongs
        raise SettingsError(key="TEMPORAL_TLS_…_PATH", value=shown, problem=str(exc.strerror)) from None


def _check(key: str, value: str, path: tuple[str, ...]) -> None:
    tree: Any = value
    for name in reversed(path):
        tree = {name: tree}
    try:
        msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as exc:
        phrase, params, _ = explain(str(exc))
        raise SettingsError(key=key, value="…" if path in SECRETS else value, problem=phrase, **params) from exc
