# The two binaries and nothing else. DocuVault writes no files when it is served this way: documents are in S3,
# everything else is in PostgreSQL.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
ENV SQLX_OFFLINE=true
RUN cargo build --release --locked --package docuvault --package docuvault-replay

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 docuvault
COPY --from=build /source/target/release/docuvault /source/target/release/docuvault-replay /usr/local/bin/
USER docuvault
ENTRYPOINT ["docuvault"]
CMD ["serve"]
