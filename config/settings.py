"""Every setting, in one frozen object, read from the environment once at start.

A setting is declared here and nowhere else: its variable, its default, and the sentence that
`config/.env.example` and `docs/configuration.md` are generated from.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, cast
from urllib.parse import urlsplit

import environs

Mode = Literal["production", "development", "test"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Published in this repository, therefore known to everybody: fine on a laptop, refused in production.
EXAMPLE_TOKEN_KEY = "dev:example-key-do-not-use-in-production-0000"  # noqa: S105
EXAMPLE_PEPPER = "example-pepper-do-not-use-in-production-0"
MIN_SECRET_BYTES = 32
VAPID_CONTACT = re.compile(r"mailto:[^\s@<>]+@[\w-]+(\.[\w-]+)+|https://[\w-]+(\.[\w-]+)+", re.ASCII)


class SettingsError(Exception):
    """The environment holds a value that cannot be used, or lacks one; the message says which."""


def _setting(variable: str, default: Any, about: str, *, development: Any = None) -> Any:
    """A setting: `default` everywhere, but `development` outside production where given."""
    return field(default=default, metadata={"variable": variable, "about": about, "development": development})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the process was told. `Settings()` alone gives the production defaults."""

    mode: Mode = _setting(
        "FITTRACKER_MODE", "production", "production, development or test; only production refuses examples"
    )
    bind: str = _setting("BIND", "127.0.0.1:8080", "address and port, or unix:PATH, the workers listen on")
    workers: int = _setting("WORKERS", 2, "worker processes; one a core is a good start")
    log_format: str = _setting("LOG_FORMAT", "json", "json or pretty", development="pretty")
    log_level: str = _setting("LOG_LEVEL", "info", "debug, info, warning or error")

    keepalive_s: float = _setting(
        "KEEPALIVE_S", 75.0, "time a connection may be idle, or take for the head of a request, seconds"
    )

    mongo_url: str = _setting("MONGO_URL", "", "MongoDB replica set, mongodb://...; required in production")
    mongo_database: str = _setting("MONGO_DATABASE", "fittracker", "name of the database")
    redis_url: str = _setting("REDIS_URL", "", "Redis or Valkey, redis://...; required in production")

    public_origin: str = _setting(
        "PUBLIC_ORIGIN", "http://127.0.0.1:8080", "scheme and host that links in mails point to"
    )
    allowed_origins: tuple[str, ...] = _setting(
        "ALLOWED_ORIGINS", (), "browser origins that may open sockets and call REST, comma-separated, exact"
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        "TRUSTED_PROXIES", (), "networks whose X-Forwarded-For is believed, comma-separated"
    )

    token_keys: tuple[tuple[str, str], ...] = _setting(
        "TOKEN_KEYS", (), "kid:secret pairs, comma-separated; the first signs, all verify (for rotation)"
    )
    token_issuer: str = _setting("TOKEN_ISSUER", "fittracker", "iss of access tokens")
    token_audience: str = _setting("TOKEN_AUDIENCE", "fittracker", "aud of access tokens")
    access_token_s: int = _setting("ACCESS_TOKEN_S", 900, "life of an access token, seconds")
    refresh_token_s: int = _setting("REFRESH_TOKEN_S", 2_592_000, "life of a refresh token, seconds")
    ticket_s: int = _setting("TICKET_S", 30, "life of a WebSocket ticket, seconds")
    console_s: int = _setting("CONSOLE_S", 43_200, "life of a console's sign-in and cookie, seconds")
    console_idle_s: int = _setting("CONSOLE_IDLE_S", 1_800, "unused for so long a console is signed out")
    password_pepper: str = _setting("PASSWORD_PEPPER", "", "secret mixed into every password hash")
    bcrypt_cost: int = _setting("BCRYPT_COST", 12, "work factor of password hashes (4 to 16)")
    bcrypt_threads: int = _setting("BCRYPT_THREADS", 2, "threads a worker hashes passwords in")

    audit_days: int = _setting("AUDIT_DAYS", 400, "how long the audit log is kept, days")

    chat_days: int = _setting("CHAT_DAYS", 0, "how long what people say is kept, days; 0: for ever")

    smtp_host: str = _setting("SMTP_HOST", "127.0.0.1", "mail server")
    smtp_port: int = _setting("SMTP_PORT", 587, "its port")
    smtp_user: str = _setting("SMTP_USER", "", "user name there; empty for none")
    smtp_password: str = _setting("SMTP_PASSWORD", "", "password there")
    smtp_security: str = _setting("SMTP_SECURITY", "starttls", "starttls, tls or none", development="none")
    mail_from: str = _setting("MAIL_FROM", "FitTracker Pro <no-reply@localhost>", "From of every mail")

    notification_days: int = _setting("NOTIFICATION_DAYS", 90, "how long an inbox keeps what is in it, days")
    notifications_kept: int = _setting(
        "NOTIFICATIONS_KEPT", 500, "entries an inbox keeps, about; beyond that the oldest go"
    )
    notification_mail_after_s: float = _setting(
        "NOTIFICATION_MAIL_AFTER_S", 900.0, "how long something must be unread before it is mailed, seconds"
    )
    push_grace_s: float = _setting(
        "PUSH_GRACE_S", 10.0, "how long a push waits for who has a socket open and may read it there, seconds"
    )
    vapid_key: str = _setting(
        "VAPID_KEY", "", "private key of Web Push, from `fittracker vapid-key`; empty: push is off"
    )
    vapid_contact: str = _setting(
        "VAPID_CONTACT",
        "",
        "mailto: or https: address under which push services reach you; with the key",
    )
    push_hosts: tuple[str, ...] = _setting(
        "PUSH_HOSTS",
        (),
        "host:port of push services that may be private and without TLS, comma-separated; for tests",
    )

    rest_body_bytes: int = _setting("REST_BODY_BYTES", 1_048_576, "largest REST body")
    import_bytes: int = _setting("IMPORT_BYTES", 104_857_600, "largest zip that a person may import")
    rest_rate: int = _setting("REST_RATE", 300, "REST requests a minute, an address", development=100_000)
    auth_rate: int = _setting(
        "AUTH_RATE", 20, "sign-in, registration and reset requests a minute, an address", development=10_000
    )
    admin_rate: int = _setting(
        "ADMIN_RATE", 120, "administrators' requests a minute, an address", development=100_000
    )

    ws_frame_bytes: int = _setting(
        "WS_FRAME_BYTES", 65_536, "largest WebSocket message; a larger one closes with 1009"
    )
    ws_commands: int = _setting(
        "WS_COMMANDS", 60, "commands a connection may send in WS_COMMANDS_S, where a command has no own limit"
    )
    ws_commands_s: float = _setting("WS_COMMANDS_S", 10.0, "the window of WS_COMMANDS, seconds")
    ws_samples: int = _setting(
        "WS_SAMPLES", 20_000, "heart-rate samples a connection may send in WS_COMMANDS_S"
    )
    ws_sockets_per_user: int = _setting(
        "WS_SOCKETS_PER_USER", 20, "open sockets of one person, a worker", development=100_000
    )
    ws_sockets_per_address: int = _setting(
        "WS_SOCKETS_PER_ADDRESS", 500, "open sockets of one address, a worker", development=100_000
    )
    ws_rooms: int = _setting("WS_ROOMS", 200, "rooms one connection may be in")
    presence_grace_s: float = _setting(
        "PRESENCE_GRACE_S", 5.0, "how long somebody who lost their connection still counts as there, seconds"
    )
    ws_auth_s: float = _setting("WS_AUTH_S", 10.0, "time to authenticate in band before 4501, seconds")
    ws_ping_s: float = _setting("WS_PING_S", 25.0, "time between pings; two missed ones end the connection")
    ws_outbox_soft_bytes: int = _setting(
        "WS_OUTBOX_SOFT_BYTES",
        262_144,
        "unread bytes above which a reader's telemetry is thinned",
    )
    ws_outbox_hard_bytes: int = _setting(
        "WS_OUTBOX_HARD_BYTES", 1_048_576, "unread bytes above which a reader is closed with 4008"
    )
    telemetry_tick_s: float = _setting("TELEMETRY_TICK_S", 0.05, "how long a room gathers telemetry, seconds")
    telemetry_tick_max_s: float = _setting(
        "TELEMETRY_TICK_MAX_S", 0.4, "how long a room of over 100 may gather while little arrives, seconds"
    )

    hr_flush_s: float = _setting("HR_FLUSH_S", 0.5, "time between two writes of heart rate, seconds")
    hr_flush_samples: int = _setting("HR_FLUSH_SAMPLES", 2_000, "samples that bring the next write forward")
    hr_buffer_samples: int = _setting(
        "HR_BUFFER_SAMPLES", 400_000, "samples a worker holds while MongoDB is away, before it refuses more"
    )
    hr_stale_s: float = _setting("HR_STALE_S", 5.0, "silence after which watchers get hr.stale, seconds")
    hr_idle_s: float = _setting("HR_IDLE_S", 600.0, "silence after which a stream becomes a workout, seconds")

    session_longest_s: float = _setting(
        "SESSION_LONGEST_S", 21_600.0, "a coaching session that nobody ends is over so long after its start"
    )

    drain_s: float = _setting(
        "DRAIN_S", 20.0, "time over which sockets are closed on SIGTERM, seconds", development=2.0
    )

    @property
    def development(self) -> bool:
        """Whether this is a developer's machine: the dev routes exist, examples are accepted."""
        return self.mode == "development"

    def with_changes(self, **changes: Any) -> Settings:
        """The same settings with some replaced; checked again."""
        settings = dataclasses.replace(self, **changes)
        _check(settings)
        return settings


