# The plugin in a container: slim, not as root, its database in the volume /var/lib/b2-iconik-plugin or
# wherever DATABASE_URL says. compose.yaml runs it with PostgreSQL; docs/deployment.md says more.
FROM python:3.13-slim AS build

COPY requirements.txt /
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --no-deps --require-hashes --requirement /requirements.txt \
    && /venv/bin/pip check

FROM python:3.13-slim

RUN useradd --user-group --uid 10001 --no-create-home --home-dir /nonexistent b2-iconik-plugin \
    && install --directory --mode=700 --owner=10001 --group=10001 /var/lib/b2-iconik-plugin
COPY --from=build /venv /venv
WORKDIR /opt/b2-iconik-plugin
COPY LICENSE *.py ./
COPY b2_iconik b2_iconik/
COPY iconik_http iconik_http/

ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 STATE_DIRECTORY=/var/lib/b2-iconik-plugin
USER 10001:10001
VOLUME /var/lib/b2-iconik-plugin
EXPOSE 8000
# Gunicorn gives its workers ten seconds: docker stop --time 15.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=8s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=7)"]
CMD ["gunicorn", "--bind=0.0.0.0:8000", "plugin:app"]
