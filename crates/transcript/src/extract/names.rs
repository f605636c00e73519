//! Names for files that came from strangers.

use std::collections::HashSet;

use crate::screen::is_deceptive;

/// Longest name in bytes, so that `.partial` and a number fit into what file systems allow.
const LONGEST: usize = 160;
/// Longest extension that is kept when a name is cut.
const LONGEST_EXTENSION: usize = 16;
/// What Windows takes for devices, whatever follows a dot.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];

/// The names given out so far; no two are the same, be it in other case.
#[derive(Debug)]
pub(super) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// Returns names of which some are taken from the start.
    pub(super) fn without(taken: &[&str]) -> Names {
        Names { taken: taken.iter().map(|&name| name.to_owned()).collect() }
    }

    /// Returns a name like `wanted` that nobody has; `mark` tells files of one name apart before numbers do.
    pub(super) fn give(&mut self, wanted: &str, mark: &str) -> String {
        let wanted = safe(wanted);
        let (stem, extension) = split(&wanted);
        let marked = |more: &str| match extension {
            "" => format!("{stem}-{more}"),
            _ => format!("{stem}-{more}.{extension}"),
        };
        let numbered = (2u64..).map(|number| marked(&format!("{mark}-{number}")));
        let mut candidates = [wanted.clone(), marked(mark)].into_iter().chain(numbered);
        let free = |name: &String| {
            let name = name.to_lowercase();
            !self.taken.contains(&name) && !self.taken.contains(&format!("{name}.partial"))
        };
        let name = candidates.find(free).expect("there are more numbers than names");
        self.taken.insert(name.to_lowercase());
        name
    }
}

/// Returns a name that is one file in one folder on any system, and shows what it is: no path, no control or direction
/// characters, no hidden file, no device, not too long.
pub(super) fn safe(name: &str) -> String {
    let last = name.trim_end_matches(['/', '\\', ' ', '.']).rsplit(['/', '\\']).next().unwrap_or_default();
    let mut clean: String = last
        .chars()
        .map(|c| match c {
            '<' | '>' | ':' | '"' | '|' | '?' | '*' => '_',
            c if is_deceptive(c) || c == '\u{fffd}' => '_',
            c => c,
        })
        .collect();
    clean = clean.trim().trim_end_matches(['.', ' ']).to_owned();
    if clean.is_empty() {
        return "unnamed".into();
    }
    if clean.starts_with(['.', '-', '~']) || is_device(&clean) {
        clean.insert(0, '_');
    }
    shorten(&clean)
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let is_port = ["com", "lpt"]
        .iter()
        .any(|port| stem.strip_prefix(port).is_some_and(|number| matches!(number.as_bytes(), [b'1'..=b'9'])));
    is_port || DEVICES.contains(&stem.as_str())
}

fn shorten(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let (stem, extension) = split(name);
    match extension {
        "" => name[..name.floor_char_boundary(LONGEST)].trim_end_matches(['.', ' ']).to_owned(),
        _ => {
            let room = LONGEST - extension.len() - 1;
            format!("{}.{extension}", stem[..stem.floor_char_boundary(room)].trim_end_matches(['.', ' ']))
        }
    }
}

/// Splits off the extension, if there is one of a usual length.
fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && (1..=LONGEST_EXTENSION).contains(&extension.len()) => {
            (stem, extension)
        }
        _ => (name, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_lead_nowhere_and_show_what_they_are() {
        for (name, expected) in [
            ("holiday.jpg", "holiday.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\system32\\cmd.exe", "cmd.exe"),
            ("/", "unnamed"),
            ("..", "unnamed"),
            ("", "unnamed"),
            (".bashrc", "_.bashrc"),
            ("-rf", "_-rf"),
            ("NUL.txt", "_NUL.txt"),
            ("com1", "_com1"),
            ("command.com", "command.com"),
            ("a\0b\nc.txt", "a_b_c.txt"),
            ("photo\u{202e}gpj.exe", "photo_gpj.exe"),
            ("what? <now>.txt", "what_ _now_.txt"),
            ("dots... ", "dots"),
            ("na\u{ef}ve \u{2615}.png", "na\u{ef}ve \u{2615}.png"),
        ] {
            assert_eq!(safe(name), expected, "{name:?}");
        }
        let long = safe(&format!("{}.jpeg", "\u{20ac}".repeat(300)));
        assert!(long.ends_with("\u{20ac}.jpeg") && long.len() <= LONGEST, "{long}");
    }

    #[test]
    fn no_two_names_are_the_same() {
        let mut names = Names::without(&["manifest.json"]);
        assert_eq!(names.give("Manifest.JSON", "1a2b"), "Manifest-1a2b.JSON");
        assert_eq!(names.give("a.txt", "1a2b"), "a.txt");
        assert_eq!(names.give("A.TXT", "1a2b"), "A-1a2b.TXT");
        assert_eq!(names.give("a.txt", "1a2b"), "a-1a2b-2.txt");
        assert_eq!(names.give("readme", "1a2b"), "readme");
        assert_eq!(names.give("readme", "3c4d"), "readme-3c4d");
    }

    proptest! {
        #[test]
        fn any_name_becomes_a_safe_one(name in any::<String>(), again in any::<String>()) {
            let name = safe(&(name + &again));
            prop_assert!(!name.is_empty() && name.len() <= LONGEST + 1);
            prop_assert!(!name.contains(['/', '\\', ':', '\0']) && !name.starts_with('.') && !name.ends_with(['.', ' ']));
            prop_assert!(!name.chars().any(char::is_control));
            prop_assert_eq!(safe(&name), name);
        }
    }
}
