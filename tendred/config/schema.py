"""Every setting with its default and its meaning. The sample file and the reference are generated from here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the file."""


def _says(text: str, **limits: Any) -> Meta:
    return Meta(description=text, **limits)


class DaemonSection(Section, frozen=True):
    """The daemon as a whole."""

    language: Annotated[
        Literal["auto", "en", "fr"], _says("Language of messages and reason files; auto follows LANG.")
    ] = "auto"
    drain_s: Annotated[float, _says("Seconds a running job gets to finish at shutdown.", ge=0, le=3600)] = 5.0


class PathsSection(Section, frozen=True):
    """Where things are. Empty means the platform's place, or the folder under TENDRED_HOME."""

    data: Annotated[str, _says("Database, receipts and lock.")] = ""
    cache: Annotated[str, _says("Thumbnails; may be emptied while the daemon is down.")] = ""
    state: Annotated[str, _says("Boundary key, signing key and logs.")] = ""
    runtime: Annotated[str, _says("Discovery file and socket.")] = ""
    pictures: Annotated[str, _says("The library's files.")] = ""
    hot: Annotated[str, _says("The first hot folder.")] = ""


class RpcSection(Section, frozen=True):
    """The JSON-RPC door. It listens on loopback only, always."""

    port: Annotated[int, _says("TCP port on 127.0.0.1; 0 takes a free one.", ge=0, le=65535)] = 0
    header_timeout_s: Annotated[float, _says("Seconds a client has to send its headers.", gt=0, le=60)] = 5.0
    body_timeout_s: Annotated[float, _says("Seconds a client has to send its body.", gt=0, le=300)] = 15.0
    connections: Annotated[
        int, _says("Open connections at most, on the port and on the Unix socket each.", ge=4, le=4096)
    ] = 128


