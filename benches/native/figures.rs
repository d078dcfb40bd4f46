//! Samples and tables.

use std::collections::BTreeMap;
use std::time::Instant;

/// Nanoseconds per operation of doing `operations` of them.
pub fn per_operation(operations: u64, body: impl FnOnce()) -> f64 {
    let start = Instant::now();
    body();
    start.elapsed().as_nanos() as f64 / operations as f64
}

/// The median of the runs with the range around it, in nanoseconds.
#[derive(Clone, Copy)]
pub struct Figure {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Figure {
    fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
        Figure { median, min: sorted[0], max: sorted[sorted.len() - 1] }
    }

    /// Operations per second: median (slowest–fastest).
    fn rates(self) -> String {
        format!("{} ({}–{})", rate(self.median), rate(self.max), rate(self.min))
    }
}

fn rate(nanos: f64) -> String {
    match 1e9 / nanos {
        fast if fast >= 100_000.0 => format!("{:.0} k", fast / 1000.0),
        medium if medium >= 1000.0 => format!("{:.1} k", medium / 1000.0),
        slow => format!("{slow:.0}"),
    }
}

/// What was measured: workload and stored rows, ours and theirs.
#[derive(Default)]
pub struct Figures {
    samples: BTreeMap<(&'static str, u64, &'static str), Vec<f64>>,
}

pub const OURS: &str = "swarmstore";
pub const THEIRS: &str = "rusqlite";

/// A workload and the share of the hand-written speed that ours must reach; `None` where there is no target.
pub struct Workload {
    pub name: &'static str,
    pub title: &'static str,
    /// The workload that it is compared with on the hand-written side, and the ratio to reach.
    pub target: Option<(&'static str, f64)>,
}

impl Figures {
    pub fn add(&mut self, workload: &'static str, stored: u64, who: &'static str, nanos: f64) {
        self.samples.entry((workload, stored, who)).or_default().push(nanos);
    }

    pub fn get(&self, workload: &'static str, stored: u64, who: &'static str) -> Option<Figure> {
        self.samples.get(&(workload, stored, who)).map(|samples| Figure::of(samples))
    }

    /// One line per workload and size, with the target and whether it is met.
    pub fn print(&self, workloads: &[Workload], sizes: &[u64]) {
        println!("| Workload | stored | hand-written rusqlite /s | swarmstore /s | ours ÷ theirs | target | |");
        println!("| --- | ---: | ---: | ---: | ---: | --- | --- |");
        for Workload { name, title, target } in workloads {
            for &stored in sizes {
                let ours = self.get(name, stored, OURS);
                let theirs = self.get(target.map_or(name, |(against, _)| against), stored, THEIRS);
                if ours.is_none() && theirs.is_none() {
                    continue;
                }
                let ratio = theirs.zip(ours).map(|(theirs, ours)| theirs.median / ours.median);
                println!(
                    "| {title} | {stored} | {} | {} | {} | {} | {} |",
                    theirs.map_or("–".to_owned(), Figure::rates),
                    ours.map_or("–".to_owned(), Figure::rates),
                    ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2} ×")),
                    target.map_or("–".to_owned(), |(_, limit)| format!("≥ {limit} ×")),
                    verdict(ratio, *target),
                );
            }
        }
    }
}

fn verdict(ratio: Option<f64>, target: Option<(&str, f64)>) -> &'static str {
    match (ratio, target) {
        (Some(ratio), Some((_, limit))) if ratio >= limit => "met",
        (Some(_), Some(_)) => "MISSED",
        _ => "",
    }
}
