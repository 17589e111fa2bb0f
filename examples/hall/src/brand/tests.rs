//! Colours keep their contrast, and a logo is a picture.

use std::io::Write as _;

use super::colour::Colour;
use super::*;

const SVG: &str = "<?xml version=\"1.0\"?>\n<!-- ours -->\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>";

fn config(accent: Option<&str>, logo: Option<&std::path::Path>) -> Config {
    let mut config = Config::default();
    config.page.accent = accent.map(str::to_owned);
    config.page.logo = logo.map(std::path::Path::to_owned);
    config
}

fn logo(bytes: &[u8]) -> Outcome<Brand> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    Brand::load(&config(None, Some(file.path())))
}

#[test]
fn contrast_is_what_the_rules_say() {
    let colour = |text| Colour::parse(text).unwrap();
    let grey = colour("#767676").contrast(colour("#ffffff"));
    assert!((grey - 4.54).abs() < 0.01, "{grey}");
    assert!((colour("#000000").contrast(colour("#ffffff")) - 21.0).abs() < 0.001);
}

#[test]
fn every_accent_that_is_taken_keeps_text_readable_in_both_themes() {
    let white = Colour::parse("#ffffff").unwrap();
    let of = |text: &str| Colour::parse(text).unwrap();
    let mut taken = 0;
    for number in (0..0x100_0000_u32).step_by(4_999) {
        let Ok(palette) = Palette::parse(&format!("#{number:06x}")) else {
            continue;
        };
        taken += 1;
        for theme in [palette.light, palette.dark] {
            for ground in [theme.primary, theme.hover, theme.active] {
                assert!(white.contrast(ground) >= 4.5, "white on {ground} of {number:06x}");
            }
        }
        let grounds = [
            (
                palette.light,
                ["#ffffff", "#f4f6f9", "#eef2f7"],
                ["#1b2430", "#566272"],
            ),
            (
                palette.dark,
                ["#12161c", "#1a2029", "#242c37"],
                ["#e6eaf0", "#a3afbd"],
            ),
        ];
        for (theme, grounds, texts) in grounds {
            let on_pages = grounds.map(|ground| theme.link.contrast(of(ground)));
            let on_chosen = theme.link.contrast(theme.chosen);
            let worst = on_pages.into_iter().fold(on_chosen, f64::min);
            assert!(worst >= 4.5, "links of {number:06x}: {worst}");
            for text in texts {
                assert!(
                    of(text).contrast(theme.chosen) >= 4.5,
                    "{text} on the chosen of {number:06x}"
                );
            }
        }
    }
    assert!(taken > 500, "{taken}");
}

#[test]
fn a_pale_accent_is_refused_with_its_contrast_and_a_better_one() {
    let said = Palette::parse("#ffcc00").unwrap_err().to_string();
    assert!(
        said.contains("page.accent #ffcc00 has a contrast of 1.3 : 1"),
        "{said}"
    );
    let better = said.rsplit('"').nth(1).unwrap();
    Palette::parse(better).unwrap();
    for wrong in ["", "blue", "#fff", "#12345g", "1f5fa8", "#1f5fa8ff"] {
        let said = Palette::parse(wrong).unwrap_err().to_string();
        assert!(said.contains("#rrggbb"), "{wrong}: {said}");
    }
}

#[test]
fn a_logo_is_svg_or_png_and_small() {
    for (bytes, kind) in [
        (SVG.as_bytes(), "svg"),
        (b"\x89PNG\r\n\x1a\nrest".as_slice(), "png"),
    ] {
        let path = logo(bytes).unwrap().logo_path().unwrap();
        assert!(path.starts_with("assets/logo-") && path.ends_with(kind), "{path}");
    }
    let large = [SVG.as_bytes(), &vec![b' '; 300_000]].concat();
    for (bytes, reason) in [
        (b"<html/>".as_slice(), "neither SVG"),
        (b"<svg/>", "neither SVG"),
        (b"GIF89a", "neither SVG"),
        (b"", "neither SVG"),
        (&large, "at most 262144 bytes (256 KiB)"),
    ] {
        let said = logo(bytes).unwrap_err().to_string();
        assert!(said.contains("page.logo") && said.contains(reason), "{said}");
    }
    let missing = Brand::load(&config(None, Some("no/such/logo.svg".as_ref()))).unwrap_err();
    assert!(
        missing.to_string().contains("campusdisk-data/no/such/logo.svg"),
        "{missing}"
    );
}

#[test]
fn style_and_logo_are_found_at_their_own_addresses_only() {
    let brand = Brand::load(&config(Some("#660874"), None)).unwrap();
    let path = format!("/{}", brand.style_path().unwrap());
    let style = brand.find(&path).unwrap();
    assert_eq!(style.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
    assert!(brand.find("/assets/brand-0.css").is_none() && brand.logo_path().is_none());
    assert!(Brand::load(&Config::default()).unwrap().style_path().is_none());
}
