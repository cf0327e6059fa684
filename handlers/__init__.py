"""The REST sidecar: thin request handlers over the contexts in `fittracker`."""
