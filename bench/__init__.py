"""The figures of docs/performance.md: what a socket, a connect, a sample and a delivery cost the server."""
