//! The plain page of a share, for browsers of visitors.

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, header};

use crate::routes::visit::FactsBody;

/// What is shared and how to have it, without a script.
pub(crate) fn share(facts: &FactsBody, token: &str) -> Response {
    let name = escape(&facts.name);
    let size = match facts.kind {
        "file" => format!("<p>{} bytes</p>", facts.size),
        _ => String::new(),
    };
    let password = match facts.needs_password {
        true => format!(
            "<form method=\"post\" action=\"{token}/unlock\"><label>Password <input type=\"password\" name=\"password\" \
             required></label> <button>Open</button></form>"
        ),
        false => String::new(),
    };
    let link = match (facts.drop, facts.kind) {
        (false, "file") => format!("<p><a href=\"{token}/content\">Download</a></p>"),
        _ => String::new(),
    };
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{name}</title><h1>{name}</h1>{size}{password}{link}</html>"
    );
    let mut response = Html(page).into_response();
    let policy = "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
        .headers_mut()
        .insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn escape(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut escaped, character| {
            match character {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                _ => escaped.push(character),
            }
            escaped
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_become_markup() {
        assert_eq!(
            escape("<img src=x onerror='a(\"&\")'>"),
            "&lt;img src=x onerror=&#39;a(&quot;&amp;&quot;)&#39;&gt;"
        );
    }
}
