//! XML documents as paths: `ml/d[n=example.com]/c[n=bob]/@l`.

use std::borrow::Cow;
use std::collections::HashMap;

use msnp::payload::tree::Element;

use super::{Fields, Part, Value, renamed};
use crate::diff::volatile::{Kind, starts_with_guid};

impl Fields<'_> {
    /// Adds a document.
    pub(super) fn xml(&mut self, mut root: Element) {
        if root.name == "ml" {
            self.rename_members(&mut root);
        }
        let path = root.name.clone();
        let is_notification = root.name == "NOTIFICATION";
        self.element(path, &root, is_notification);
    }

    fn element(&mut self, path: String, element: &Element, is_notification: bool) {
        self.push(Part::Xml, path.clone(), Value::Whole(Cow::Owned(short(element))));
        if !element.text.is_empty() {
            let text = Cow::Owned(element.text.clone().into_bytes());
            self.push(Part::Xml, format!("{path}/text()"), Value::Plain(text));
        }
        for (name, value) in &element.attributes {
            let bytes = Cow::Owned(value.clone().into_bytes());
            let value = match name.as_str() {
                "id" if is_notification => Value::Id(Kind::Notification, bytes),
                "pid" if is_notification => Value::Id(Kind::Member, bytes),
                _ => Value::Plain(bytes),
            };
            self.push(Part::Xml, format!("{path}/@{name}"), value);
        }
        let mut counts: HashMap<String, u32> = HashMap::new();
        for child in &element.children {
            let name = named(child);
            let count = counts.entry(name.clone()).or_default();
            *count += 1;
            let path = match *count {
                1 => format!("{path}/{name}"),
                count => format!("{path}/{name}[{count}]"),
            };
            self.element(path, child, is_notification);
        }
    }

    /// Puts the members of a list under the names that they have in B.
    fn rename_members(&self, root: &mut Element) {
        let Some(accounts) = self.accounts else { return };
        let mut moved: Vec<(String, Element)> = Vec::new();
        for domain in root.children.iter_mut().filter(|child| child.name == "d") {
            let Some(host) = domain.attribute("n").map(str::to_owned) else { continue };
            domain.children.retain_mut(|member| {
                let Some(local) = member.attribute("n") else { return true };
                let address = format!("{local}@{host}");
                let other = renamed(Some(accounts), address.as_bytes());
                let other = String::from_utf8_lossy(&other).into_owned();
                let Some((local, host)) = other.split_once('@').filter(|_| other != address.to_lowercase()) else {
                    return true;
                };
                for (_, value) in member.attributes.iter_mut().filter(|(name, _)| name == "n") {
                    local.clone_into(value);
                }
                moved.push((host.to_owned(), std::mem::take(member)));
                false
            });
        }
        if moved.is_empty() {
            return;
        }
        root.children.retain(|child| child.name != "d" || !child.children.is_empty());
        for (host, member) in moved {
            let is_it = |child: &&mut Element| {
                child.name == "d" && child.attribute("n").is_some_and(|name| name.eq_ignore_ascii_case(&host))
            };
            match root.children.iter_mut().find(is_it) {
                Some(domain) => domain.children.push(member),
                None => root.children.push(Element {
                    name: "d".to_owned(),
                    attributes: vec![("n".to_owned(), host)],
                    children: vec![member],
                    text: String::new(),
                }),
            }
        }
    }
}

/// Returns the name of an element among its siblings, with the attribute that tells it from them.
fn named(element: &Element) -> String {
    let telling = ["n", "id", "name", "Name", "Id", "type"].iter().find_map(|name| {
        let value = element.attribute(name)?;
        let is_made_up = starts_with_guid(value.trim_start_matches('{').as_bytes());
        (!is_made_up && value.len() <= LONGEST).then(|| format!("{}[{name}={value}]", element.name))
    });
    telling.unwrap_or_else(|| element.name.clone())
}

/// Returns the start tag, for people.
fn short(element: &Element) -> Vec<u8> {
    let attributes: String = element.attributes.iter().map(|(name, value)| format!(" {name}=\"{value}\"")).collect();
    let end = if element.children.is_empty() && element.text.is_empty() { "/" } else { "" };
    let text = if element.children.is_empty() { element.text.as_str() } else { "" };
    format!("<{}{attributes}{end}>{text}", element.name).into_bytes()
}

/// How long a value may be to be part of a path, in bytes.
const LONGEST: usize = 100;