class EngineSection(Section, frozen=True):
    """The process that draws."""

    device: Annotated[str, _says("auto, cpu, cuda, cuda:N or mps.", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    threads: Annotated[int, _says("CPU threads; part of every recipe. 0 takes one per core.", ge=0, le=256)] = 0
    keep_alive_s: Annotated[
        float, _says("Seconds a model stays loaded after its last job; -1 until unloaded.", ge=-1, le=86400)
    ] = 300.0
    start_timeout_s: Annotated[float, _says("Seconds the process has to get ready.", gt=0, le=3600)] = 180.0
    heartbeat_s: Annotated[
        float, _says("Seconds of silence after which the process counts as hung.", ge=2, le=3600)
    ] = 60.0
    cancel_grace_s: Annotated[float, _says("Seconds a cancelled job has before it is killed.", gt=0, le=600)] = 10.0


class MediaSection(Section, frozen=True):
    """The process that makes files of pictures."""

    keep_alive_s: Annotated[float, _says("Seconds it stays after its last file.", ge=0, le=86400)] = 30.0
    timeout_s: Annotated[float, _says("Seconds one file may take.", gt=0, le=3600)] = 60.0
    jpeg_quality: Annotated[int, _says("JPEG and WebP quality.", ge=1, le=100)] = 92
    output_check: Annotated[
        str, _says("Name of an installed output check, by which pictures are withheld; empty: none, as receipts say.")
    ] = ""


class MarksSection(Section, frozen=True):
    """What files are signed with. Every file is marked and signed; nothing here ends that."""

    certificate: Annotated[
        str, _says("A certificate of yours (PEM, its chain after it); empty takes this installation's own.")
    ] = ""
    key: Annotated[str, _says("Its private key (PEM, without a password, readable by you alone).")] = ""
    trust: Annotated[
        str, _says("Certificates (PEM) that tendre verify counts as known, such as C2PA's trust list.")
    ] = ""


class QueueSection(Section, frozen=True):
    """What waits."""

    limit: Annotated[int, _says("Jobs that may wait.", ge=1, le=1_000_000)] = 100_000
    client_limit: Annotated[int, _says("Jobs that one client may have waiting.", ge=1, le=1_000_000)] = 50_000
    warm_s: Annotated[
        float,
        _says("Seconds for which jobs of a loaded model may pass the first in line; 0 never.", ge=0, le=3600),
    ] = 60.0
    start: Annotated[
        Literal["last", "run", "paused"],
        _says("At a start, also after a crash: as a person left it, running, or paused until somebody resumes."),
    ] = "last"
    history_days: Annotated[
        float, _says("Days for which jobs that have ended are kept; 0 for ever. Pictures and receipts stay.", ge=0)
    ] = 90.0
    history_jobs: Annotated[
        int, _says("Jobs that have ended kept at most, the last day's at least; 0 without limit.", ge=0)
    ] = 100_000


class LibrarySection(Section, frozen=True):
    """What was made."""

    reserve_bytes: Annotated[int, _says("Bytes kept free on the pictures' disk; below it no job starts.", ge=0)] = (
        256 * 1024 * 1024
    )
    budget_bytes: Annotated[
        int, _says("Room for pictures; 0 means any. Over it, tendre doctor says what could go.", ge=0)
    ] = 0
    events_kept: Annotated[int, _says("Events kept for replay.", ge=1_000)] = 100_000


class HubSection(Section, frozen=True):
    """Where models are pulled from. Nothing is asked there unless somebody asks for a pull."""

    endpoint: Annotated[
        str,
        _says(
            "The hub's address; empty takes HF_ENDPOINT, or https://huggingface.co.", pattern=r"^(https?://[^@\s]+)?$"
        ),
    ] = ""
    token_file: Annotated[
        str, _says("A file of yours (0600) that holds a token for gated models; empty takes HF_TOKEN, if it is set.")
    ] = ""
    token_host: Annotated[
        str, _says("The host that the token in that file is for, huggingface.co if empty; no other is sent it.")
    ] = ""
    proxy: Annotated[str, _says("A proxy for pulls; empty takes HTTPS_PROXY and the like.")] = ""
    ca_file: Annotated[
        str,
        _says("Certificates (PEM) of an authority of your own for pulls; empty takes SSL_CERT_FILE or the system's."),
    ] = ""


class CloudSection(Section, frozen=True):
    """Providers of clips. Nothing is sent there unless cloud was switched on and a clip was asked for."""

    key_files: Annotated[
        dict[str, str],
        _says('Files of yours (0600) that hold a provider\'s key, where there is no keyring: ltx = "/path".'),
    ] = {}
    proxy: Annotated[str, _says("A proxy for providers; empty takes HTTPS_PROXY.")] = ""
    ca_file: Annotated[
        str, _says("Certificates (PEM) of an authority of your own; empty takes SSL_CERT_FILE or the system's.")
    ] = ""


class ModelsSection(Section, frozen=True):
    """Models, LoRAs and the like."""

    budget_bytes: Annotated[
        int, _says("Room for models; 0 means any. Over it, tendre doctor says what could go.", ge=0)
    ] = 0


class HotfolderSection(Section, frozen=True):
    """The hot folder door."""

    enabled: Annotated[bool, _says("Watch the hot folder.")] = True
    rescan_s: Annotated[float, _says("Seconds between full rescans; events are only hints.", ge=0.2, le=3600)] = 30.0
    settle_s: Annotated[
        float, _says("Seconds size and time must stand still where no close was seen.", ge=0.05, le=60)
    ] = 1.0
    poll: Annotated[
        Literal["auto", "always", "never"], _says("Poll instead of events; auto does so on network file systems.")
    ] = "auto"
    max_bytes: Annotated[int, _says("The largest prompt file.", ge=1024, le=64 * 1024 * 1024)] = 1024 * 1024


class PluginsSection(Section, frozen=True):
    """Nothing runs because it is installed: only what is named here is loaded."""

    enabled: Annotated[list[str], _says("Names of plugins to load, in order.")] = []
    plain: Annotated[
        list[str],
        _says("Names of plugins whose exports get no words and settings along; the marking and the credentials stay."),
    ] = []
    timeout_s: Annotated[float, _says("Seconds a hook may take.", gt=0, le=600)] = 5.0
    settings: Annotated[dict[str, dict[str, Any]], _says("One table per plugin: [plugins.settings.NAME].")] = {}


class LogSection(Section, frozen=True):
    """The log, JSON lines under state/logs."""

    level: Annotated[Literal["debug", "info", "warning", "error"], _says("The least that is written.")] = "info"
    max_bytes: Annotated[int, _says("Size at which a file is rotated.", ge=10_000)] = 10_000_000
    backups: Annotated[int, _says("Rotated files kept.", ge=0, le=100)] = 5


class Config(Section, frozen=True):
    """The whole configuration."""

    daemon: DaemonSection = field(default_factory=DaemonSection)
    paths: PathsSection = field(default_factory=PathsSection)
    rpc: RpcSection = field(default_factory=RpcSection)
    engine: EngineSection = field(default_factory=EngineSection)
    media: MediaSection = field(default_factory=MediaSection)
    marks: MarksSection = field(default_factory=MarksSection)
    queue: QueueSection = field(default_factory=QueueSection)
    library: LibrarySection = field(default_factory=LibrarySection)
    hub: HubSection = field(default_factory=HubSection)
    cloud: CloudSection = field(default_factory=CloudSection)
    models: ModelsSection = field(default_factory=ModelsSection)
    hotfolder: HotfolderSection = field(default_factory=HotfolderSection)
    plugins: PluginsSection = field(default_factory=PluginsSection)
    log: LogSection = field(default_factory=LogSection)
