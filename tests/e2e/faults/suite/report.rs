//! One line for each run.

use std::time::Duration;

use super::fault::KINDS;
use super::nemesis::Injected;

pub(super) struct Run {
    pub(super) seed: u64,
    pub(super) injected: Injected,
    /// Operations: ok, fail, unknown.
    pub(super) operations: [usize; 3],
    pub(super) recovered_after: Duration,
    pub(super) violations: Vec<String>,
}

pub(super) fn print_head() {
    let kinds = KINDS.map(|kind| format!("{kind:>11}")).concat();
    print(&format!(
        "{:>20}{kinds}{:>7}{:>7}{:>8}{:>10}  verdict",
        "seed", "ok", "fail", "unknown", "recovered"
    ));
}

pub(super) fn print_run(run: &Run) {
    let kinds =
        KINDS.map(|kind| format!("{:>11}", run.injected.get(kind).copied().unwrap_or_default())).concat();
    let [ok, fail, unknown] = run.operations;
    let recovered = format!("{:.1} s", run.recovered_after.as_secs_f64());
    let verdict = if run.violations.is_empty() { "sound" } else { "VIOLATED" };
    print(&format!("{:>20}{kinds}{ok:>7}{fail:>7}{unknown:>8}{recovered:>10}  {verdict}", run.seed));
}

#[expect(clippy::print_stdout, reason = "this is what `make faults` is for")]
pub(super) fn print(line: &str) {
    println!("{line}");
}
