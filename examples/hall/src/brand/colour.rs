//! The accent colour, and the colours that are derived from it so that text keeps its contrast (WCAG 2.2, 1.4.3) in both
//! themes. The grounds are those of `web/src/styles/tokens.css`.

use std::fmt;

use crate::failure::{Failure, Outcome};

/// The least contrast of text (WCAG 2.2 AA, 1.4.3).
const TEXT: f64 = 4.5;

/// The least contrast of a control against what is around it (1.4.11).
const CONTROL: f64 = 3.0;

const WHITE: Colour = Colour([255, 255, 255]);
const BLACK: Colour = Colour([0, 0, 0]);

/// The grounds on which text is hardest to read: the darkest of the light theme, and two of the dark one.
const LIGHT_HOVER: Colour = Colour([0xee, 0xf2, 0xf7]);
const DARK_SURFACE: Colour = Colour([0x1a, 0x20, 0x29]);
const DARK_HOVER: Colour = Colour([0x24, 0x2c, 0x37]);

/// How many steps a mixture has.
const STEPS: u16 = 200;

/// A colour of sRGB.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Colour([u8; 3]);

impl Colour {
    /// Reads `#rrggbb`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        if digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let number = u32::from_str_radix(digits, 16).ok()?;
        let [_, red, green, blue] = number.to_be_bytes();
        Some(Self([red, green, blue]))
    }

    /// This colour with so many steps (of [`STEPS`]) of another.
    fn mixed(self, other: Self, steps: u16) -> Self {
        let mix = |own: u8, other: u8| {
            let sum = u32::from(own) * u32::from(STEPS - steps) + u32::from(other) * u32::from(steps);
            u8::try_from((sum + u32::from(STEPS) / 2) / u32::from(STEPS)).unwrap_or(u8::MAX)
        };
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Self([mix(a, x), mix(b, y), mix(c, z)])
    }

    /// Relative luminance, as WCAG 2.2 defines it.
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let value = f64::from(channel) / 255.0;
            match value <= 0.040_45 {
                true => value / 12.92,
                false => ((value + 0.055) / 1.055).powf(2.4),
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// The contrast of two colours, 1 to 21.
    pub(super) fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// The nearest colour on the way to another that fits.
    fn towards(self, other: Self, fits: impl Fn(Self) -> bool) -> Option<Self> {
        (0..=STEPS)
            .map(|steps| self.mixed(other, steps))
            .find(|colour| fits(*colour))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl fmt::Debug for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The colours of one theme.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    /// The ground of buttons; their text is white.
    pub(super) primary: Colour,
    pub(super) hover: Colour,
    pub(super) active: Colour,
    /// From strong to pale, or to dark.
    tints: [Colour; 4],
    /// Text, on every ground of the theme.
    pub(super) link: Colour,
    pub(super) focus: Colour,
    /// The ground of what is chosen.
    pub(super) chosen: Colour,
}

/// The colours of both themes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    pub(super) light: Theme,
    pub(super) dark: Theme,
}

impl Palette {
    /// Derives all colours from one.
    ///
    /// # Errors
    /// When it is no colour, or too pale for text.
    pub(super) fn parse(text: &str) -> Outcome<Self> {
        let accent = Colour::parse(text).ok_or_else(|| {
            Failure::new(format!(
                "page.accent is \"{text}\", but a colour is written #rrggbb, such as \"#1f5fa8\""
            ))
        })?;
        let readable = |colour: Colour| palest(colour).contrast(colour) >= TEXT;
        if !readable(accent) {
            let better = accent.towards(BLACK, readable).unwrap_or(BLACK);
            return Err(Failure::new(format!(
                "page.accent {accent} has a contrast of {:.1} : 1 with the page's pale grounds, and text needs {TEXT} : 1 \
                 (WCAG 2.2 AA); take a darker one, such as \"{better}\"",
                palest(accent).contrast(accent)
            )));
        }
        Ok(Self {
            light: light(accent),
            dark: dark(accent),
        })
    }

    /// The style that sets them, over that of the page.
    pub(super) fn style(&self) -> String {
        format!(
            ":root {{\n{}}}\n@media screen {{\nhtml.dark {{\n{}}}\n}}\n",
            self.light.declarations(),
            self.dark.declarations()
        )
    }
}

impl Theme {
    fn declarations(&self) -> String {
        let [light_5, light_7, light_8, light_9] = self.tints;
        let pairs = [
            ("--el-color-primary", self.primary),
            ("--el-color-primary-light-3", self.hover),
            ("--el-color-primary-light-5", light_5),
            ("--el-color-primary-light-7", light_7),
            ("--el-color-primary-light-8", light_8),
            ("--el-color-primary-light-9", light_9),
            ("--el-color-primary-dark-2", self.active),
            ("--hall-link", self.link),
            ("--hall-focus", self.focus),
            ("--hall-chosen", self.chosen),
        ];
        pairs
            .iter()
            .map(|(name, colour)| format!("  {name}: {colour};\n"))
            .collect()
    }
}

/// The ground on which text of the accent is hardest to read in the light: that of what is chosen, or of what is pointed at.
fn palest(accent: Colour) -> Colour {
    let chosen = accent.mixed(WHITE, STEPS * 9 / 10);
    match chosen.luminance() < LIGHT_HOVER.luminance() {
        true => chosen,
        false => LIGHT_HOVER,
    }
}

fn light(accent: Colour) -> Theme {
    let tint = |tenths: u16| accent.mixed(WHITE, STEPS * tenths / 10);
    Theme {
        primary: accent,
        hover: accent.mixed(BLACK, STEPS / 8),
        active: accent.mixed(BLACK, STEPS / 4),
        tints: [tint(5), tint(7), tint(8), tint(9)],
        link: accent,
        focus: accent,
        chosen: tint(9),
    }
}

fn dark(accent: Colour) -> Theme {
    // Light enough to be seen on the page, dark enough for white text: every hue has such a colour on its way to white or black.
    let fits = |colour: Colour| colour.contrast(DARK_SURFACE) >= CONTROL && colour.contrast(WHITE) >= TEXT;
    let primary = accent
        .towards(WHITE, fits)
        .or_else(|| accent.towards(BLACK, fits))
        .unwrap_or(accent);
    let tint = |tenths: u16| primary.mixed(DARK_SURFACE, STEPS * tenths / 10);
    let chosen = tint(7);
    let link = primary.towards(WHITE, |colour| {
        [DARK_SURFACE, DARK_HOVER, chosen]
            .iter()
            .all(|ground| colour.contrast(*ground) >= TEXT + 0.5)
    });
    let link = link.unwrap_or(WHITE);
    Theme {
        primary,
        hover: primary.mixed(BLACK, STEPS / 8),
        active: primary.mixed(BLACK, STEPS / 4),
        tints: [tint(5), tint(7), tint(8), tint(9)],
        link,
        focus: link,
        chosen,
    }
}
