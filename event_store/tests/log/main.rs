//! The log against a real PostgreSQL, through its public surface and, where an attacker would, around it.

mod smoke;
mod vault;
