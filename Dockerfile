# The flows and the command line on a CPU:
#     docker build --tag looksync:0.1.0-cpu .
# All packages come from uv.lock, with hashes, except torch and torchvision: the lock's torch is built
# for CUDA and cannot be imported without 2.7 GB of CUDA libraries. Their CPU builds come from uv's
# source of CPU builds, in the lock's versions (docs/decisions/096).
# Never built here, because there is no container engine; tests/k8s/test_images.py checks what can be
# checked without one.

FROM python:3.11.14-slim-trixie AS build
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=/app/.venv
WORKDIR /src
COPY pyproject.toml uv.lock ./
RUN uv venv /app/.venv
RUN uv export --locked --no-dev --no-emit-project \
      --no-emit-package torch --no-emit-package torchvision \
      --prune cuda-bindings --prune cuda-toolkit --prune nvidia-cudnn-cu13 \
      --prune nvidia-cusparselt-cu13 --prune nvidia-nccl-cu13 --prune nvidia-nvshmem-cu13 \
      --prune triton --quiet --output-file /src/requirements.txt
RUN uv pip install --require-hashes --no-deps --requirements /src/requirements.txt
RUN uv pip install --no-deps --torch-backend cpu torch==2.13.0 torchvision==0.28.0
COPY README.md LICENSE ./
COPY schemas/ schemas/
COPY operators/ operators/
COPY dataflows/ dataflows/
COPY evaluation/ evaluation/
COPY sandbox/ sandbox/
COPY services/ services/
RUN uv pip install --no-deps /src

FROM python:3.11.14-slim-trixie
RUN pip uninstall --yes pip \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /tmp looksync \
    && install --directory --owner=10001 --group=10001 /var/lib/looksync
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/looksync
ENTRYPOINT ["looksync"]
CMD ["--help"]
