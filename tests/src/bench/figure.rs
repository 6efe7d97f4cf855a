//! Figures: several passes of one measurement, and the table they are shown in.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Outcome;

/// What something costs.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its name; a part of it may follow a slash.
    pub name: String,
    /// What was measured.
    pub what: String,
    /// Of passes and budget.
    pub unit: String,
    /// One value for each pass.
    pub passes: Vec<f64>,
    /// What it may cost (or, of rates, has to reach); `None` for figures beside.
    pub budget: Option<f64>,
    /// Whether more is better.
    pub rate: bool,
    /// What it is compared with, from the same run.
    pub peer: Option<Peer>,
    /// More about the middle one of its passes, to be drawn: x and y.
    pub curve: Vec<[f64; 2]>,
}

/// What a figure is compared with.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The peer's figure.
    pub name: String,
    /// Its median.
    pub median: f64,
    /// The part of it that ours has to reach (of rates) or may cost.
    pub part: f64,
}

impl Figure {
    /// A cost: less is better.
    pub fn cost(name: &str, what: impl Into<String>, unit: &str, passes: Vec<f64>) -> Figure {
        let (name, unit) = (name.to_owned(), unit.to_owned());
        Figure {
            name,
            what: what.into(),
            unit,
            passes,
            budget: None,
            rate: false,
            peer: None,
            curve: Vec::new(),
        }
    }

    /// A rate: more is better.
    pub fn rate(name: &str, what: impl Into<String>, unit: &str, passes: Vec<f64>) -> Figure {
        Figure { rate: true, ..Figure::cost(name, what, unit, passes) }
    }

    /// What it may cost, or has to reach.
    pub fn budget(self, budget: f64) -> Figure {
        Figure { budget: Some(budget), ..self }
    }

    /// A rate that has to reach a part of a peer's.
    pub fn at_least(self, part: f64, peer: &Figure) -> Figure {
        self.compared(part, peer)
    }

    /// A cost that may be a part of a peer's.
    pub fn at_most(self, part: f64, peer: &Figure) -> Figure {
        self.compared(part, peer)
    }

    fn compared(self, part: f64, peer: &Figure) -> Figure {
        if peer.passes.is_empty() {
            return self;
        }
        Figure { peer: Some(Peer { name: peer.name.clone(), median: peer.median(), part }), ..self }
    }

    /// What is drawn of it.
    pub fn curve(self, curve: Vec<[f64; 2]>) -> Figure {
        Figure { curve, ..self }
    }

    /// A figure that could not be taken, and why.
    pub fn missing(self, why: &str) -> Figure {
        Figure { what: why.to_owned(), passes: Vec::new(), ..self }
    }

    /// Whether it keeps to its budget and to its part of the peer's; `None` if it has neither.
    pub fn met(&self) -> Option<bool> {
        let bounds = self.budget.into_iter().chain(self.peer.as_ref().map(|peer| peer.part * peer.median));
        let keeps = |bound: f64| if self.rate { self.median() >= bound } else { self.median() <= bound };
        bounds.map(keeps).reduce(|one, other| one && other)
    }

    /// The middle of the passes.
    pub fn median(&self) -> f64 {
        quantile(&self.passes, 0.5)
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name, "what": self.what, "unit": self.unit, "passes": self.passes, "median": self.median(),
            "budget": self.budget, "moreIsBetter": self.rate, "met": self.met(), "curve": self.curve,
            "peer": self.peer.as_ref().map(|peer| json!({
                "name": peer.name, "median": peer.median, "part": peer.part, "ratio": self.median() / peer.median,
            })),
        })
    }

    /// Undoes [`Figure::to_json`].
    pub fn from_json(json: &Value) -> Outcome<Figure> {
        let text = |name: &str| json[name].as_str().map(str::to_owned).ok_or("a figure lacks a member");
        let passes = json["passes"].as_array().ok_or("a figure lacks its passes")?;
        Ok(Figure {
            name: text("name")?,
            what: text("what")?,
            unit: text("unit")?,
            passes: passes.iter().filter_map(Value::as_f64).collect(),
            budget: json["budget"].as_f64(),
            rate: json["moreIsBetter"] == true,
            peer: json["peer"]["name"].as_str().map(|name| Peer {
                name: name.to_owned(),
                median: json["peer"]["median"].as_f64().unwrap_or_default(),
                part: json["peer"]["part"].as_f64().unwrap_or_default(),
            }),
            curve: serde_json::from_value(json["curve"].clone())?,
        })
    }
}

/// A quantile by the nearest rank; 0 of nothing.
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (q * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

/// How much of the values lies at or below each of a hundred of them, and of the slowest some more: x is the value, y the
/// part.
pub fn cumulative(values: &[f64]) -> Vec<[f64; 2]> {
    let parts = (0..=99).map(|at| f64::from(at) / 100.0).chain([0.995, 0.999, 1.0]);
    if values.is_empty() { Vec::new() } else { parts.map(|q| [quantile(values, q), q]).collect() }
}

/// The figures as a table.
pub fn table(figures: &[Figure]) -> String {
    let mut text = format!(
        "{:<28} {:>10} {:>21} {:>10} {:>7} {:>30}  {:<6} what\n",
        "figure", "median", "min … max", "budget", "of it", "of the peer's", ""
    );
    for figure in figures {
        let [median, spread, budget, part, peer, verdict] = columns(figure);
        let _ = writeln!(
            text,
            "{:<28} {median:>10} {spread:>21} {budget:>10} {part:>7} {peer:>30}  {verdict:<6} {}, {}",
            figure.name, figure.unit, figure.what
        );
    }
    text
}

/// The same in Markdown.
pub fn markdown(figures: &[Figure]) -> String {
    let mut text = "| figure | what | median | min … max | budget | of it | of the peer's | |\n".to_owned();
    text.push_str("|---|---|--:|---|--:|--:|---|---|\n");
    for figure in figures {
        let [median, spread, budget, part, peer, verdict] = columns(figure);
        let (name, what, unit) = (&figure.name, &figure.what, &figure.unit);
        let _ = writeln!(
            text,
            "| `{name}` | {what} | {median} {unit} | {spread} | {budget} | {part} | {peer} | {verdict} |"
        );
    }
    text
}

/// Median, spread, budget, part of it, part of the peer's, verdict.
pub fn columns(figure: &Figure) -> [String; 6] {
    let times = |of: f64| format!("{:.2}x", figure.median() / of);
    let (median, spread) = if figure.passes.is_empty() {
        ("–".to_owned(), String::new())
    } else {
        let [least, most] = [0.0, 1.0].map(|q| short(quantile(&figure.passes, q)));
        (short(figure.median()), format!("{least} … {most}"))
    };
    let sign = if figure.rate { '≥' } else { '≤' };
    let peer = figure.peer.as_ref().map(|p| {
        let name = p.name.rsplit('/').next().unwrap_or_default();
        format!("{} of {name} ({sign}{})", times(p.median), short(p.part))
    });
    let verdict = figure.met().map(|met| if met { "met" } else { "missed" });
    [
        median,
        spread,
        figure.budget.map(|budget| format!("{sign}{}", short(budget))).unwrap_or_default(),
        figure.budget.map(times).unwrap_or_default(),
        peer.unwrap_or_default(),
        verdict.unwrap_or_default().to_owned(),
    ]
}

fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1000.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v.fract() == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.3}"),
    }
}
