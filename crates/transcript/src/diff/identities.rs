//! What stands for what: identifiers of one session that the other has others for.

use std::collections::{HashMap, HashSet};

use super::volatile::Kind;

/// A relation of identifiers, one to one for each kind. What breaks it is told once.
#[derive(Debug, Default)]
pub(super) struct Identities {
    forward: HashMap<(Kind, Vec<u8>), Vec<u8>>,
    backward: HashMap<(Kind, Vec<u8>), Vec<u8>>,
    told: HashSet<(Kind, Vec<u8>, Vec<u8>)>,
}

impl Identities {
    /// Learns that `a` stands where the other session has `b`. Returns what is wrong with that, in words, unless it was
    /// returned before.
    pub(super) fn pair(&mut self, kind: Kind, a: &[u8], b: &[u8]) -> Option<String> {
        let (a, b) = (normal(a), normal(b));
        let forward = self.forward.get(&(kind, a.clone()));
        let backward = self.backward.get(&(kind, b.clone()));
        let (problem, known) = match (forward, backward) {
            (Some(other), _) if *other == b => return None,
            (None, None) => {
                self.forward.insert((kind, a.clone()), b.clone());
                self.backward.insert((kind, b), a);
                return None;
            }
            (Some(other), _) => (format!("stood for {}", shown(other)), true),
            (None, Some(other)) => (format!("stood for {}", shown(other)), false),
        };
        let text = match known {
            true => format!("{} of A {problem} of B before", shown(&a)),
            false => format!("{} of B {problem} of A before", shown(&b)),
        };
        self.told.insert((kind, a, b)).then_some(text)
    }
}

fn normal(value: &[u8]) -> Vec<u8> {
    let value = value.strip_prefix(b"{").and_then(|value| value.strip_suffix(b"}")).unwrap_or(value);
    value.to_ascii_lowercase()
}

fn shown(value: &[u8]) -> String {
    crate::screen::printable(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_for_one_and_a_break_is_told_once() {
        let mut known = Identities::default();
        assert_eq!(known.pair(Kind::Cookie, b"1.2", b"3.4"), None);
        assert_eq!(known.pair(Kind::Cookie, b"1.2", b"3.4"), None);
        assert_eq!(known.pair(Kind::Session, b"1.2", b"9"), None);
        let broken = known.pair(Kind::Cookie, b"1.2", b"5.6");
        assert_eq!(broken.as_deref(), Some("1.2 of A stood for 3.4 of B before"));
        assert_eq!(known.pair(Kind::Cookie, b"1.2", b"5.6"), None);
        let broken = known.pair(Kind::Cookie, b"7.8", b"3.4");
        assert_eq!(broken.as_deref(), Some("3.4 of B stood for 1.2 of A before"));
        assert_eq!(known.pair(Kind::Guid, b"{AB}", b"cd"), None);
        assert_eq!(known.pair(Kind::Guid, b"ab", b"{CD}"), None);
    }
}
