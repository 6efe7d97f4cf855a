//! Pictures of figures, as SVG: queries by whom they were asked, cost against size, how latencies are spread.

use std::fmt::Write;
use std::path::Path;

use super::Outcome;
use super::figure::Figure;

const WIDTH: f64 = 860.0;
/// Left of the drawing, where names and numbers stand; right, above and below of it.
const LEFT: f64 = 130.0;
const EDGE: f64 = 30.0;
const BELOW: f64 = 50.0;
/// A picture of curves is so high.
const HEIGHT: f64 = 380.0;
/// A bar is so high.
const BAR: f64 = 13.0;
const COLOURS: [&str; 4] = ["#1f6feb", "#79b8ff", "#d9822b", "#8e8e93"];

/// Writes those pictures into `folder` for which there are figures.
pub fn draw(figures: &[Figure], folder: &Path) -> Outcome<()> {
    std::fs::create_dir_all(folder)?;
    let pictures = [
        ("queries.svg", queries(figures)),
        (
            "latency.svg",
            curves(
                figures,
                &Axes {
                    title: "From saying to hearing, and a sync of the disk: part of all within",
                    names: &["hear", "hear/mosquitto", "hear/sync"],
                    x: "milliseconds",
                    relative: false,
                },
            ),
        ),
        (
            "size.svg",
            curves(
                figures,
                &Axes {
                    title: "Cost of a patch and a read, over that with the fewest twins",
                    names: &["size/patches", "size/reads-mqtt", "size/reads-rest"],
                    x: "twins",
                    relative: true,
                },
            ),
        ),
        (
            "connections.svg",
            curves(
                figures,
                &Axes {
                    title: "kB that one more idle connection takes",
                    names: &["hub-memory", "hub-memory/mosquitto", "hub-memory/rustls"],
                    x: "connections",
                    relative: false,
                },
            ),
        ),
    ];
    for (name, picture) in pictures {
        if let Some(picture) = picture {
            std::fs::write(folder.join(name), picture)?;
        }
    }
    Ok(())
}

/// A logarithmic scale from one power of ten to another.
struct Scale {
    from: f64,
    to: f64,
}

impl Scale {
    fn over(values: impl Iterator<Item = f64> + Clone) -> Option<Scale> {
        let positive = values.filter(|value| *value > 0.0);
        let least = positive.clone().min_by(f64::total_cmp)?;
        let most = positive.max_by(f64::total_cmp)?;
        let from = least.log10().floor();
        Some(Scale { from, to: most.log10().ceil().max(from + 1.0) })
    }

    fn x(&self, value: f64) -> f64 {
        let part = (value.max(10f64.powf(self.from)).log10() - self.from) / (self.to - self.from);
        LEFT + part * (WIDTH - LEFT - EDGE)
    }

    /// A line and a number at each power of ten.
    fn grid(&self, svg: &mut String, top: f64, bottom: f64) {
        let mut power = self.from;
        while power <= self.to {
            let (value, x) = (10f64.powf(power), self.x(10f64.powf(power)));
            line(svg, x, top, x, bottom, "#ddd");
            text(svg, x, bottom + 15.0, "middle", &plain(value));
            power += 1.0;
        }
    }
}

