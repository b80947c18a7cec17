# One image for every part: a worker by default, any other tool by its name.
#
#   docker build --tag cim-replay .
#   docker run --rm --env NATS_URL --env REDIS_URL cim-replay                                   # a worker
#   docker run --rm --env NATS_URL --env REDIS_URL cim-replay domain-replay --domain graph      # any tool
#
# Pinned by exact version. A mirror, or a digest as your registry tells it: --build-arg NODE_IMAGE=node:…@sha256:…
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
ARG PNPM_VERSION=12.21.0
RUN npm install --global --no-audit --no-fund "pnpm@${PNPM_VERSION}"
# Downloaded anew only when the lockfile changes.
COPY pnpm-lock.yaml pnpm-workspace.yaml package.json ./
RUN pnpm fetch
COPY turbo.json tsconfig.base.json ./
COPY packages packages
RUN pnpm install --frozen-lockfile --offline && pnpm run build
COPY deploy/container deploy/container
RUN sh deploy/container/assemble.sh /out

FROM ${NODE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="cim-replay" \
      org.opencontainers.image.description="Rebuild projections from NATS JetStream event streams, in parallel, with proof that nothing was lost" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY --from=build /out/app /app
COPY --from=build /out/bin /usr/local/bin
COPY --from=build /src/deploy/container/healthcheck.js /app/healthcheck.js
# Settings and projections are looked for in /etc/cim-replay; backups and the like are kept in /var/lib/cim-replay.
COPY --from=build --chown=1000:1000 /out/state /var/lib/cim-replay

ENV NODE_ENV=production \
    CIM_REPLAY_BUILD=${REVISION} \
    HOME=/tmp \
    XDG_STATE_HOME=/var/lib
WORKDIR /etc/cim-replay
# By number, so that Kubernetes sees that it is not root.
USER 1000:1000
EXPOSE 9091
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=3 CMD ["node", "/app/healthcheck.js"]
ENTRYPOINT ["node", "/app/bin/cim-replay.js"]
CMD ["worker"]
