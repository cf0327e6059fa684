# syntax=docker/dockerfile:1
# Two stages: the first one installs what requirements/base.txt pins by hash, the second one only carries it.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/base.txt /tmp/base.txt
RUN python -m venv /opt/venv \
 && /opt/venv/bin/python -m pip install --require-hashes --only-binary :all: -r /tmp/base.txt \
 && /opt/venv/bin/python -m pip uninstall --yes pip \
 && /opt/venv/bin/python -m compileall -q -j 0 /opt/venv/lib

FROM python:${PYTHON}-slim-bookworm
RUN groupadd --gid 10001 fittracker \
 && useradd --uid 10001 --gid fittracker --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin fittracker
COPY --from=packages /opt/venv /opt/venv
WORKDIR /srv/fittracker
# Owned by root and read by everybody: the server cannot change itself.
COPY config ./config
COPY fittracker ./fittracker
COPY handlers ./handlers
COPY ws ./ws
COPY templates ./templates
RUN /opt/venv/bin/python -m compileall -q -j 0 .
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/srv/fittracker \
    BIND=0.0.0.0:8080
USER 10001:10001
EXPOSE 8080
# Alive, and not ready: starting it anew would not bring MongoDB back.
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health/live', timeout=3)"]
# gunicorn takes the place of this process and drains on SIGTERM; give it DRAIN_S and 20 s more.
STOPSIGNAL SIGTERM
CMD ["python", "-m", "fittracker", "serve"]
