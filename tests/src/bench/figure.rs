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
}

impl Figure {
    /// A cost: less is better.
    pub fn cost(name: &str, what: impl Into<String>, unit: &str, passes: Vec<f64>) -> Figure {
        let (name, unit) = (name.to_owned(), unit.to_owned());
        Figure { name, what: what.into(), unit, passes, budget: None, rate: false }
    }

    /// A rate: more is better.
    pub fn rate(name: &str, what: impl Into<String>, unit: &str, passes: Vec<f64>) -> Figure {
        Figure { rate: true, ..Figure::cost(name, what, unit, passes) }
    }

    /// What it may cost, or has to reach.
    pub fn budget(self, budget: f64) -> Figure {
        Figure { budget: Some(budget), ..self }
    }

    /// The middle of the passes.
    pub fn median(&self) -> f64 {
        quantile(&self.passes, 0.5)
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name, "what": self.what, "unit": self.unit, "passes": self.passes, "median": self.median(),
            "budget": self.budget, "moreIsBetter": self.rate,
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

/// The figures as a table.
pub fn table(figures: &[Figure]) -> String {
    let mut text =
        format!("{:<28} {:>10} {:>21} {:>10}  {:<8} what\n", "figure", "median", "min … max", "budget", "");
    for figure in figures {
        let spread =
            format!("{} … {}", short(quantile(&figure.passes, 0.0)), short(quantile(&figure.passes, 1.0)));
        let (budget, verdict) = match figure.budget {
            None => (String::new(), String::new()),
            Some(budget) => (short(budget), format!("{:.2}x", figure.median() / budget)),
        };
        let _ = writeln!(
            text,
            "{:<28} {:>10} {spread:>21} {budget:>10}  {verdict:<8} {}, {}",
            figure.name,
            short(figure.median()),
            figure.unit,
            figure.what
        );
    }
    text
}

fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1000.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}
