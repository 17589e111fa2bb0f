//! How long the first byte of a small file takes over one connection.

use anyhow::{Result, ensure};

use super::client::Client;
use super::comparison::{Comparison, Unit};
use super::setting::Setting;

/// Requests of each round, the first ones left out.
const REQUESTS: usize = 4000;
const WARMING: usize = 200;

/// No slower than 1.1 times the rival.
const LEAST_RATIO: f64 = 1.0 / 1.1;

/// Of requests one after the other, how many µs half of them and 99 of 100 waited at most for the first byte, beside a rival.
pub(crate) fn measure(
    setting: &Setting<'_>,
    ours: (&str, Option<&str>),
    rival: (&str, &str),
) -> Result<Vec<Comparison>> {
    let by_hall = || waits(ours.0, ours.1);
    let by_rival = || waits(rival.1, None);
    let figures = setting.in_turn(&[&by_hall, &by_rival])?;
    let column = |who: usize, which: usize| -> Vec<f64> {
        let rounds = figures.get(who).map(Vec::as_slice).unwrap_or_default();
        rounds.iter().map(|round| round[which]).collect()
    };
    let comparison = |(which, name): (usize, &str)| Comparison {
        name: format!("first byte of 4 KiB, one connection, {name} of {REQUESTS} requests"),
        unit: Unit::Microseconds,
        hall: ("hall".to_owned(), column(0, which)),
        rival: (rival.0.to_owned(), column(1, which)),
        least_ratio: Some(LEAST_RATIO),
    };
    let comparisons: Vec<Comparison> = [(0, "p50"), (1, "p99")].into_iter().map(comparison).collect();
    comparisons
        .iter()
        .for_each(|comparison| println!("{}", comparison.line()));
    Ok(comparisons)
}

/// Median and 99th percentile, in µs.
fn waits(url: &str, authorization: Option<&str>) -> Result<[f64; 2]> {
    let mut client = Client::new(authorization);
    let mut waits = Vec::with_capacity(REQUESTS);
    for request in 0..WARMING + REQUESTS {
        let answer = client.get(url)?;
        ensure!(answer.status == 200, "GET {url} was answered {}", answer.status);
        if request >= WARMING {
            waits.push(answer.first_byte.as_secs_f64() * 1e6);
        }
    }
    waits.sort_by(f64::total_cmp);
    let at = |hundredth: usize| waits.get(waits.len() * hundredth / 100).copied();
    Ok([50, 99].map(|hundredth| at(hundredth).unwrap_or(f64::NAN)))
}