def load_for_child(fixed: Mapping[str, Any], defaults: Mapping[str, Any]) -> tuple[Settings, dict[str, str]]:
    """The settings of a process to start, and the environment to start it with.

    It gets our environment, with `fixed` (by field name) in place of what that says, and with `defaults` only
    where it says nothing.
    """
    variables = {each.name: str(each.metadata["variable"]) for each in dataclasses.fields(Settings)}
    unsaid = {name: value for name, value in defaults.items() if variables[name] not in os.environ}
    overrides = {**unsaid, **fixed}
    told = {variables[name]: str(value) for name, value in overrides.items()}
    return load(**overrides), {**os.environ, **told}


def mode_of_environment() -> str | None:
    """What FITTRACKER_MODE says, None where it says nothing: for commands that production must never see."""
    return os.environ.get("FITTRACKER_MODE")


def load(environment_file: Path | None = None, **overrides: Any) -> Settings:
    """Read the environment and, where named, a .env file; a SettingsError names every fault at once."""
    env = environs.Env(eager=False)
    if environment_file is not None:
        env.read_env(str(environment_file), recurse=False)
    mode = env.str("FITTRACKER_MODE", "production")
    values: dict[str, Any] = {"mode": mode}
    for each in dataclasses.fields(Settings):
        if each.name in overrides:
            values[each.name] = overrides[each.name]
        elif each.name != "mode":
            values[each.name] = _read(env, each, overrides.get("mode", mode))
    try:
        env.seal()
    except environs.EnvValidationError as error:
        messages = cast("dict[str, list[str]]", error.error_messages)
        faults = "; ".join(f"{name}: {' '.join(map(str, why))}" for name, why in messages.items())
        raise SettingsError(f"The settings cannot be used: {faults}") from error
    settings = Settings(**values)
    _check(settings)
    return settings


