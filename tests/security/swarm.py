"""schemathesis against a running server: cases out of an OpenAPI document, as somebody, repeatable."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis.engine import events, from_schema

from handlers.openapi import PREFIX

SEED = 20261124
ENDS_SIGN_INS = "^/auth/(logout|sessions/)"
"""What may end the sign-in that everything else is tried with; it is tried by somebody of its own."""
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


def swarm(
    url: str,
    document: Mapping[str, Any],
    token: str | None,
    *,
    only: str | None = None,
    leave_out: str | None = None,
) -> Findings:
    """Every case that the document's shapes suggest, and a few random ones, on all its operations.

    `only` and `leave_out` are regular expressions of paths. Takes seconds, and blocks meanwhile.
    """
    schema = schemathesis.openapi.from_dict(dict(document), config=configuration(url, token))
    if only is not None:
        schema = schema.include(path_regex=only)
    if leave_out is not None:
        schema = schema.exclude(path_regex=leave_out)
    findings = Findings()
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError):
            findings.failures[event.label].append(f"schemathesis: {event.value!r}")
        elif isinstance(event, events.ScenarioFinished):
            note(findings, event.recorder)
    return findings


def configuration(url: str, token: str | None) -> schemathesis.Config:
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
                "max-examples": 5,
                "database": "none",
                "no-shrink": True,
                "with-security-parameters": False,
            },
            "checks": checks,
            "phases": {"stateful": {"enabled": False}, "examples": {"enabled": False}},
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
