# unbraid serve in a container: docker compose up, or
#   docker build -t unbraid . && docker run -p 127.0.0.1:8080:8080 -e UNBRAID_TOKEN=… -v unbraid:/data unbraid
# It listens at all addresses of the container, so that it needs a token. Jobs and downloaded models are in /data.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE LICENSE-weights.md ./
COPY requirements requirements
COPY recipes recipes
COPY src src
RUN python -m venv /opt/unbraid \
    && /opt/unbraid/bin/pip install --no-cache-dir --constraint requirements/dev.txt '.[web]'

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --home-dir /data --no-create-home unbraid \
    && install --directory --owner=unbraid --mode=0700 /data
COPY --from=build /opt/unbraid /opt/unbraid
ENV PATH=/opt/unbraid/bin:$PATH PYTHONUNBUFFERED=1 UNBRAID_DATA=/data/jobs UNBRAID_CACHE=/data/models
USER 10001
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD \
    ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/v1/health', timeout=4)"]
ENTRYPOINT ["unbraid"]
CMD ["serve", "--host", "0.0.0.0", "--no-browser"]