def _read(env: environs.Env, each: dataclasses.Field[Any], mode: str) -> Any:
    """One variable, parsed by the type of its field; faults are gathered by environs until `seal`."""
    variable = each.metadata["variable"]
    default: Any = each.default
    if mode != "production" and each.metadata["development"] is not None:
        default = each.metadata["development"]
    match each.type:
        case "int":
            return env.int(variable, default)
        case "float":
            return env.float(variable, default)
        case "tuple[str, ...]":
            return tuple(env.list(variable, list(default)))
        case "tuple[Network, ...]":
            return _networks(variable, env.list(variable, []))
        case "tuple[tuple[str, str], ...]":
            fallback = "" if mode == "production" else EXAMPLE_TOKEN_KEY
            return _keys(variable, env.str(variable, fallback))
    if variable == "PASSWORD_PEPPER" and mode != "production":
        default = EXAMPLE_PEPPER
    return env.str(variable, default)


def _networks(variable: str, texts: list[str] | None) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(text.strip()) for text in texts or () if text.strip())
    except ValueError as error:
        raise SettingsError(f"{variable} holds something that is no network: {error}") from error


def _keys(variable: str, text: str | None) -> tuple[tuple[str, str], ...]:
    pairs = []
    for part in filter(None, (text or "").split(",")):
        kid, colon, secret = part.strip().partition(":")
        if not (kid and colon and secret):
            raise SettingsError(f"{variable} must hold kid:secret pairs, comma-separated")
        pairs.append((kid, secret))
    if len({kid for kid, _ in pairs}) != len(pairs):
        raise SettingsError(f"{variable} names one kid twice")
    return tuple(pairs)


