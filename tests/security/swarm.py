"""schemathesis against a running server: cases out of an OpenAPI document, as somebody, repeatable."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis import SerializationContext
from schemathesis.engine import events, from_schema

from handlers.openapi import PREFIX

SEED = 20261124
# positive_data_acceptance asks that every well-formed request succeeds: no schema can tell that a token is
# known, a password hard to guess, or a limit not above another one.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)


@dataclass
class Findings:
    """What came of it, by operation: what was wrong, and how often it answered with each status."""

    failures: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    passed: Counter[str] = field(default_factory=Counter)
    """How often each check was made and content."""

    def told(self) -> str:
        """All failures, for people."""
        return "\n\n".join(f"{label}\n  " + "\n  ".join(found) for label, found in self.failures.items())


@schemathesis.serializer("application/zip", "image/jpeg", "image/png", "image/webp")
def send_as_it_is(_context: SerializationContext, value: Any) -> Any:
    """Uploads are bytes."""
    return value if isinstance(value, bytes) else str(value).encode()


def swarm(
    url: str,
    document: Mapping[str, Any],
    token: str | None,
    labels: Collection[str],
    *,
    thorough: bool,
    findings: Findings | None = None,
) -> Findings:
    """A few random cases on these operations ("GET /users/me"); takes seconds, and blocks meanwhile.

    `thorough`: also every case that the shapes suggest, such as each field in turn left out, too long, and of
    each other type, and each method that a path has not. Adds to `findings` where there are some.
    """
    findings = findings or Findings()
    schema = schemathesis.openapi.from_dict(dict(document), config=configuration(url, token, thorough))
    schema = schema.include(name=sorted(labels))
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError):
            findings.failures[event.label].append(f"schemathesis: {event.value!r}")
        elif isinstance(event, events.ScenarioFinished):
            note(findings, event.recorder)
    return findings


def configuration(url: str, token: str | None, thorough: bool) -> schemathesis.Config:
    """The same cases every time."""
    checks = {"enabled": False, **{name: {"enabled": True} for name in CHECKS}}
    return schemathesis.Config.from_dict(
        {
            "base-url": f"{url}{PREFIX}",
            "seed": SEED,
            "workers": 1,
            "continue-on-failure": True,
            "request-timeout": 20.0,
            "headers": {} if token is None else {"Authorization": f"Bearer {token}"},
            "generation": {
                "deterministic": True,
                "max-examples": 2,
                "database": "none",
                "no-shrink": True,
                "with-security-parameters": False,
            },
            "checks": checks,
            "phases": {
                "examples": {"enabled": False},
                "coverage": {"enabled": thorough},
                "fuzzing": {"enabled": True},
                "stateful": {"enabled": False},
            },
            "warnings": False,
        }
    )


def note(findings: Findings, recorder: Any) -> None:
    """What one operation answered, and which checks were not content."""
    for case_id, interaction in recorder.interactions.items():
        label = recorder.cases[case_id].value.operation.label
        findings.statuses[label][interaction.response.status_code if interaction.response else 0] += 1
    for case_id, checks in recorder.checks.items():
        for each in checks:
            if each.failure_info is None:
                findings.passed[each.name] += 1
                continue
            request, said = recorder.interactions[case_id].request, each.failure_info.failure.message
            sent = f"{request.method} {request.uri} {(request.body or b'')[:200]!r}"
            findings.failures[recorder.label].append(f"{each.name}: {said[:400]!r} {sent}")
