"""The rules and data of FitTracker Pro; HTTP and sockets stay in `handlers` and `ws`."""
