//! The ratios of a part as a picture: bars to the right of 1 are ahead of the rival, on a scale on which twice and half are as far.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::combinators::LogCoord;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::comparison::{Comparison, Verdict};

const WIDTH_PX: u32 = 1120;
const ROW_PX: u32 = 44;
const TITLE_PX: u32 = 44;
const AXIS_PX: u32 = 40;
const MARGIN_PX: u32 = 16;

const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
const INK: RGBColor = RGBColor(0x24, 0x29, 0x2f);
const GRID: RGBColor = RGBColor(0xd0, 0xd7, 0xde);
const AHEAD: RGBColor = RGBColor(0x1a, 0x7f, 0x37);
const BEHIND: RGBColor = RGBColor(0xcf, 0x22, 0x2e);
const UNASKED: RGBColor = RGBColor(0x6e, 0x77, 0x81);

/// What each of these colours becomes where the reader's pages are dark.
const DARK: [(RGBColor, &str); 6] = [
    (PAPER, "#0D1117"),
    (INK, "#E6EDF3"),
    (GRID, "#30363D"),
    (AHEAD, "#3FB950"),
    (BEHIND, "#F85149"),
    (UNASKED, "#8B949E"),
];

/// Draws the ratios of `comparisons` and, as a line across each, what it must be at least.
///
/// # Errors
/// When the library can't draw.
pub(crate) fn svg(title: &str, comparisons: &[Comparison]) -> Result<String> {
    let shown: Vec<&Comparison> = comparisons
        .iter()
        .filter(|comparison| comparison.ratio().is_finite() && comparison.ratio() > 0.0)
        .collect();
    let rows = u32::try_from(shown.len())?;
    let size = (WIDTH_PX, TITLE_PX + rows * ROW_PX + AXIS_PX + 2 * MARGIN_PX);
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(&area, title, &shown).map_err(|error| anyhow!("draw the ratios of {title}: {error}"))?;
    }
    Ok(with_dark_colours(&text))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'b, SVGBackend<'a>, Cartesian2d<LogCoord<f64>, RangedCoordf64>>;
type Drawn<'a> = std::result::Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn draw<'a>(area: &Area<'a>, title: &str, shown: &[&Comparison]) -> Drawn<'a> {
    area.fill(&PAPER)?;
    let (least, most) = scale(shown);
    let mut chart = ChartBuilder::on(area)
        .margin(MARGIN_PX)
        .caption(title, ("sans-serif", 20, &INK))
        .x_label_area_size(AXIS_PX)
        .build_cartesian_2d((least..most).log_scale(), 0.0..shown.len() as f64)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .axis_style(GRID)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", 12, &INK))
        .x_label_formatter(&|ratio| format!("{ratio} ×"))
        .draw()?;
    for (index, comparison) in shown.iter().enumerate() {
        draw_row(&mut chart, (shown.len() - index) as f64, least, comparison)?;
    }
    let even = PathElement::new(vec![(1.0, 0.0), (1.0, shown.len() as f64)], INK.stroke_width(1));
    chart.draw_series([even])?;
    area.present()
}

/// A row whose upper edge is at `top`: what was done beside whom, and below it the bar.
fn draw_row<'a>(chart: &mut Chart<'a, '_>, top: f64, left: f64, comparison: &Comparison) -> Drawn<'a> {
    let ratio = comparison.ratio();
    let (colour, verdict) = match comparison.verdict() {
        Verdict::Reached => (AHEAD, format!(" (at least {}: reached)", comparison.bar())),
        Verdict::Missed => (BEHIND, format!(" (at least {}: missed)", comparison.bar())),
        Verdict::Known => (UNASKED, String::new()),
    };
    let label = format!(
        "{} | {} : {} = {ratio:.2}{verdict}",
        comparison.name, comparison.hall.0, comparison.rival.0
    );
    chart.draw_series([Text::new(
        label,
        (left, top - 0.12),
        ("sans-serif", 12, &INK).into_text_style(chart.plotting_area()),
    )])?;
    let (upper, lower) = (top - 0.48, top - 0.86);
    chart.draw_series([Rectangle::new([(1.0, upper), (ratio, lower)], colour.filled())])?;
    if let Some(bar) = comparison.least_ratio {
        let across = vec![(bar, upper + 0.08), (bar, lower - 0.08)];
        chart.draw_series([PathElement::new(across, INK.stroke_width(3))])?;
    }
    Ok(())
}

/// From where to where the scale goes: whole powers of ten that hold every ratio and every bar, and 1.
fn scale(shown: &[&Comparison]) -> (f64, f64) {
    let ratios = shown.iter().flat_map(|comparison| {
        let bar = comparison.least_ratio;
        std::iter::once(comparison.ratio()).chain(bar)
    });
    let (least, most) = ratios.fold((0.5_f64, 2.0_f64), |(least, most), ratio| {
        (least.min(ratio), most.max(ratio))
    });
    (
        10.0_f64.powf(least.log10().floor()),
        10.0_f64.powf(most.log10().ceil()),
    )
}

/// The picture with a style sheet for dark pages.
fn with_dark_colours(svg: &str) -> String {
    let rules: String = DARK
        .iter()
        .map(|(RGBColor(red, green, blue), dark)| {
            let light = format!("#{red:02X}{green:02X}{blue:02X}");
            format!("[fill=\"{light}\"]{{fill:{dark}}}[stroke=\"{light}\"]{{stroke:{dark}}}")
        })
        .collect();
    let style = format!("<style>@media (prefers-color-scheme: dark){{{rules}}}</style>\n");
    // The library opens the picture's own element first.
    match svg.split_once(">\n") {
        Some((head, rest)) => format!("{head}>\n{style}{rest}"),
        None => svg.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::comparison::Unit;

    fn comparison(ours: f64, least_ratio: Option<f64>) -> Comparison {
        Comparison {
            name: "downloads <of> 4 KiB".to_owned(),
            unit: Unit::RequestsPerSecond,
            hall: ("hall".to_owned(), vec![ours]),
            rival: ("rival".to_owned(), vec![1.0]),
            least_ratio,
        }
    }

    #[test]
    fn every_row_says_its_ratio_and_whether_it_is_enough() {
        let rows = [
            comparison(1.5, Some(1.2)),
            comparison(0.5, Some(1.0)),
            comparison(70.0, None),
        ];
        let text = svg("Downloads", &rows).unwrap();
        for said in [
            "= 1.50 (at least 1.20: reached)",
            "= 0.50 (at least 1.00: missed)",
            "= 70.00\n",
            "&lt;of&gt;",
            "prefers-color-scheme: dark",
        ] {
            assert!(text.contains(said), "{said} is not in {text}");
        }
        assert!(text.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn the_scale_holds_every_ratio_and_every_bar() {
        let rows = [comparison(0.02, None), comparison(3.0, Some(20.0))];
        let (least, most) = scale(&rows.iter().collect::<Vec<_>>());
        assert!(least <= 0.02 && most >= 20.0);
    }
}
