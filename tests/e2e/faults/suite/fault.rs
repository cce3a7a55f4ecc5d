//! What can go wrong, and when: the whole schedule follows from a seed and from what the machine allows.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};

use crate::faults::proxy::Mode;

/// A server behind every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    Postgres,
    Store,
    Nats,
}

/// Whose wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    Node(usize),
    Postgres,
}

/// One fault. Nodes go by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// kill -9, and not started again before the fault ends.
    Kill(usize),
    KillPostgres,
    KillNats,
    /// kill -9, and its store is gone.
    WipeNats,
    /// SIGSTOP, then SIGCONT.
    Stop(usize),
    /// Something about the wire between a node and a server.
    Wire(usize, Server, Mode),
    /// The same about the wire between clients and the object store.
    PublicStore(Mode),
    FillDisk,
    Skew(Clock, i64),
}

/// A fault and its time, from the start of the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    pub(super) fault: Fault,
    pub(super) begins: Duration,
    pub(super) ends: Duration,
}

/// What the machine and the cluster allow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    pub(super) nodes: usize,
    pub(super) small_disk: bool,
    pub(super) clocks: bool,
}

/// A kind of fault; its name heads a column of the report.
pub(super) const KINDS: [&str; 12] = [
    "kill",
    "pg-kill",
    "nats-kill",
    "nats-wipe",
    "stop",
    "cut",
    "half-open",
    "slow",
    "lost",
    "trunc",
    "disk",
    "clock",
];

const DAY: i64 = 86_400;
const SLOW: Duration = Duration::from_millis(400);

impl Fault {
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Kill(_) => "kill",
            Self::KillPostgres => "pg-kill",
            Self::KillNats => "nats-kill",
            Self::WipeNats => "nats-wipe",
            Self::Stop(_) => "stop",
            Self::FillDisk => "disk",
            Self::Skew(..) => "clock",
            Self::Wire(_, _, mode) | Self::PublicStore(mode) => match mode {
                Mode::Pass => "pass",
                Mode::Cut => "cut",
                Mode::HalfOpen => "half-open",
                Mode::Slow(_) => "slow",
                Mode::LostReply(_) => "lost",
                Mode::Truncated(_) => "trunc",
            },
        }
    }
}

/// The schedule of one run. Kinds are dealt like cards, so that even a short run sees each of them.
pub(super) fn plan(seed: u64, length: Duration, reach: Reach) -> Vec<Planned> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut deck: Vec<&str> = Vec::new();
    let mut planned = Vec::new();
    let mut begins = Duration::from_millis(random.random_range(500..1500));
    while begins < length {
        if deck.is_empty() {
            deck = KINDS.to_vec();
            deck.retain(|kind| (*kind != "disk" || reach.small_disk) && (*kind != "clock" || reach.clocks));
            deck.shuffle(&mut random);
        }
        let fault = deal(deck.pop().unwrap(), &mut random, reach);
        let ends = (begins + Duration::from_millis(random.random_range(500..4500))).min(length);
        planned.push(Planned { fault, begins, ends });
        begins += Duration::from_millis(random.random_range(300..2200));
    }
    planned
}

fn deal(kind: &str, random: &mut StdRng, reach: Reach) -> Fault {
    let node = random.random_range(0..reach.nodes);
    let mode = match kind {
        "kill" => return Fault::Kill(node),
        "pg-kill" => return Fault::KillPostgres,
        "nats-kill" => return Fault::KillNats,
        "nats-wipe" => return Fault::WipeNats,
        "stop" => return Fault::Stop(node),
        "disk" => return Fault::FillDisk,
        "clock" => {
            let clock = if random.random_bool(0.3) { Clock::Postgres } else { Clock::Node(node) };
            return Fault::Skew(clock, if random.random_bool(0.5) { DAY } else { -DAY });
        }
        "cut" => Mode::Cut,
        "half-open" => Mode::HalfOpen,
        "slow" => Mode::Slow(SLOW),
        "lost" => Mode::LostReply(random.random_range(1..6)),
        _ => Mode::Truncated(random.random_range(0..300)),
    };
    if random.random_bool(0.15) {
        return Fault::PublicStore(mode);
    }
    let server = *[Server::Postgres, Server::Postgres, Server::Store, Server::Nats].choose(random).unwrap();
    Fault::Wire(node, server, mode)
}

#[cfg(test)]
#[test]
fn a_seed_always_gives_the_same_schedule() {
    let reach = Reach { nodes: 4, small_disk: true, clocks: true };
    let of = |seed| format!("{:?}", plan(seed, Duration::from_secs(30), reach));
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
    let all = plan(7, Duration::from_secs(40), reach);
    assert!(KINDS.iter().all(|kind| all.iter().any(|planned| planned.fault.kind() == *kind)), "{all:?}");
}
