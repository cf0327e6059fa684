# ruff: noqa: N999 (gunicorn files are called that)
"""gunicorn, in production and in development: `fittracker serve` and `fittracker dev` both run it so.

What can be set is set by the settings (`config/settings.py`); the rest follows from how our workers drain.
"""

import math
from pathlib import Path

from config.settings import load

_settings = load()

wsgi_app = "fittracker.worker:make_runner"
worker_class = "fittracker.worker.Worker"
workers = _settings.workers
bind = _settings.bind

# A socket for each worker, so that the kernel spreads the connections; two workers cannot bind one path.
reuse_port = not bind.startswith("unix:")
backlog = 4096

# Each worker opens its own database and sockets, after the fork.
preload_app = False

# A worker that drains needs drain_s for its sockets, then some for the last flush and aiohttp's shutdown.
graceful_timeout = math.ceil(_settings.drain_s) + 20
# It gives no sign of life meanwhile, and during a reload the master looks for one: that must not kill it.
timeout = graceful_timeout + 30

# Sign-of-life files in memory: a slow disk would look like a dead worker.
_memory = Path("/dev/shm")  # noqa: S108  gunicorn makes unlinked files in it  # nosec B108
worker_tmp_dir = str(_memory) if _memory.is_dir() else None

# Nobody steers it by a second way in, and the application logs its own requests.
control_socket_disable = True
accesslog = None
errorlog = "-"
loglevel = _settings.log_level
logger_class = "fittracker.gunicorn_logs.Logs"
proc_name = "fittracker"
