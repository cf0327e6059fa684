"""Web Push: subscriptions of browsers, and encrypted messages to their push services."""
