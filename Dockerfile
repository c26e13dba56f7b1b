# unbraid serve in a container: docker compose up, or
#   docker build -t unbraid . && docker run -p 127.0.0.1:8080:8080 -e UNBRAID_TOKEN=… -v unbraid:/data unbraid
# It listens at all addresses of the container, so that it needs a token. Jobs and downloaded models are in /data.
# For a GPU of NVIDIA: docker build --build-arg DEVICE=cuda … && docker run --gpus all …
ARG DEVICE=cpu
ARG PYTHON=3.13
# The CUDA and cuDNN that this release of onnxruntime-gpu is built for.
ARG CUDA=13.0.1
ARG ONNXRUNTIME_GPU=1.31.1

FROM python:${PYTHON}-slim AS cpu-base

FROM nvidia/cuda:${CUDA}-cudnn-runtime-ubuntu24.04 AS cuda-base
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*

# hadolint ignore=DL3006
FROM ${DEVICE}-base AS build
ARG DEVICE
ARG ONNXRUNTIME_GPU
WORKDIR /source
COPY pyproject.toml README.md LICENSE LICENSE-weights.md ./
COPY requirements requirements
COPY recipes recipes
COPY src src
RUN python3 -m venv /opt/unbraid \
    && /opt/unbraid/bin/pip install --no-cache-dir --constraint requirements/dev.txt '.[web,analysis]'
# Both builds of ONNX Runtime have the same folder, so that one has to go before the other comes.
RUN if [ "$DEVICE" = cuda ]; then \
        /opt/unbraid/bin/pip uninstall --yes onnxruntime \
        && /opt/unbraid/bin/pip install --no-cache-dir "onnxruntime-gpu==$ONNXRUNTIME_GPU"; \
    fi

# hadolint ignore=DL3006
FROM ${DEVICE}-base
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
