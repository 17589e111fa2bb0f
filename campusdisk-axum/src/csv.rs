//! Comma-separated values (RFC 4180) that spreadsheets may open.

/// Its media type.
pub(crate) const MIME: &str = "text/csv; charset=utf-8; header=present";

/// By this spreadsheets know UTF-8; programs mostly take it for a part of the first column's name.
pub(crate) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// One line.
pub(crate) fn line<T: AsRef<str>>(fields: impl IntoIterator<Item = T>) -> String {
    let fields: Vec<_> = fields.into_iter().map(|field| quoted(field.as_ref())).collect();
    fields.join(",") + "\r\n"
}

/// Text of a user's, so that no spreadsheet takes it for a formula: it runs those that begin so.
pub(crate) fn harmless(text: String) -> String {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text,
    }
}

fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_quoted_where_it_has_to_be() {
        assert_eq!(line(["a", "b c", ""]), "a,b c,\r\n");
        assert_eq!(
            line(["a,b", "say \"hi\"", "two\nlines"]),
            "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\"\r\n"
        );
    }

    #[test]
    fn a_name_that_looks_like_a_formula_is_text() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"] {
            assert_eq!(harmless(text.to_owned()), format!("'{text}"));
        }
        for text in ["a=b", "成绩单.pdf", ""] {
            assert_eq!(harmless(text.to_owned()), text);
        }
    }
}
