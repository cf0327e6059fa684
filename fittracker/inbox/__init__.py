"""Inboxes: what happened to people, gathered, told, and sent on. See docs/notifications.md."""
