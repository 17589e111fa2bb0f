//! What kind of file it is: media types and categories.

use crate::EntryName;
use crate::catalog::record::Category;

/// The type of bytes nobody knows more about (RFC 2046 §4.5.1).
pub const OCTET_STREAM: &str = "application/octet-stream";

/// The media type of a file: the one declared when it agrees with the name or the first bytes, else that of the
/// bytes, else that of the name, else the declared one where neither says anything.
pub fn media_type(declared: Option<&str>, name: &EntryName, head: &[u8]) -> String {
    let declared = declared
        .map(essence)
        .filter(|declared| !declared.is_empty() && declared != OCTET_STREAM);
    let by_bytes = infer::get(head).map(|kind| kind.mime_type().to_owned());
    let by_name = mime_guess::from_path(name.as_str());
    let Some(declared) = declared else {
        return by_bytes
            .filter(|found| !contains_other_formats(found) || by_name.is_empty())
            .or_else(|| by_name.first_raw().map(ToOwned::to_owned))
            .unwrap_or_else(|| OCTET_STREAM.to_owned());
    };
    let agrees_with_name = by_name.iter_raw().any(|known| known == declared);
    let agrees_with_bytes = by_bytes.as_deref() == Some(&*declared);
    if agrees_with_name || agrees_with_bytes || by_bytes.is_none() && by_name.is_empty() {
        return declared;
    }
    by_bytes
        .or_else(|| by_name.first_raw().map(ToOwned::to_owned))
        .unwrap_or(declared)
}

/// Whether text that begins with these bytes is UTF-8 and more than ASCII. Its last character may be cut off.
pub(crate) fn begins_in_utf8(head: &[u8]) -> bool {
    match std::str::from_utf8(head) {
        Ok(_) => !head.is_ascii(),
        Err(error) => error.error_len().is_none() && !head[..error.valid_up_to()].is_ascii(),
    }
}

/// Containers whose first bytes do not tell what is inside, while the name does.
fn contains_other_formats(mime: &str) -> bool {
    matches!(
        mime,
        "application/zip" | "application/gzip" | "text/xml" | "text/plain"
    )
}

/// The rough kind of a file of this media type.
pub fn category(mime: &str) -> Category {
    let essence = essence(mime);
    match essence.split('/').next().unwrap_or_default() {
        "audio" => Category::Audio,
        "image" => Category::Image,
        "video" => Category::Video,
        "text" => Category::Document,
        _ if is_document(&essence) => Category::Document,
        _ => Category::Other,
    }
}

fn is_document(essence: &str) -> bool {
    const EXACT: [&str; 5] = [
        "application/pdf",
        "application/rtf",
        "application/msword",
        "application/epub+zip",
        "application/json",
    ];
    const FAMILIES: [&str; 4] = [
        "application/vnd.openxmlformats-officedocument",
        "application/vnd.oasis.opendocument",
        "application/vnd.ms-",
        "application/x-tex",
    ];
    EXACT.contains(&essence) || FAMILIES.iter().any(|family| essence.starts_with(family))
}

/// Type and subtype in lower case, without parameters; empty when it is no media type.
fn essence(mime: &str) -> String {
    let essence = mime
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let token =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    match essence.split_once('/') {
        Some((kind, subtype)) if token(kind) && token(subtype) && essence.len() <= 127 => essence,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    fn decide(declared: Option<&str>, name: &str, head: &[u8]) -> String {
        media_type(declared, &EntryName::parse(name).unwrap(), head)
    }

    #[test]
    fn a_declared_type_counts_when_name_or_bytes_agree() {
        assert_eq!(decide(Some("image/png"), "x.dat", PNG), "image/png");
        assert_eq!(
            decide(Some("Text/CSV; charset=gbk"), "marks.csv", b"a,b"),
            "text/csv"
        );
        assert_eq!(
            decide(Some("application/x-course"), "plan", b"?"),
            "application/x-course"
        );
    }

    #[test]
    fn a_declared_type_that_nothing_supports_yields_to_the_bytes_then_the_name() {
        assert_eq!(decide(Some("text/html"), "picture.gif", PNG), "image/png");
        assert_eq!(decide(Some("image/png"), "notes.txt", b"hello"), "text/plain");
    }

    #[test]
    fn utf_8_is_told_from_ascii_and_from_gbk() {
        let text = "成绩".as_bytes();
        assert!(begins_in_utf8(text));
        assert!(begins_in_utf8(&text[..5]));
        let gbk = b"\xb3\xc9\xbc\xa8";
        for other in [&b"marks"[..], b"", gbk, &text[..2], b"\xe6\x88\x90 \xff"] {
            assert!(!begins_in_utf8(other), "{other:x?}");
        }
    }

    #[test]
    fn without_a_declaration_containers_are_known_by_their_name() {
        let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
        assert_eq!(decide(None, "thesis.docx", b"PK\x03\x04rest"), docx);
        assert_eq!(decide(None, "nothing", b""), OCTET_STREAM);
        assert_eq!(category(docx), Category::Document);
        assert_eq!(category("video/mp4"), Category::Video);
        assert_eq!(category("application/zip"), Category::Other);
    }
}
