//! Real processes and real faults. Single faults have tests of their own, each with its id in `security-reliability.md`;
//! the suite lets a seeded nemesis combine them while clients work, heals everything, and checks what is left.

mod broker_lost;
mod cluster;
mod disk_full;
mod lost_replies;
mod object_store_down;
mod pool_exhausted;
mod proxy;
mod several_processes;
mod suite;
mod upload_steps;

pub(crate) use cluster::programs as postgres_programs;