def _check(settings: Settings) -> None:
    """Refuse what could not work or would not be safe, all faults in one message."""
    faults = [*_choices(settings), *_ranges(settings)]
    for origin in (settings.public_origin, *settings.allowed_origins):
        parts = urlsplit(origin)
        if (
            parts.scheme not in {"http", "https"}
            or not parts.netloc
            or f"{parts.scheme}://{parts.netloc}" != origin
        ):
            faults.append(f"{origin!r} is not an origin such as https://app.example.org")
    if settings.mode == "production":
        faults += _production_faults(settings)
    if faults:
        raise SettingsError("The settings cannot be used: " + "; ".join(faults))


def _choices(settings: Settings) -> list[str]:
    table = {
        "FITTRACKER_MODE": (settings.mode, {"production", "development", "test"}),
        "LOG_FORMAT": (settings.log_format, {"json", "pretty"}),
        "LOG_LEVEL": (settings.log_level, {"debug", "info", "warning", "error"}),
        "SMTP_SECURITY": (settings.smtp_security, {"starttls", "tls", "none"}),
    }
    return [
        f"{name} is {value!r}, it must be one of {', '.join(sorted(allowed))}"
        for name, (value, allowed) in table.items()
        if value not in allowed
    ]


_MAY_BE_0: Final = frozenset({"chat_days", "presence_grace_s"})


def _ranges(settings: Settings) -> list[str]:
    faults = [
        f"{each.metadata['variable']} must be more than 0"
        for each in dataclasses.fields(settings)
        if each.type in {"int", "float"} and each.name not in _MAY_BE_0 and getattr(settings, each.name) <= 0
    ]
    faults += [
        f"{each.metadata['variable']} must not be less than 0"
        for each in dataclasses.fields(settings)
        if each.name in _MAY_BE_0 and getattr(settings, each.name) < 0
    ]
    if not 4 <= settings.bcrypt_cost <= 16:
        faults.append("BCRYPT_COST must be 4 to 16")
    if bool(settings.vapid_key) != bool(settings.vapid_contact):
        faults.append("VAPID_KEY and VAPID_CONTACT go together")
    if settings.vapid_key and not re.fullmatch(r"[A-Za-z0-9_-]{43}", settings.vapid_key, re.ASCII):
        faults.append("VAPID_KEY must be 32 bytes in base64url, as `fittracker vapid-key` makes them")
    if settings.vapid_contact and not VAPID_CONTACT.fullmatch(settings.vapid_contact):
        faults.append("VAPID_CONTACT must be such as mailto:push@example.org or https://example.org")
    if settings.ws_outbox_soft_bytes >= settings.ws_outbox_hard_bytes:
        faults.append("WS_OUTBOX_SOFT_BYTES must be below WS_OUTBOX_HARD_BYTES")
    return faults


def _production_faults(settings: Settings) -> list[str]:
    faults = [
        f"{variable} is missing"
        for variable, value in (
            ("MONGO_URL", settings.mongo_url),
            ("REDIS_URL", settings.redis_url),
            ("TOKEN_KEYS", settings.token_keys),
            ("PASSWORD_PEPPER", settings.password_pepper),
        )
        if not value
    ]
    secrets = [*((f"TOKEN_KEYS {kid}", key) for kid, key in settings.token_keys)]
    if settings.password_pepper:
        secrets.append(("PASSWORD_PEPPER", settings.password_pepper))
    for name, secret in secrets:
        if "example" in secret or "change-me" in secret:
            faults.append(f"{name} is the published example")
        elif len(secret.encode()) < MIN_SECRET_BYTES or len(set(secret)) < 8:
            faults.append(f"{name} must be at least {MIN_SECRET_BYTES} random bytes")
    if settings.bcrypt_cost < 10:
        faults.append("BCRYPT_COST must be at least 10")
    return faults