/// Bars: each query's median, by whom it was asked.
fn queries(figures: &[Figure]) -> Option<String> {
    const SIDES: [[&str; 2]; 4] =
        [["", "hub, REST"], ["/hub", "hub, no network"], ["/postgres", "PostgreSQL"], ["/sqlite", "SQLite"]];
    let find = |name: &str| figures.iter().find(|figure| figure.name == name && !figure.passes.is_empty());
    let names: Vec<&str> = figures
        .iter()
        .filter_map(|figure| figure.name.strip_prefix("queries/"))
        .filter(|name| !name.contains('/') && !name.ends_with("-p99") && *name != "patches")
        .collect();
    let medians = || {
        names
            .iter()
            .flat_map(|name| SIDES.iter().filter_map(move |[side, _]| find(&format!("queries/{name}{side}"))))
    };
    let scale = Scale::over(medians().map(Figure::median).collect::<Vec<_>>().into_iter())?;
    let group = BAR * SIDES.len() as f64 + 10.0;
    let top = 2.0 * EDGE;
    let bottom = top + group * names.len() as f64;
    let mut svg = begin("Queries, median in milliseconds (less is better)", bottom + BELOW);
    legend(&mut svg, SIDES.iter().map(|[_, what]| *what));
    scale.grid(&mut svg, top, bottom);
    for (at, name) in names.iter().enumerate() {
        let y = top + group * at as f64;
        text(&mut svg, LEFT - 8.0, y + group / 2.0, "end", name);
        for (n, [side, _]) in SIDES.iter().enumerate() {
            let Some(figure) = find(&format!("queries/{name}{side}")) else { continue };
            let (y, x) = (y + BAR * n as f64, scale.x(figure.median()));
            let (colour, width, height) = (COLOURS[n], (x - LEFT).max(1.0), BAR - 2.0);
            let _ = writeln!(
                svg,
                r#"<rect x="{LEFT}" y="{y:.1}" width="{width:.1}" height="{height}" fill="{colour}"/>"#
            );
            text(&mut svg, x + 4.0, y + BAR - 4.0, "start", &short(figure.median()));
        }
    }
    Some(svg + "</svg>\n")
}

struct Axes<'a> {
    title: &'a str,
    names: &'a [&'a str],
    x: &'a str,
    /// Whether y is told in parts of its first.
    relative: bool,
}

/// Curves over a logarithmic x.
fn curves(figures: &[Figure], axes: &Axes<'_>) -> Option<String> {
    let mut shown = Vec::new();
    for (at, name) in axes.names.iter().enumerate() {
        let Some(figure) = figures.iter().find(|figure| figure.name == *name && !figure.curve.is_empty())
        else {
            continue;
        };
        let unit = if axes.relative { figure.curve[0][1] } else { 1.0 };
        let points: Vec<[f64; 2]> = figure.curve.iter().map(|[x, y]| [*x, y / unit]).collect();
        shown.push((at, *name, points));
    }
    let points = || shown.iter().flat_map(|(_, _, points)| points);
    let scale = Scale::over(points().map(|[x, _]| *x))?;
    let most = points().map(|[_, y]| *y).fold(0.0, f64::max) * 1.1;
    let (top, bottom) = (2.0 * EDGE, HEIGHT - BELOW);
    let y = |value: f64| bottom - value / most * (bottom - top);
    let mut svg = begin(axes.title, HEIGHT);
    scale.grid(&mut svg, top, bottom);
    text(&mut svg, WIDTH / 2.0, HEIGHT - 12.0, "middle", axes.x);
    for step in 0..=5 {
        let value = most * f64::from(step) / 5.0;
        line(&mut svg, LEFT, y(value), WIDTH - EDGE, y(value), "#ddd");
        text(&mut svg, LEFT - 8.0, y(value) + 4.0, "end", &short(value));
    }
    for (at, _, points) in &shown {
        let path: Vec<String> =
            points.iter().map(|[a, b]| format!("{:.1},{:.1}", scale.x(*a), y(*b))).collect();
        let (path, colour) = (path.join(" "), COLOURS[*at]);
        let _ =
            writeln!(svg, r#"<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>"#);
    }
    legend(&mut svg, axes.names.iter().copied());
    Some(svg + "</svg>\n")
}

fn begin(title: &str, height: f64) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    text(&mut svg, EDGE, 20.0, "start", title);
    svg
}

fn legend<'a>(svg: &mut String, names: impl Iterator<Item = &'a str>) {
    for (at, name) in names.enumerate() {
        let x = LEFT + 170.0 * at as f64;
        let _ = writeln!(svg, r#"<rect x="{x}" y="32" width="10" height="10" fill="{}"/>"#, COLOURS[at]);
        text(svg, x + 15.0, 41.0, "start", name);
    }
}

fn line(svg: &mut String, x1: f64, y1: f64, x2: f64, y2: f64, colour: &str) {
    let _ = writeln!(svg, r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{colour}"/>"#);
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, what: &str) {
    let _ =
        writeln!(svg, r##"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" fill="#222">{what}</text>"##);
}

fn plain(value: f64) -> String {
    if value >= 1.0 { format!("{value:.0}") } else { format!("{value}") }
}

fn short(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
