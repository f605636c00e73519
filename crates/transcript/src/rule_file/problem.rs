//! What is wrong with a file, and where: shown with file, line, column and a caret.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// One problem of one file.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where, in bytes of the source; absent if the file itself is the problem.
    pub place: Option<Range<usize>>,
    /// The file's text.
    pub source: String,
}

impl Problem {
    /// Returns a problem at a place of a file, widened to whole characters.
    pub fn at(file: &Path, source: &str, place: Range<usize>, message: impl Into<String>) -> Problem {
        let end = source.ceil_char_boundary(place.end);
        let place = source.floor_char_boundary(place.start.min(end))..end;
        Problem { file: file.into(), message: message.into(), help: None, place: Some(place), source: source.into() }
    }

    /// Returns the problem of a file that cannot be read.
    pub fn of_file(file: &Path, error: &io::Error) -> Problem {
        let message = format!("cannot read {}: {error}", file.display());
        Problem { file: file.into(), message, help: None, place: None, source: String::new() }
    }

    /// Returns the problem of a file that is not TOML, or does not fit its types.
    pub fn of_toml(file: &Path, source: &str, error: &toml::de::Error) -> Problem {
        Problem::at(file, source, error.span().unwrap_or(0..0), error.message())
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: Option<String>) -> Problem {
        self.help = help;
        self
    }
}

/// Returns a problem as text with the line that it is about and a caret.
pub fn render(problem: &Problem, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let path = problem.file.display().to_string();
    let mut group = match &problem.place {
        Some(place) => Level::ERROR.primary_title(problem.message.as_str()).element(
            Snippet::source(problem.source.as_str())
                .path(path.as_str())
                .annotation(AnnotationKind::Primary.span(place.clone())),
        ),
        None => annotate_snippets::Group::with_title(Level::ERROR.primary_title(problem.message.as_str())),
    };
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group]).to_string()
}

/// Returns several problems as text, with an empty line between them.
pub fn render_all(problems: &[Problem], color: bool) -> String {
    problems.iter().map(|problem| render(problem, color)).collect::<Vec<_>>().join("\n\n")
}
