//! Names of files and folders: what is allowed, and how they are compared and sorted.

use std::fmt;
use std::sync::Arc;

use icu_properties::props::{BidiControl, DefaultIgnorableCodePoint, GeneralCategory, VariationSelector};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::{Error, Result};

/// The name of a file or folder in its folder: user text that obeys the rules below and lives only in the catalog.
///
/// Stored in Unicode normalisation form C; 1 to 255 bytes of UTF-8; case matters. Refused are `/`, `\`, control
/// characters, `.` and `..`, white space at either end, a dot at the end, bidirectional controls, code points that are
/// unassigned, private surrogates or non-characters, and default-ignorable ones except joiners, variation
/// selectors and emoji tags inside the name.
///
/// # Example: another normal form of a name is that name
/// ```
/// use campusdisk_core::EntryName;
///
/// let decomposed = EntryName::parse("re\u{301}sume\u{301}.pdf")?;
/// assert_eq!(decomposed, EntryName::parse("résumé.pdf")?);
/// assert!(EntryName::parse("..").is_err());
/// # Ok::<(), campusdisk_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EntryName(Arc<str>);

impl EntryName {
    /// Longest name in bytes of UTF-8, after normalisation.
    pub const MAX_BYTES: usize = 255;

    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) with the rule that is broken.
    pub fn parse(text: &str) -> Result<Self> {
        // Normalising can shorten a text to a third, never more; longer input need not be normalised to be refused.
        if text.len() > Self::MAX_BYTES * 4 {
            return Err(refuse("is longer than 255 bytes"));
        }
        let name: Arc<str> = if is_nfc(text) {
            text.into()
        } else {
            text.nfc().collect::<String>().into()
        };
        check_shape(&name)?;
        check_characters(&name)?;
        Ok(Self(name))
    }

    /// The name as text, in normal form C.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key that decides equality among siblings and order in listings.
    pub fn key(&self) -> NameKey {
        NameKey::of(self)
    }

    /// The name in lower case, for searching by a part of it.
    pub fn folded(&self) -> String {
        fold(&self.0)
    }

    /// The name and its ending with the dot: `("report", ".pdf")`; a leading dot starts no ending.
    pub fn split_ending(&self) -> (&str, &str) {
        match self.0.rfind('.') {
            Some(dot) if dot > 0 => self.0.split_at(dot),
            _ => (&self.0, ""),
        }
    }

    /// The `number`th other name for an entry whose own is taken: `report (2).pdf`.
    ///
    /// What does not fit into 255 bytes is cut from the end of the part before the ending.
    pub fn numbered(&self, number: u32) -> Self {
        let (stem, ending) = self.split_ending();
        let suffix = format!(" ({number})");
        // An ending that fills the name is no ending to keep.
        let ending = if ending.len() + suffix.len() >= Self::MAX_BYTES {
            ""
        } else {
            ending
        };
        let mut room = Self::MAX_BYTES - suffix.len() - ending.len();
        room = room.min(stem.len());
        while !stem.is_char_boundary(room) {
            room -= 1;
        }
        let stem = stem.get(..room).unwrap_or_default().trim_end();
        let numbered: String = format!("{stem}{suffix}{ending}").nfc().collect();
        Self(numbered.into())
    }
}

/// What text is compared by when its case does not matter.
pub(crate) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).nfc().collect()
}

fn refuse(reason: &'static str) -> Error {
    Error::invalid("name", reason)
}

fn check_shape(name: &str) -> Result<()> {
    let reason = match name {
        "" => "is empty",
        "." | ".." => "is . or ..",
        _ if name.len() > EntryName::MAX_BYTES => "is longer than 255 bytes",
        _ if name.trim() != name => "begins or ends with white space",
        _ if name.ends_with('.') => "ends with a dot",
        _ => return Ok(()),
    };
    Err(refuse(reason))
}

fn check_characters(name: &str) -> Result<()> {
    let last = name.chars().count() - 1;
    name.chars().enumerate().try_for_each(|(index, character)| {
        let inside = index > 0 && index < last || index == last && index > 0 && may_end_a_name(character);
        match character_fault(character, inside) {
            Some(reason) => Err(refuse(reason)),
            None => Ok(()),
        }
    })
}

