//! What a browser may show in the hall's origin.

/// How a file of some media type is shown when it is asked for inline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Showing {
    /// As it is: it can't act.
    Plain,
    /// In a sandbox of an origin of its own: it could run scripts.
    Sandboxed,
}

/// How a file of this media type is shown inline.
///
/// What is not known to be harmless is sandboxed. PDF is not: browsers' viewers refuse to work in a sandbox, and run
/// what is in a PDF in one of their own.
pub(crate) fn showing(mime: &str) -> Showing {
    let essence = mime
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let Some((kind, subtype)) = essence.split_once('/') else {
        return Showing::Sandboxed;
    };
    let active = subtype.ends_with("+xml")
        || subtype.contains("xml")
        || subtype.contains("html")
        || subtype.contains("script")
        || subtype.contains("xsl");
    match kind {
        _ if active => Showing::Sandboxed,
        "image" | "audio" | "video" | "text" => Showing::Plain,
        "application" if subtype == "pdf" => Showing::Plain,
        _ => Showing::Sandboxed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_run_scripts_is_sandboxed() {
        for mime in [
            "text/html",
            "TEXT/HTML; charset=utf-8",
            "application/xhtml+xml",
            "image/svg+xml",
            "text/xml",
            "application/xml",
            "application/mathml+xml",
            "text/javascript",
            "application/ecmascript",
            "text/xsl",
            "multipart/related",
            "application/octet-stream",
            "text",
            "",
        ] {
            assert_eq!(showing(mime), Showing::Sandboxed, "{mime}");
        }
    }

    #[test]
    fn what_people_look_at_is_shown_as_it_is() {
        for mime in [
            "application/pdf",
            "image/png",
            "audio/mpeg",
            "video/mp4",
            "text/plain; charset=utf-8",
            "text/csv",
            "text/markdown",
        ] {
            assert_eq!(showing(mime), Showing::Plain, "{mime}");
        }
    }
}
