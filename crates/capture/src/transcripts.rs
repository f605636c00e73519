//! .
/// .
#[derive(Debug)] pub struct Transcripts;
