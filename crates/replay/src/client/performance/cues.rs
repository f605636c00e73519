//! The recordings in order of time: what is to be said, heard and done, one after the other.

use std::time::Duration;

use super::part::Part;
use crate::script::Script;

/// Something that was seen in a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cue {
    /// When it was seen.
    pub(super) at: Duration,
    pub(super) part: usize,
    pub(super) what: What,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum What {
    /// The connection is opened, before its first command.
    Open,
    /// The client says a step.
    Say(usize),
    /// The server says a step.
    Hear(usize),
    /// The connection ends.
    Close,
}

/// Returns a part for each dialogue of each script.
pub(super) fn parts(scripts: &[Script]) -> Vec<Part> {
    let each = |(script, recorded): (usize, &Script)| {
        (0..recorded.dialogues.len()).map(move |dialogue| (script, dialogue)).collect::<Vec<_>>()
    };
    let places = scripts.iter().enumerate().flat_map(each);
    places.map(|(script, dialogue)| Part::new(script, dialogue, &scripts[script].dialogues[dialogue])).collect()
}

/// Returns all cues in order.
pub(super) fn of(scripts: &[Script], parts: &[Part]) -> Vec<Cue> {
    // time, script, number within it: what was seen at the same time was seen in the order of its recording
    let mut cues: Vec<((Duration, usize, u64), Cue)> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let dialogue = &scripts[part.script].dialogues[part.dialogue];
        let mut add = |at, seq, what| cues.push(((at, part.script, seq), Cue { at, part: index, what }));
        let mut at = Duration::ZERO;
        let mut is_open = false;
        for (step, said) in dialogue.steps.iter().enumerate() {
            // a clock may be set back, the order within a connection stays
            at = at.max(said.at);
            match said.is_request() {
                true if !is_open => {
                    is_open = true;
                    add(at, said.seq, What::Open);
                    add(at, said.seq, What::Say(step));
                }
                true => add(at, said.seq, What::Say(step)),
                // a server that speaks first is heard as soon as the client has spoken
                false => add(at, said.seq, What::Hear(step)),
            }
        }
        let end = dialogue.end.map_or(Duration::MAX, |end| end.at.max(at));
        add(end, u64::MAX, What::Close);
    }
    // the sort keeps the order of what is equal, and a connection is opened before anything is said on it
    cues.sort_by_key(|(key, _)| *key);
    cues.into_iter().map(|(_, cue)| cue).collect()
}
