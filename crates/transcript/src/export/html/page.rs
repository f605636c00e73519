//! The writer of pages. What is not a literal of this program can only get in escaped: [`Page::raw`] takes nothing else.
//!
//! Templates would need a model of each page in memory, twice; a transcript may have a million commands.

use std::fmt::Write;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::export::SOFTWARE;
use crate::screen::is_deceptive;

/// A page, or a part of one.
#[derive(Clone, Debug, Default)]
pub(super) struct Page(String);

/// What stands in the trail from the index to a page: name and address; the page itself has none.
pub(super) type Trail<'a> = &'a [(String, Option<String>)];

impl Page {
    /// Starts a page.
    pub(super) fn new(title: &str, trail: Trail<'_>) -> Page {
        let mut page = Page::default();
        page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>").text(title);
        page.raw("</title>\n<meta name=\"generator\" content=\"").text(SOFTWARE).raw("\">\n");
        page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        page.raw(
            "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n",
        );
        page.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"").text(&POLICY).raw("\">\n");
        page.raw("<link rel=\"icon\" href=\"data:,\">\n<style>").raw(STYLE).raw("</style>\n</head>\n<body>\n");
        page.raw("<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header>\n<nav aria-label=\"Trail\"><ol class=\"trail\">");
        for (name, address) in trail {
            match address {
                Some(address) => page.raw("<li><a href=\"").text(address).raw("\">").text(name).raw("</a></li>"),
                None => page.raw("<li aria-current=\"page\">").text(name).raw("</li>"),
            };
        }
        page.raw("</ol></nav>\n</header>\n<main id=\"main\">\n");
        page
    }

    /// Ends a page and returns it.
    pub(super) fn finish(mut self, redacted: &str) -> String {
        self.raw("</main>\n<footer><p>Written by ").text(SOFTWARE).raw(". Times are in UTC. Redacted: ").text(redacted);
        self.raw(".</p></footer>\n<script>").raw(SCRIPT).raw("</script>\n</body>\n</html>\n");
        self.0
    }

    /// Adds a part of the page's own language.
    pub(super) fn raw(&mut self, html: &'static str) -> &mut Page {
        self.0.push_str(html);
        self
    }

    /// Adds a page's part that was made of the same means.
    pub(super) fn part(&mut self, part: &Page) -> &mut Page {
        self.0.push_str(&part.0);
        self
    }

    /// Adds text, within an element or a quoted attribute. What cannot be seen or would reorder the line is spelled out.
    pub(super) fn text(&mut self, text: &str) -> &mut Page {
        text.chars().for_each(|c| self.character(c));
        self
    }

    /// Adds lines of text.
    pub(super) fn block(&mut self, text: &str) -> &mut Page {
        for c in text.chars() {
            match c {
                '\n' | '\t' => self.0.push(c),
                _ => self.character(c),
            }
        }
        self
    }

    /// Adds a number.
    pub(super) fn number(&mut self, number: impl Into<u64>) -> &mut Page {
        let _ = write!(self.0, "{}", number.into());
        self
    }

    fn character(&mut self, c: char) {
        match c {
            '&' => self.0.push_str("&amp;"),
            '<' => self.0.push_str("&lt;"),
            '>' => self.0.push_str("&gt;"),
            '"' => self.0.push_str("&quot;"),
            '\'' => self.0.push_str("&#39;"),
            _ if is_deceptive(c) => self.0.extend(c.escape_default()),
            _ => self.0.push(c),
        }
    }
}

/// Returns `3 commands`, `1 command`.
pub(super) fn count(number: impl Into<u64>, word: &str) -> String {
    let number = number.into();
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {word}{plural}")
}

/// Nothing is loaded from anywhere, and no script runs but the page's own, whatever a transcript holds.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
});

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_is_markup_and_none_hides(text in any::<String>()) {
            let mut page = Page::default();
            page.text(&text);
            prop_assert!(!page.0.contains(['<', '>', '"', '\'']));
            prop_assert!(!page.0.chars().any(is_deceptive));
            let mut lines = Page::default();
            lines.block(&text);
            prop_assert!(!lines.0.contains(['<', '>', '"', '\'']));
            prop_assert!(!lines.0.chars().any(|c| is_deceptive(c) && !matches!(c, '\n' | '\t')));
            // what can be seen comes back
            if !text.chars().any(is_deceptive) {
                prop_assert_eq!(msnp::payload::xml::unescape(&page.0), text);
            }
        }
    }
}
