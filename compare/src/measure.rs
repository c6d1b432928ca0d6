//! Side-by-side measurement: rounds in which every contender has its turn, so that whatever else
//! the machine does meets all of them alike.

use std::time::Duration;

use cpu_time::ThreadTime;

/// The number of rounds. The first warms up and doesn't count.
const ROUNDS: usize = 75;

/// One way to do the work. A call does it `iterations` times.
pub struct Contender<'a> {
    pub name: &'static str,
    pub work: Box<dyn FnMut(usize) + 'a>,
}

impl<'a> Contender<'a> {
    pub fn new(name: &'static str, work: impl FnMut(usize) + 'a) -> Self {
        Self { name, work: Box::new(work) }
    }
}

/// The cost of one unit of work for one contender.
pub struct Cost {
    pub name: &'static str,
    pub time: Duration,
    pub allocations: f64,
    pub bytes: f64,
    /// The time of each round, in seconds for the whole turn.
    rounds: Vec<f64>,
}

impl Cost {
    /// The median over the rounds of this contender's time by the other's.
    pub fn time_by(&self, other: &Self) -> f64 {
        median(self.rounds.iter().zip(&other.rounds).map(|(mine, theirs)| mine / theirs).collect())
    }
}

/// Runs the contenders in turn; a turn does the work `iterations` times, which is `units` units
/// each time. Time is the CPU time of this thread, user and system.
pub fn side_by_side(iterations: usize, units: usize, mut contenders: Vec<Contender<'_>>) -> Vec<Cost> {
    let total = (iterations * units) as f64;
    let mut costs: Vec<Cost> = contenders
        .iter_mut()
        .map(|contender| {
            (contender.work)(1);
            let counted = allocation_counter::measure(|| (contender.work)(iterations));
            Cost {
                name: contender.name,
                time: Duration::ZERO,
                allocations: counted.count_total as f64 / total,
                bytes: counted.bytes_total as f64 / total,
                rounds: Vec::new(),
            }
        })
        .collect();
    let count = contenders.len();
    for round in 0..=ROUNDS {
        for turn in 0..count {
            // Nobody has the same neighbour's leftovers in the caches every time.
            let index = (turn + round) % count;
            let start = ThreadTime::now();
            (contenders[index].work)(iterations);
            let elapsed = start.elapsed();
            if round > 0 {
                costs[index].rounds.push(elapsed.as_secs_f64());
            }
        }
    }
    for cost in &mut costs {
        cost.time = Duration::from_secs_f64(median(cost.rounds.clone()) / total);
    }
    costs
}

/// Prints a table. The last columns are the times of the first contender by those of each other.
pub fn print(title: &str, unit: &str, costs: &[Cost]) {
    println!("\n### {title}\n");
    println!("| | CPU per {unit} | allocations per {unit} | bytes allocated per {unit} | ours by this |");
    println!("|---|---:|---:|---:|---:|");
    for cost in costs {
        println!(
            "| {} | {} | {:.2} | {:.0} | {:.2} |",
            cost.name,
            readable(cost.time),
            cost.allocations,
            cost.bytes,
            costs[0].time_by(cost)
        );
    }
}

fn readable(time: Duration) -> String {
    match time.as_nanos() {
        nanos @ 0..10_000 => format!("{nanos} ns"),
        nanos => format!("{:.1} µs", nanos as f64 / 1000.0),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
