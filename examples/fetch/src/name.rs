//! The file's name: what the server calls it, made safe on any system.

use percent_encoding::percent_decode_str;
use reqwest::Url;

/// File systems take 255 bytes; the partial file's endings need some of them.
const NAME_LIMIT_BYTES: usize = 240;
/// A longer ending is no ending.
const ENDING_LIMIT_BYTES: usize = 16;
/// When nothing is left of what the server says.
const NAMELESS: &str = "download";

/// Names that Windows keeps for devices, whatever ending follows.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// The name by `Content-Disposition`, else by the address.
pub(crate) fn file_name(disposition: Option<&[u8]>, url: &Url) -> String {
    let told = disposition.and_then(disposition_name);
    let told = told.map(|name| safe(&name)).filter(|name| name != NAMELESS);
    told.unwrap_or_else(|| {
        let mut segments = url.path_segments().into_iter().flatten();
        let last = segments.rfind(|segment| !segment.is_empty());
        safe(&percent_decode_str(last.unwrap_or_default()).decode_utf8_lossy())
    })
}

/// `filename*` (RFC 8187) goes before `filename` (RFC 6266 §4.3).
fn disposition_name(value: &[u8]) -> Option<String> {
    let text = match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => latin1(value),
    };
    let parameters = parameters(&text);
    let named = |wanted: &str| {
        let mut named = parameters
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        named.next().map(|(_, value)| value.as_str())
    };
    let extended = named("filename*").and_then(extended_value);
    extended.or_else(|| named("filename").map(str::to_owned))
}

/// The parameters after the first `;`, without quotes. What is malformed is left out.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut pieces = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for character in text.chars() {
        let piece = pieces.last_mut();
        match character {
            ';' if !quoted => pieces.push(String::new()),
            '"' if !escaped => quoted = !quoted,
            '\\' if quoted && !escaped => {
                escaped = true;
                continue;
            }
            _ => {
                if let Some(piece) = piece {
                    piece.push(character);
                }
            }
        }
        escaped = false;
    }
    for piece in pieces.iter().skip(1) {
        if let Some((name, value)) = piece.split_once('=') {
            found.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    found
}

/// `UTF-8'en'na%C3%AFve` (RFC 8187 §3.2.1).
fn extended_value(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_, coded) = rest.split_once('\'')?;
    let bytes: Vec<u8> = percent_decode_str(coded).collect();
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" => String::from_utf8(bytes).ok(),
        "iso-8859-1" => Some(latin1(&bytes)),
        _ => None,
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// A name that stays in its folder, is not hidden, shows as what it is, and that Windows takes too.
fn safe(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).find(|step| !step.trim().is_empty());
    let kept: String = last
        .unwrap_or_default()
        .chars()
        .filter(|character| !is_invisible(*character))
        .map(|character| {
            if "<>:\"|?*".contains(character) {
                '_'
            } else {
                character
            }
        })
        .collect();
    let trimmed = kept
        .trim_start_matches(|character: char| character.is_whitespace() || character == '.')
        .trim_end_matches(|character: char| character.is_whitespace() || character == '.');
    let named = match trimmed {
        "" => NAMELESS.to_owned(),
        name if is_device(name) => format!("_{name}"),
        name => name.to_owned(),
    };
    shortened(&named)
}

/// Controls, marks that turn the direction of writing (with which `exe.fdp` shows as `pdf.exe`), and what has no width.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}'
        )
}

fn is_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_uppercase();
    let numbered = |port: &str| {
        let number = stem.strip_prefix(port).unwrap_or_default();
        let mut characters = number.chars();
        let one = characters
            .next()
            .is_some_and(|digit| digit.is_ascii_digit() || "¹²³".contains(digit));
        one && characters.next().is_none()
    };
    DEVICES.contains(&stem.as_str()) || numbered("COM") || numbered("LPT")
}

/// Cut in the middle, so that the ending stays.
fn shortened(name: &str) -> String {
    if name.len() <= NAME_LIMIT_BYTES {
        return name.to_owned();
    }
    let (stem, ending) = match name.rsplit_once('.') {
        Some((stem, ending)) if ending.len() < ENDING_LIMIT_BYTES => (stem, format!(".{ending}")),
        _ => (name, String::new()),
    };
    let room = NAME_LIMIT_BYTES - ending.len();
    let fits = stem
        .char_indices()
        .map(|(at, character)| at + character.len_utf8());
    let end = fits.take_while(|end| *end <= room).last().unwrap_or(0);
    format!("{}{ending}", stem.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(disposition: &str) -> String {
        let url = Url::parse("http://campus.test/files/%E6%88%90%E7%BB%A9.pdf?x=/y").unwrap();
        file_name(Some(disposition.as_bytes()), &url)
    }

    #[test]
    fn the_extended_name_goes_before_the_plain_one_and_both_before_the_address() {
        assert_eq!(
            named("attachment; filename=\"a.txt\"; filename*=UTF-8''%e6%88%90.txt"),
            "成.txt"
        );
        assert_eq!(named("attachment; filename*=iso-8859-1'en'%A3.txt"), "£.txt");
        assert_eq!(named("attachment; filename*=utf-8''%FF; filename=b.txt"), "b.txt");
        assert_eq!(
            named("attachment; FileName = \"a; \\\"b\\\" = c.txt\""),
            "a; _b_ = c.txt"
        );
        assert_eq!(named("attachment; filename=\"学生.pdf\""), "学生.pdf");
        for nothing in [
            "inline",
            "attachment; filename=\"\"",
            "attachment; filename=\"..\"",
            "x;filename*=u''a",
        ] {
            assert_eq!(named(nothing), "成绩.pdf", "{nothing}");
        }
        let bare = Url::parse("http://campus.test").unwrap();
        assert_eq!(file_name(None, &bare), "download");
        assert_eq!(
            file_name(Some(b"attachment; filename=\"\xe9.txt\""), &bare),
            "é.txt"
        );
    }

    #[test]
    fn a_name_stays_in_its_folder_and_shows_as_what_it_is() {
        for (told, kept) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\win.ini", "win.ini"),
            ("a/", "a"),
            (".bashrc", "bashrc"),
            ("...", "download"),
            (" . .x. . ", "x"),
            ("a\u{0}b\nc", "abc"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("who?: a*b", "who__ a_b"),
            ("nul.txt", "_nul.txt"),
            ("COM1", "_COM1"),
            ("com¹.x", "_com¹.x"),
            ("COM10", "COM10"),
            ("common.txt", "common.txt"),
            ("家族\u{200d}👩\u{200d}👧.png", "家族\u{200d}👩\u{200d}👧.png"),
        ] {
            assert_eq!(safe(told), kept, "{told:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let name = safe(&format!("{}.tar.gz", "学".repeat(200)));
        assert!(
            name.len() <= NAME_LIMIT_BYTES && name.ends_with("学.gz"),
            "{name}"
        );
        assert!(safe(&"x".repeat(1000)).len() <= NAME_LIMIT_BYTES);
    }

    proptest! {
        #[test]
        fn no_name_leads_out_of_its_folder_or_is_hidden(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let url = Url::parse("http://campus.test/%2e%2e%2f").unwrap();
            let mut disposition = b"attachment; filename=\"".to_vec();
            disposition.extend(bytes);
            let name = file_name(Some(&disposition), &url);
            prop_assert!(!name.is_empty() && name.len() <= NAME_LIMIT_BYTES);
            prop_assert!(!name.starts_with('.') && !name.contains(['/', '\\']));
            prop_assert!(!name.chars().any(char::is_control));
        }
    }
}
