"""The rules and data of FitTracker Pro: no HTTP and no sockets here, apart from app.py, worker.py and the client."""
