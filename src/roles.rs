//! What one process does: all of it on a laptop, some of it on a node of a cluster.

use std::collections::BTreeSet;

use clap::ValueEnum;

/// A part of the work that a process can take on. Any number of processes may have the same role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum ProcessRole {
    /// Answers requests
    Api,
    /// Publishes the log to NATS; one works, the others stand by
    Relay,
    /// Keeps the read models; one works on each, the others stand by
    Projector,
    /// Accepted, and does nothing yet: signs checkpoints of the log's Merkle tree in a later release
    Notary,
    /// Keeps the audit trail
    Audit,
    /// Looks into uploaded documents
    Classifier,
    /// Sends mails
    Notifier,
    /// Expires uploads, verifies large ones, and removes what nobody needs from the object store
    Sweeper,
}

/// The roles of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRoles {
    roles: BTreeSet<ProcessRole>,
    alone: bool,
}

impl ProcessRoles {
    pub fn all() -> Self {
        ProcessRole::value_variants().iter().copied().collect()
    }

    /// Of a process beside which no other can be at work on its database.
    #[must_use]
    pub fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    pub const fn are_alone(&self) -> bool {
        self.alone
    }

    pub fn has(&self, role: ProcessRole) -> bool {
        self.roles.contains(&role)
    }

    /// Whether one of them runs the consumer of this name.
    pub fn run_consumer(&self, name: &str) -> bool {
        self.roles.iter().any(|role| role.consumer() == Some(name))
    }

    /// Whether any of them talks to NATS.
    pub fn need_nats(&self) -> bool {
        self.has(ProcessRole::Relay) || self.roles.iter().any(|role| role.consumer().is_some())
    }
}

impl FromIterator<ProcessRole> for ProcessRoles {
    fn from_iter<I: IntoIterator<Item = ProcessRole>>(roles: I) -> Self {
        Self { roles: roles.into_iter().collect(), alone: false }
    }
}

impl std::fmt::Display for ProcessRoles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.roles.iter().map(ToString::to_string).collect();
        f.write_str(&names.join(", "))
    }
}

impl std::fmt::Display for ProcessRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
    }
}

impl ProcessRole {
    /// The consumer that the role runs, if it is one.
    pub const fn consumer(self) -> Option<&'static str> {
        match self {
            Self::Audit => Some("audit"),
            Self::Classifier => Some("classification"),
            Self::Notifier => Some("notification"),
            Self::Api | Self::Relay | Self::Projector | Self::Notary | Self::Sweeper => None,
        }
    }
}
