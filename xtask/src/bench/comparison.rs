//! The hall and a rival at the same work, and what their figures come to.

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    MegabytesPerSecond,
    RequestsPerSecond,
    ChangesPerSecond,
    Changes,
    Megabytes,
    Milliseconds,
    Microseconds,
}

impl Unit {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::MegabytesPerSecond => "MB/s",
            Self::RequestsPerSecond => "requests/s",
            Self::ChangesPerSecond => "changes/s",
            Self::Changes => "changes",
            Self::Megabytes => "MB",
            Self::Milliseconds => "ms",
            Self::Microseconds => "µs",
        }
    }

    /// Whether it counts what is spent.
    fn less_is_better(self) -> bool {
        matches!(self, Self::Megabytes | Self::Milliseconds | Self::Microseconds)
    }
}

/// Whether the hall is as far ahead as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Reached,
    Missed,
    /// Nothing was asked.
    Known,
}

impl Verdict {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Reached => "reached",
            Self::Missed => "**missed**",
            Self::Known => "–",
        }
    }
}

/// The hall and a rival at the same work.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) hall: (String, Vec<f64>),
    pub(crate) rival: (String, Vec<f64>),
    /// What the ratio must be at least; none where the rival is there to be known.
    pub(crate) least_ratio: Option<f64>,
}

impl Comparison {
    /// The hall beside a figure that it must keep: at most so much where less is better, else at least.
    pub(crate) fn with_limit(
        name: impl Into<String>,
        unit: Unit,
        limit: f64,
        hall: (&str, Vec<f64>),
    ) -> Self {
        let word = if unit.less_is_better() {
            "allowed"
        } else {
            "wanted"
        };
        Self {
            name: name.into(),
            unit,
            hall: (hall.0.to_owned(), hall.1),
            rival: (word.to_owned(), vec![limit]),
            least_ratio: Some(1.0),
        }
    }

    /// How many times as good the hall is.
    pub(crate) fn ratio(&self) -> f64 {
        let (ours, theirs) = (median(&self.hall.1), median(&self.rival.1));
        if self.unit.less_is_better() {
            theirs / ours
        } else {
            ours / theirs
        }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        match self.least_ratio {
            None => Verdict::Known,
            Some(least) if self.ratio() >= least => Verdict::Reached,
            Some(_) => Verdict::Missed,
        }
    }

    /// What the ratio must be at least, for people.
    pub(crate) fn bar(&self) -> String {
        self.least_ratio
            .map_or_else(|| "–".to_owned(), |least| format!("{least:.2}"))
    }

    pub(crate) fn line(&self) -> String {
        format!(
            "{}: {} {} : {} {} {} = {:.2} (at least {}: {})",
            self.name,
            self.hall.0,
            spread(&self.hall.1),
            self.rival.0,
            spread(&self.rival.1),
            self.unit.word(),
            self.ratio(),
            self.bar(),
            self.verdict().word()
        )
    }
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The median with the least and the most.
pub(crate) fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    let middle = median(values);
    // Three digits tell.
    let decimals = match middle {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    if values.len() < 2 {
        return format!("{middle:.decimals$}");
    }
    format!("{middle:.decimals$} [{least:.decimals$}–{most:.decimals$}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(spread(&[3.0, 1.0, 2.0]), "2.00 [1.00–3.00]");
    }

    #[test]
    fn less_time_and_less_memory_are_better() {
        let within = |milliseconds| {
            Comparison::with_limit("page", Unit::Milliseconds, 10.0, ("hall", vec![milliseconds]))
        };
        assert_eq!(within(5.0).ratio(), 2.0);
        assert_eq!(within(5.0).verdict(), Verdict::Reached);
        assert_eq!(within(11.0).verdict(), Verdict::Missed);
        let rate = Comparison::with_limit("changes", Unit::ChangesPerSecond, 10.0, ("hall", vec![5.0]));
        assert_eq!((rate.ratio(), rate.verdict()), (0.5, Verdict::Missed));
    }
}
