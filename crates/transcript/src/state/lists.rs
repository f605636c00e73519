//! What is told around the contacts: `SYN`, `GTC`, `BLP`, `PRP`, and the groups of `LSG`, `ADG`, `RMG` and `REG`.

use msnp::Version;

use super::line::Line;
use super::{SessionState, text};

impl SessionState {
    pub(super) fn told_setting(&mut self, line: &Line<'_>) {
        match line.command.verb().as_bytes() {
            // with counts, the list follows as a whole
            b"SYN" if line.get("contacts").is_some() => {
                self.contacts.clear();
                self.groups.clear();
            }
            b"GTC" => self.prompt = line.token("prompt").or(self.prompt.take()),
            b"BLP" => self.privacy = line.token("privacy").or(self.privacy.take()),
            b"PRP" if line.get("key") == Some(b"MFN") => {
                self.friendly_name = line.text("value").or(self.friendly_name.take());
            }
            b"LSG" => {
                if line.get("index") == Some(b"1") {
                    self.groups.clear();
                }
                self.name_group(line.token("group_id").or_else(|| line.token("group_guid")), line.text("group_name"));
            }
            b"ADG" => self.name_group(line.token("group_id_or_guid"), line.text("group_name")),
            b"REG" => {
                // the two forms look alike: number and name to MSNP9, name and GUID from MSNP10 on
                let (group, name) = match line.scope.version {
                    Some(version) if version < Version(10) => (2, 3),
                    _ => (3, 2),
                };
                let argument = |index| line.command.argument(index);
                self.name_group(argument(group).map(text::token), argument(name).map(text::decoded));
            }
            b"RMG" => {
                let Some(group) = line.token("group_id_or_guid") else { return };
                self.groups.remove(&group);
                for contact in self.contacts.values_mut() {
                    contact.groups.remove(&group);
                }
            }
            _ => {}
        }
    }

    fn name_group(&mut self, group: Option<String>, name: Option<String>) {
        let (Some(group), Some(name)) = (group, name) else { return };
        if self.groups.len() >= MOST_GROUPS && !self.groups.contains_key(&group) {
            self.left_out += 1;
            return;
        }
        self.groups.insert(group, name);
    }
}

/// A session keeps no more groups than these.
pub(super) const MOST_GROUPS: usize = 1000;