/// Variation selectors and the end of an emoji tag sequence close what they follow; joiners need something after them.
fn may_end_a_name(character: char) -> bool {
    CodePointSetData::new::<VariationSelector>().contains(character) || character == '\u{e007f}'
}

fn character_fault(character: char, inside: bool) -> Option<&'static str> {
    if matches!(character, '/' | '\\') {
        return Some("contains a slash or backslash");
    }
    if character.is_ascii() && !character.is_ascii_control() {
        return None;
    }
    if CodePointSetData::new::<BidiControl>().contains(character) {
        return Some("contains a bidirectional control");
    }
    match CodePointMapData::<GeneralCategory>::new().get(character) {
        GeneralCategory::Control | GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator => {
            return Some("contains a control character");
        }
        GeneralCategory::Unassigned => return Some("contains a code point that is not assigned in Unicode"),
        GeneralCategory::Surrogate => return Some("contains half a surrogate pair"),
        _ => {}
    }
    if CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
        && !(inside && is_joining(character))
    {
        return Some("contains an invisible character");
    }
    None
}

/// What is invisible by itself but changes how its neighbours look: joiners, variation selectors and emoji tags.
fn is_joining(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}' | '\u{e0020}'..='\u{e007f}')
        || CodePointSetData::new::<VariationSelector>().contains(character)
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

impl serde::Serialize for EntryName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for EntryName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Bytes that order names the same on every database: the name in lower case, a zero, the name itself.
///
/// Two names have the same key only when they are the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameKey(Vec<u8>);

impl NameKey {
    /// The key of a name.
    pub fn of(name: &EntryName) -> Self {
        let mut key = name.folded().into_bytes();
        key.push(0);
        key.extend_from_slice(name.as_str().as_bytes());
        Self(key)
    }

    /// A key read back from where [`as_bytes`](Self::as_bytes) was stored.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The key as bytes, to be compared byte by byte.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str) -> bool {
        EntryName::parse(name).is_err()
    }

    #[test]
    fn names_of_every_script_are_free() {
        for name in [
            "a",
            "成绩单 2026.pdf",
            "Übung.tex",
            ".profile",
            "a..b",
            "CON",
            "a:b?*<>|\"",
            "\u{e000}",
            "👨‍👩‍👧.png",
            "❤️",
        ] {
            assert_eq!(EntryName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_that_could_deceive_or_break_are_refused() {
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "a\\b",
            "a\0",
            "a\n",
            "\u{7f}",
            "\u{85}x",
            " a",
            "a ",
            "a\u{3000}",
            "\u{a0}a",
            "a.",
            "a\u{202e}b",
            "a\u{2066}b",
            "\u{200e}a",
            "a\u{200b}b",
            "\u{feff}a",
            "a\u{ad}b",
            "\u{200d}a",
            "a\u{200d}",
            "\u{378}a",
            "a\u{ffff}b",
            "a\u{2028}b",
        ] {
            assert!(refused(name), "{name:?}");
        }
        assert!(!refused(&"a".repeat(255)) && refused(&"a".repeat(256)) && refused(&"é".repeat(128)));
    }

    #[test]
    fn a_flag_of_tags_may_end_a_name() {
        assert!(!refused(
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}"
        ));
    }

    #[test]
    fn order_ignores_case_first_and_equality_does_not() {
        let mut names: Vec<_> = ["b", "B", "a", "C"]
            .iter()
            .map(|name| EntryName::parse(name).unwrap())
            .collect();
        names.sort_by_key(EntryName::key);
        let names: Vec<_> = names.iter().map(EntryName::as_str).collect();
        assert_eq!(names, ["a", "B", "b", "C"]);
    }

    #[test]
    fn a_numbered_name_keeps_its_ending_and_its_limit() {
        assert_eq!(
            EntryName::parse("same.txt").unwrap().numbered(2).as_str(),
            "same (2).txt"
        );
        assert_eq!(
            EntryName::parse(".profile").unwrap().numbered(3).as_str(),
            ".profile (3)"
        );
        let long = EntryName::parse(&format!("{}.pdf", "文".repeat(83)))
            .unwrap()
            .numbered(12);
        assert!(long.as_str().len() <= 255 && long.as_str().ends_with(" (12).pdf"));
        assert!(!refused(
            EntryName::parse(&format!("a.{}", "b".repeat(253)))
                .unwrap()
                .numbered(2)
                .as_str()
        ));
    }
}
