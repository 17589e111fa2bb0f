//! The name and the language of a hall.

use campusdisk_core::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What people see of a hall before they see anything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Face {
    pub(crate) name: String,
    /// The language for those who have chosen none; `None` is each browser's own.
    pub(crate) language: Option<Language>,
    /// The fields that the configuration says.
    pub(crate) fixed: Vec<&'static str>,
}

/// A language of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) enum Language {
    /// Chinese in simplified characters.
    #[serde(rename = "zh-CN")]
    Chinese,
    /// English.
    #[serde(rename = "en")]
    English,
}

impl Language {
    /// The language with this tag.
    pub(crate) fn parse(tag: &str) -> Option<Self> {
        [Self::Chinese, Self::English]
            .into_iter()
            .find(|language| language.as_str() == tag)
    }

    /// Its tag (BCP 47).
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }
}

/// What a hall is called: one line of 1 to 100 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HallName(String);

impl HallName {
    const MAX_CHARACTERS: usize = 100;

    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidInput`](campusdisk_core::ErrorKind::InvalidInput) in `name`, with the rule that is broken.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let refuse = |reason: &'static str| Err(Error::invalid("name", reason));
        if text.trim().is_empty() {
            return refuse("is empty");
        }
        if text.trim() != text {
            return refuse("begins or ends with white space");
        }
        if text.chars().count() > Self::MAX_CHARACTERS {
            return refuse("is longer than 100 characters");
        }
        // Direction overrides would turn around what stands beside the name (Unicode UAX #9 §2).
        let is_bad = |character: char| {
            character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        if text.chars().any(is_bad) {
            return refuse("holds control characters");
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}
