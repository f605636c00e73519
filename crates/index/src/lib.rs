//! A searchable index beside transcripts: SQLite with FTS5.
//!
//! The transcripts are the record; the index only says which words stand where, and can be deleted and made anew at any
//! time. [`Index::update`] brings it up to date with a folder, from where it stopped in each file. [`Query`] is what people
//! search for, [`Index::search`] finds it and reads the commands back from the transcripts. These are never written to.

mod batch;
mod database;
mod error;
mod highlight;
mod query;
mod search;
mod time;
mod update;
mod words;

pub use database::{Index, Wait};
pub use error::IndexError;
pub use highlight::highlight;
pub use query::{Query, QueryError, Term};
pub use search::{Hit, Outcome, Search};
pub use time::Period;
pub use update::{Progress, Report};
