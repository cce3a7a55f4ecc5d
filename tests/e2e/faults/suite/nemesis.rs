//! Carries a schedule of faults out on a cluster.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep_until};

use super::fault::{Clock, Fault, Planned, Server};
use crate::faults::cluster::{Cluster, Disk};
use crate::faults::proxy::{Link, Mode};

/// How often each kind of fault was done.
pub(super) type Injected = BTreeMap<&'static str, usize>;

/// Runs the whole schedule. What a fault did is taken back at its end.
pub(super) async fn haunt(cluster: &Cluster, schedule: &[Planned], note: impl Fn(String)) -> Injected {
    let started = Instant::now();
    let mut steps: Vec<_> =
        schedule.iter().flat_map(|one| [(one.begins, one, true), (one.ends, one, false)]).collect();
    steps.sort_by_key(|(at, _, begins)| (*at, *begins));
    let mut injected = Injected::new();
    for (at, planned, begins) in steps {
        sleep_until(started + at).await;
        if begins {
            note(format!("{:?} until {:?}", planned.fault, planned.ends));
            begin(cluster, planned.fault).await;
            *injected.entry(planned.fault.kind()).or_default() += 1;
        } else {
            end(cluster, planned.fault);
        }
    }
    injected
}

async fn begin(cluster: &Cluster, fault: Fault) {
    match fault {
        Fault::Kill(node) => {
            let process = &cluster.nodes[node].process;
            process.hold(true);
            process.signal(Signal::SIGKILL);
        }
        Fault::KillPostgres => {
            cluster.postgres.process.hold(true);
            cluster.postgres.process.signal(Signal::SIGKILL);
        }
        Fault::KillNats => {
            cluster.nats.process.hold(true);
            cluster.nats.process.signal(Signal::SIGKILL);
        }
        Fault::WipeNats => cluster.nats.lose_everything().await,
        Fault::Stop(node) => drop(cluster.nodes[node].process.signal(Signal::SIGSTOP)),
        Fault::Wire(node, server, mode) => wire(cluster, node, server).set(mode),
        Fault::PublicStore(mode) => cluster.public_store.set(mode),
        Fault::FillDisk => cluster.disk.iter().for_each(Disk::fill),
        Fault::Skew(whose, seconds) => skew(cluster, whose, seconds),
    }
}

fn end(cluster: &Cluster, fault: Fault) {
    match fault {
        Fault::Kill(node) => cluster.nodes[node].process.hold(false),
        Fault::KillPostgres => cluster.postgres.process.hold(false),
        Fault::KillNats => cluster.nats.process.hold(false),
        Fault::WipeNats => {}
        Fault::Stop(node) => drop(cluster.nodes[node].process.signal(Signal::SIGCONT)),
        Fault::Wire(node, server, _) => wire(cluster, node, server).set(Mode::Pass),
        Fault::PublicStore(_) => cluster.public_store.set(Mode::Pass),
        Fault::FillDisk => cluster.disk.iter().for_each(Disk::make_room),
        Fault::Skew(whose, _) => skew(cluster, whose, 0),
    }
}

fn wire(cluster: &Cluster, node: usize, server: Server) -> &Link {
    let node = &cluster.nodes[node];
    match server {
        Server::Postgres => &node.postgres,
        Server::Store => &node.store,
        Server::Nats => &node.nats,
    }
}

fn skew(cluster: &Cluster, whose: Clock, seconds: i64) {
    let clock = match whose {
        Clock::Node(node) => cluster.nodes[node].clock.as_ref(),
        Clock::Postgres => cluster.postgres_clock.as_ref(),
    };
    if let Some(clock) = clock {
        clock.skew(seconds);
    }
}
