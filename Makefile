# Everything one does with the source tree. `make run` and `make test` work on a fresh Debian or Ubuntu machine
# with a Rust toolchain and root or sudo.

SQLX_VERSION = 0.8.6
export SQLX_OFFLINE = true

.DEFAULT_GOAL = help
.PHONY: help setup run test lint bench faults

help: ## show this
	@grep --extended-regexp '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand --tabs=10

setup: ## install what building and running need, when it is missing
	@./setup

run: setup ## build and start a complete vault in ./data (ARGS="--listen 127.0.0.1:9000")
	cargo build --release --workspace
	exec "$$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/docuvault" standalone $(ARGS)

test: setup ## run every test against a private PostgreSQL (ARGS="quota" for some of them)
	cargo build --workspace --bins
	tests/with_postgres cargo test --workspace --no-fail-fast $(ARGS)

lint: setup ## check format, lints, dependencies and the stored query descriptions
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	tests/check_dependencies
	@command -v cargo-sqlx >/dev/null || cargo install --locked sqlx-cli --version $(SQLX_VERSION) --no-default-features --features postgres,rustls
	tests/with_postgres tests/check_queries

bench: setup ## measure beside raw PostgreSQL and postgres-es, in one run
	cargo build --release --workspace
	DURABLE=1 tests/with_postgres cargo run --release --package docuvault-bench -- $(ARGS)

faults: setup ## haunt real processes by a seeded nemesis (ARGS="FAULT_SEED=1 FAULT_SEEDS=10 FAULT_SECONDS=60")
	cargo build --workspace --bins
	@test -e /usr/lib/$$(uname -m)-linux-gnu/faketime/libfaketime.so.1 || echo "without the package faketime no clock is skewed"
	env FAULT_SEEDS=3 FAULT_SECONDS=30 $(ARGS) cargo test --workspace --test e2e faults:: -- --nocapture --test-threads 1
