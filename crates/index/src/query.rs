//! [`Query`]: what people search for.
//!
//! ```text
//! query   = choice
//! choice  = all { "OR" all }
//! all     = part { [ "AND" ] part }
//! part    = [ "-" | "NOT" ] ( word [ "*" ] | '"' words '"' [ "*" ] | "(" choice ")" )
//! ```
//!
//! A word is found whatever its case and accents. One with other characters inside, such as an address, is the phrase of
//! the words that it holds.

use std::fmt::Write;
use std::ops::Range;

/// A query.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    source: String,
    fts: String,
    terms: Vec<Term>,
}

/// Words that follow one another, to be shown where they were found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Term {
    /// The words, in lower case.
    pub words: Vec<String>,
    /// Whether the last one is only the start of a word.
    pub is_prefix: bool,
}

/// Why a query cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// What is wrong.
    pub message: String,
    /// Where, as a range of bytes of the query.
    pub range: Range<usize>,
    /// What to do.
    pub help: Option<String>,
}

/// Deepest brackets.
const DEEPEST: usize = 50;
/// Most words of a query.
const MOST: usize = 200;

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Words { text: String, is_prefix: bool },
    Minus,
    Or,
    And,
    Open,
    Close,
}

#[derive(Debug)]
enum Node {
    Words(String),
    All { with: Vec<Node>, without: Vec<Node> },
    Any(Vec<Node>),
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    ///
    /// If it is none, or would find nothing because it only says what not to find.
    pub fn parse(source: &str) -> Result<Query, QueryError> {
        let tokens = tokens(source)?;
        if tokens.len() > MOST {
            return Err(error(0..source.len(), &format!("more than {MOST} words"), None));
        }
        if tokens.is_empty() {
            return Err(error(0..source.len(), "nothing to search for", None));
        }
        let mut parser =
            Parser { tokens: &tokens, at: 0, depth: 0, is_wanted: true, terms: Vec::new(), end: source.len() };
        let node = parser.choice()?;
        if let Some((_, range)) = parser.tokens.get(parser.at) {
            return Err(error(range.clone(), "a bracket closes that none opened", None));
        }
        let mut fts = String::new();
        node.write(&mut fts);
        Ok(Query { source: source.to_owned(), fts, terms: parser.terms })
    }

    /// Returns the text that was read.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the words to be found, without those that must not be there.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Returns the query in the language of FTS5.
    pub(crate) fn fts(&self) -> &str {
        &self.fts
    }
}

/// Cuts text into words, as SQLite does: at everything that is neither letter nor digit.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn tokens(source: &str) -> Result<Vec<(Token, Range<usize>)>, QueryError> {
    let mut tokens: Vec<(Token, Range<usize>)> = Vec::new();
    let mut at = 0;
    while let Some(c) = source[at..].chars().next() {
        let start = at;
        let token = match c {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '(' | ')' => {
                at += 1;
                if c == '(' { Token::Open } else { Token::Close }
            }
            '-' => {
                at += 1;
                if source[at..].chars().next().is_none_or(char::is_whitespace) {
                    return Err(error(start..at, "nothing stands behind the minus", None));
                }
                Token::Minus
            }
            '"' => {
                let help = || Some("write \"...\" around words that follow one another".to_owned());
                let end = source[at + 1..].find('"');
                let end =
                    at + 1 + end.ok_or_else(|| error(start..source.len(), "this quotation has no end", help()))?;
                let text = source[at + 1..end].to_owned();
                at = end + 1;
                let is_prefix = source[at..].starts_with('*');
                at += usize::from(is_prefix);
                Token::Words { text, is_prefix }
            }
            _ => {
                let end = source[at..].find(|c: char| c.is_whitespace() || matches!(c, '"' | '(' | ')'));
                at = end.map_or(source.len(), |end| at + end);
                match &source[start..at] {
                    "OR" => Token::Or,
                    "AND" => Token::And,
                    "NOT" => Token::Minus,
                    word => word_token(word, start)?,
                }
            }
        };
        if let Token::Words { text, .. } = &token
            && words(text).next().is_none()
        {
            let help = "only letters and digits are indexed; --where looks at everything";
            return Err(error(start..at, "there is no letter or digit in it", Some(help.to_owned())));
        }
        tokens.push((token, start..at));
    }
    Ok(tokens)
}

