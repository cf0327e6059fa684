"""The realtime server: connections, rooms, fan-out, and one file of commands a feature."""
