"""`fittracker vapid-key`: a new key pair for Web Push."""

from __future__ import annotations

import click

from fittracker.push.vapid import new_key, public_key


@click.command("vapid-key")
@click.option("--contact", default="mailto:push@example.org", show_default=True, help="Where to reach you.")
def command(contact: str) -> None:
    """Print settings with a new private key for Web Push; its public half goes to standard error.

    Browsers subscribe to a key: with another one, all that have subscribed must do so again.
    """
    key = new_key()
    click.echo(f"VAPID_KEY={key}")
    click.echo(f"VAPID_CONTACT={contact}")
    click.echo(f"public key, as browsers are told it: {public_key(key)}", err=True)