fn word_token(word: &str, start: usize) -> Result<Token, QueryError> {
    let text = word.strip_suffix('*').unwrap_or(word);
    match text.find('*') {
        Some(star) => {
            let help = "photo* finds photos and photography; there is no search for the end of a word".to_owned();
            Err(error(start + star..start + star + 1, "a star stands at the end of a word only", Some(help)))
        }
        None => Ok(Token::Words { text: text.to_owned(), is_prefix: text.len() < word.len() }),
    }
}

struct Parser<'a> {
    tokens: &'a [(Token, Range<usize>)],
    at: usize,
    depth: usize,
    /// Whether what is read must be found, rather than not.
    is_wanted: bool,
    terms: Vec<Term>,
    end: usize,
}

impl Parser<'_> {
    fn choice(&mut self) -> Result<Node, QueryError> {
        let mut choices = vec![self.all()?];
        while matches!(self.peek(), Some(Token::Or)) {
            self.at += 1;
            choices.push(self.all()?);
        }
        Ok(match choices.len() {
            1 => choices.remove(0),
            _ => Node::Any(choices),
        })
    }

    fn all(&mut self) -> Result<Node, QueryError> {
        let start = self.place();
        let (mut with, mut without) = (Vec::new(), Vec::new());
        loop {
            match self.peek() {
                None | Some(Token::Or | Token::Close) => break,
                Some(Token::And) if with.is_empty() && without.is_empty() => {
                    return Err(error(self.place(), "nothing stands before AND", None));
                }
                Some(Token::And) => {
                    let range = self.place();
                    self.at += 1;
                    if matches!(self.peek(), None | Some(Token::Or | Token::And | Token::Close)) {
                        return Err(error(range, "nothing stands behind AND", None));
                    }
                }
                Some(Token::Minus) => {
                    self.at += 1;
                    self.is_wanted = !self.is_wanted;
                    without.push(self.part()?);
                    self.is_wanted = !self.is_wanted;
                }
                Some(_) => with.push(self.part()?),
            }
        }
        if with.is_empty() {
            let range = if without.is_empty() { self.place() } else { start.start..self.before() };
            let (message, help) = match (without.is_empty(), self.at) {
                (false, _) => ("this only says what not to find", Some("add a word that must be there".to_owned())),
                (true, 0) => ("nothing stands before this", None),
                (true, _) => ("a word is missing here", None),
            };
            return Err(error(range, message, help));
        }
        Ok(match (with.len(), without.len()) {
            (1, 0) => with.remove(0),
            _ => Node::All { with, without },
        })
    }

    fn part(&mut self) -> Result<Node, QueryError> {
        let Some((token, range)) = self.tokens.get(self.at) else {
            return Err(error(self.place(), "a word is missing here", None));
        };
        match token {
            Token::Words { text, is_prefix } => {
                self.at += 1;
                if self.is_wanted {
                    let words = words(text).map(str::to_lowercase).collect();
                    self.terms.push(Term { words, is_prefix: *is_prefix });
                }
                let star = if *is_prefix { " *" } else { "" };
                Ok(Node::Words(format!("\"{text}\"{star}")))
            }
            Token::Open => {
                self.at += 1;
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(error(range.clone(), &format!("more than {DEEPEST} brackets in one another"), None));
                }
                let inner = self.choice()?;
                self.depth -= 1;
                if !matches!(self.peek(), Some(Token::Close)) {
                    return Err(error(range.clone(), "this bracket is not closed", None));
                }
                self.at += 1;
                Ok(inner)
            }
            _ => Err(error(range.clone(), "a word is missing here", None)),
        }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn place(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.end..self.end, |(_, range)| range.clone())
    }

    fn before(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(self.end, |(_, range)| range.end)
    }
}

