# Lexigraft with the versions of constraints.txt, for jobs on GPUs: docker build -t REGISTRY/lexigraft .
# PyTorch's builds for Linux on PyPI bring CUDA's libraries along; of the machine it needs the driver alone, which the
# NVIDIA container toolkit puts into the container. Without a GPU, or for another CUDA version:
#   docker build --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu .
FROM python:3.11-slim

ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PYTHONUNBUFFERED=1 \
    GIT_PYTHON_REFRESH=quiet

WORKDIR /opt/lexigraft

# PyTorch first and by itself: the largest layer changes only with the pinned versions.
COPY constraints.txt ./
ARG TORCH_INDEX=https://pypi.org/simple
RUN pip install --no-cache-dir --index-url ${TORCH_INDEX} -c constraints.txt torch

COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install --no-cache-dir -c constraints.txt '.[hub,kubernetes]'

WORKDIR /work
CMD ["lexigraft", "--help"]
