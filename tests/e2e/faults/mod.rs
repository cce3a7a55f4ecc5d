//! Real processes and real faults. Single faults have tests of their own, each with its id in `security-reliability.md`;
//! the suite lets a seeded nemesis combine them while clients work, heals everything, and checks what is left.

mod cluster;
mod object_store_down;
mod proxy;
mod suite;
mod upload_steps;