impl Node {
    fn write(&self, out: &mut String) {
        match self {
            Node::Words(words) => out.push_str(words),
            Node::Any(nodes) => join(nodes, " OR ", out),
            Node::All { with, without } if without.is_empty() => join(with, " AND ", out),
            Node::All { with, without } => {
                out.push('(');
                join(with, " AND ", out);
                out.push_str(" NOT ");
                join(without, " OR ", out);
                out.push(')');
            }
        }
    }
}

fn join(nodes: &[Node], between: &str, out: &mut String) {
    out.push('(');
    for (index, node) in nodes.iter().enumerate() {
        let _ = out.write_str(if index > 0 { between } else { "" });
        node.write(out);
    }
    out.push(')');
}

fn error(range: Range<usize>, message: &str, help: Option<String>) -> QueryError {
    QueryError { message: message.to_owned(), range, help }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_stand_together_unless_said_otherwise() {
        for (source, fts) in [
            ("nudge", "\"nudge\""),
            ("hello bob", "(\"hello\" AND \"bob\")"),
            ("hello AND bob", "(\"hello\" AND \"bob\")"),
            ("bob@example.com", "\"bob@example.com\""),
            ("\"so  long\"", "\"so  long\""),
            ("photo*", "\"photo\" *"),
            ("a -b", "((\"a\") NOT (\"b\"))"),
            ("a NOT (b OR c) d", "((\"a\" AND \"d\") NOT ((\"b\" OR \"c\")))"),
            ("a b OR c", "((\"a\" AND \"b\") OR \"c\")"),
            ("a (b OR \"c d\"*)", "(\"a\" AND (\"b\" OR \"c d\" *))"),
            ("x\"y\"z", "(\"x\" AND \"y\" AND \"z\")"),
        ] {
            assert_eq!(Query::parse(source).map(|query| query.fts).as_deref(), Ok(fts), "{source}");
        }
        let terms = Query::parse("Hello -not \"big Photo\"*").unwrap().terms;
        let term =
            |words: &[&str], is_prefix| Term { words: words.iter().map(|&word| word.into()).collect(), is_prefix };
        assert_eq!(terms, [term(&["hello"], false), term(&["big", "photo"], true)]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (source, message, place) in [
            ("", "nothing to search for", ""),
            ("  ", "nothing to search for", "  "),
            ("a \"b c", "this quotation has no end", "\"b c"),
            ("a (b OR c", "this bracket is not closed", "("),
            ("a) b", "a bracket closes that none opened", ")"),
            ("OR a", "nothing stands before this", "OR"),
            ("a OR", "a word is missing here", ""),
            ("AND a", "nothing stands before AND", "AND"),
            ("a AND", "nothing stands behind AND", "AND"),
            ("a -", "nothing stands behind the minus", "-"),
            ("-a -b", "this only says what not to find", "-a -b"),
            ("a OR -b", "this only says what not to find", "-b"),
            ("a --b", "a word is missing here", "-"),
            ("a ()", "a word is missing here", ")"),
            ("ph*to", "a star stands at the end of a word only", "*"),
            (":-)", "there is no letter or digit in it", ":-"),
            ("*", "there is no letter or digit in it", "*"),
        ] {
            let error = Query::parse(source).unwrap_err();
            assert_eq!((error.message.as_str(), &source[error.range.clone()]), (message, place), "{source}");
        }
        assert!(Query::parse(&"(".repeat(500)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_query_that_sqlite_takes_or_an_error_with_a_place(source in "[a-c *\"()ORAND@\u{e9}\u{2615}-]{0,24}") {
            match Query::parse(&source) {
                Ok(query) => {
                    let connection = rusqlite::Connection::open_in_memory().unwrap();
                    connection.execute_batch("CREATE VIRTUAL TABLE t USING fts5(a, content='')").unwrap();
                    let found = connection.query_row("SELECT count(*) FROM t WHERE t MATCH ?1", [query.fts()], |_| Ok(()));
                    prop_assert!(found.is_ok(), "{source:?} -> {}: {found:?}", query.fts());
                }
                Err(error) => prop_assert!(source.get(error.range).is_some()),
            }
        }
    }
}
