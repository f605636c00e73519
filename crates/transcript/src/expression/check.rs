//! What can be told of an expression before it meets a command: functions that do not exist, unlike things that are
//! compared, something that is no condition, names that no argument has.
//!
//! What is not known (an element of a list, the value of a macro) is let pass.

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, operators};

/// What a part of an expression is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Text,
    Number,
    Flag,
    /// A list of texts.
    Texts,
    /// A map from names to texts.
    Named,
    Unknown,
}

/// What is wrong, in which part, and what to do.
pub(super) struct Complaint {
    pub(super) message: String,
    /// A word of the expression; none: all of it.
    pub(super) word: Option<String>,
    pub(super) help: Option<String>,
}

/// Checks a condition whose variables are of these kinds. Returns the names of arguments that it asks for.
pub(super) fn condition(expression: &IdedExpr, variables: fn(&str) -> Kind) -> Result<Vec<String>, Complaint> {
    let mut check = Check { variables, bound: Vec::new(), arguments: Vec::new() };
    let kind = check.kind(expression)?;
    check.flag(kind, expression)?;
    Ok(check.arguments)
}

/// Returns how deeply an expression is nested, or where that is too deep, or a chain of operators too long: parser and
/// evaluation go down one level for each, and a stack ends.
pub(super) fn depth(source: &str) -> Result<usize, usize> {
    let (mut depth, mut deepest, mut chain) = (0usize, 0usize, 0usize);
    let mut quote = None;
    let mut bytes = source.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match (quote, byte) {
            (Some(_), b'\\') => drop(bytes.next()),
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'(' | b'[' | b'{') => {
                depth += 1;
                chain += usize::from(byte == b'[');
            }
            (None, b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            // what stands behind the colon is within it
            (None, b'?') => depth += 1,
            (None, b'+' | b'-' | b'*' | b'/' | b'%' | b'.' | b'!') => chain += 1,
            (None, _) => {}
        }
        deepest = deepest.max(depth);
        if depth > MOST_DEPTH || chain > MOST_CHAINED {
            return Err(at);
        }
    }
    Ok(deepest)
}

/// Brackets within each other, and operators one after the other.
const MOST_DEPTH: usize = 64;
const MOST_CHAINED: usize = 200;

struct Check {
    variables: fn(&str) -> Kind,
    /// Names that macros around this place have given.
    bound: Vec<String>,
    arguments: Vec<String>,
}

impl Check {
    fn kind(&mut self, expression: &IdedExpr) -> Result<Kind, Complaint> {
        Ok(match &expression.expr {
            Expr::Ident(name) if self.bound.contains(name) || name.starts_with('@') => Kind::Unknown,
            Expr::Ident(name) => (self.variables)(name),
            Expr::Literal(literal) => match literal {
                LiteralValue::String(_) => Kind::Text,
                LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_) => Kind::Number,
                LiteralValue::Boolean(_) => Kind::Flag,
                LiteralValue::Bytes(_) | LiteralValue::Null => Kind::Unknown,
            },
            Expr::Select(select) => {
                let whole = self.kind(&select.operand)?;
                match (&select.operand.expr, whole) {
                    (Expr::Ident(name), Kind::Named) if name == "arg" => self.argument(&select.field)?,
                    (_, Kind::Text | Kind::Number | Kind::Flag | Kind::Texts) => {
                        return Err(complain(
                            format!("{} is {} and has no `{}`", describe(&select.operand), whole.name(), select.field),
                            Some(&select.field),
                            None,
                        ));
                    }
                    _ => {}
                }
                match (select.test, whole) {
                    (true, _) => Kind::Flag,
                    (false, Kind::Named) => Kind::Text,
                    _ => Kind::Unknown,
                }
            }
            Expr::List(list) => {
                list.elements.iter().try_for_each(|element| self.kind(element).map(drop))?;
                Kind::Unknown
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.kind(&entry.key)?;
                        self.kind(&entry.value)?;
                    }
                }
                Kind::Unknown
            }
            Expr::Comprehension(inner) => {
                self.kind(&inner.iter_range)?;
                let before = self.bound.len();
                self.bound.extend([inner.iter_var.clone(), inner.accu_var.clone()]);
                self.bound.extend(inner.iter_var2.clone());
                for part in [&inner.accu_init, &inner.loop_cond, &inner.loop_step, &inner.result] {
                    self.kind(part)?;
                }
                self.bound.truncate(before);
                Kind::Unknown
            }
            Expr::Call(call) => {
                let target = call.target.as_deref().map(|target| self.kind(target)).transpose()?;
                let kinds = call.args.iter().map(|part| self.kind(part)).collect::<Result<Vec<Kind>, _>>()?;
                match (call.func_name.as_str(), &call.args[..], &kinds[..]) {
                    (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT, parts, kinds) => {
                        parts.iter().zip(kinds).try_for_each(|(part, kind)| self.flag(*kind, part))?;
                        Kind::Flag
                    }
                    (name, [left, right], [a, b]) if COMPARISONS.contains(&name) => {
                        self.alike((*a, left), (*b, right))?;
                        Kind::Flag
                    }
                    (operators::IN, _, _) | (operators::NOT_STRICTLY_FALSE, _, _) => Kind::Flag,
                    (operators::INDEX, _, [Kind::Texts | Kind::Named, _]) => Kind::Text,
                    (operators::CONDITIONAL, [condition, ..], [kind, a, b]) => {
                        self.flag(*kind, condition)?;
                        if a == b { *a } else { Kind::Unknown }
                    }
                    (name, _, kinds) if !name.starts_with(|c: char| c.is_ascii_alphabetic()) => match kinds {
                        [a, b] if a == b => *a,
                        [a] => *a,
                        _ => Kind::Unknown,
                    },
                    (name, _, _) => self.function(name, call.target.as_deref().zip(target))?,
                }
            }
            _ => Kind::Unknown,
        })
    }

    fn function(&self, name: &str, target: Option<(&IdedExpr, Kind)>) -> Result<Kind, Complaint> {
        let Some((_, is_method, kind)) = FUNCTIONS.iter().find(|(own, ..)| *own == name) else {
            let names = FUNCTIONS.iter().map(|(name, ..)| *name);
            let help = match super::closest(name, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "functions are contains, startsWith, endsWith, matches, size, has, exists, all and those of CEL"
                        .to_owned()
                }
            };
            return Err(complain(format!("unknown function `{name}`"), Some(name), Some(help)));
        };
        match target {
            Some((target, kind)) if *is_method && !matches!(kind, Kind::Text | Kind::Unknown) => {
                let help = "join its parts first, or take one: args[0]".to_owned();
                let help = matches!(kind, Kind::Texts | Kind::Named).then_some(help);
                let message = format!("{} is {}: `{name}` is for texts", describe(target), kind.name());
                Err(complain(message, Some(name), help))
            }
            _ => Ok(*kind),
        }
    }

    fn argument(&mut self, name: &str) -> Result<(), Complaint> {
        let known = msnp::argument::all_names();
        if !known.contains(&name) {
            let help = match super::closest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`mitmsn explain VERB` lists the names of a verb's arguments".to_owned(),
            };
            return Err(complain(format!("no command has an argument `{name}`"), Some(name), Some(help)));
        }
        self.arguments.push(name.to_owned());
        Ok(())
    }

    fn flag(&self, kind: Kind, part: &IdedExpr) -> Result<(), Complaint> {
        if matches!(kind, Kind::Flag | Kind::Unknown) {
            return Ok(());
        }
        let help = match kind {
            Kind::Number => "compare it: ... > 0",
            Kind::Text => "compare it: ... == \"...\"",
            _ => "ask for something in it",
        };
        let message = format!("{} is {} and no condition", describe(part), kind.name());
        Err(complain(message, name_in(part), Some(help.to_owned())))
    }

    fn alike(&self, (a, left): (Kind, &IdedExpr), (b, right): (Kind, &IdedExpr)) -> Result<(), Complaint> {
        if a == b || matches!(a, Kind::Unknown) || matches!(b, Kind::Unknown) {
            return Ok(());
        }
        let help = match name_in(left).or(name_in(right)) {
            Some("version") => Some("version == 8 is MSNP8".to_owned()),
            _ if a == Kind::Text && b == Kind::Number => Some("write the number as a text: \"5\"".to_owned()),
            _ => None,
        };
        let (left_name, right_name) = (describe(left), describe(right));
        let message = format!("{left_name} is {} and {right_name} is {}: never alike", a.name(), b.name());
        Err(complain(message, name_in(left).or(name_in(right)), help))
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Text => "a text",
            Kind::Number => "a number",
            Kind::Flag => "true or false",
            Kind::Texts => "a list",
            Kind::Named => "a map",
            Kind::Unknown => "unknown",
        }
    }
}

fn complain(message: String, word: Option<&str>, help: Option<String>) -> Complaint {
    Complaint { message, word: word.map(str::to_owned), help }
}

/// Returns a name that stands in a part of an expression.
fn name_in(part: &IdedExpr) -> Option<&str> {
    match &part.expr {
        Expr::Ident(name) => Some(name),
        Expr::Select(select) => Some(&select.field),
        Expr::Call(call) => call.target.iter().map(|target| &**target).chain(&call.args).find_map(name_in),
        _ => None,
    }
}

fn describe(part: &IdedExpr) -> String {
    match &part.expr {
        Expr::Ident(name) => format!("`{name}`"),
        Expr::Select(select) => format!("`{}`", select.field),
        Expr::Literal(LiteralValue::String(text)) => format!("{:?}", text.inner()),
        Expr::Literal(_) => "what stands there".to_owned(),
        Expr::Call(call) if call.func_name.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            format!("the result of `{}`", call.func_name)
        }
        _ => "the result".to_owned(),
    }
}

/// Operators that need two things of one kind.
const COMPARISONS: [&str; 6] = [
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER,
    operators::GREATER_EQUALS,
    operators::LESS,
    operators::LESS_EQUALS,
];

/// The functions of CEL: name, whether it belongs to texts, what it returns.
const FUNCTIONS: &[(&str, bool, Kind)] = &[
    ("contains", true, Kind::Flag),
    ("startsWith", true, Kind::Flag),
    ("endsWith", true, Kind::Flag),
    ("matches", true, Kind::Flag),
    ("size", false, Kind::Number),
    ("int", false, Kind::Number),
    ("uint", false, Kind::Number),
    ("double", false, Kind::Number),
    ("string", false, Kind::Text),
    ("bool", false, Kind::Flag),
    ("bytes", false, Kind::Unknown),
    ("type", false, Kind::Unknown),
    ("dyn", false, Kind::Unknown),
    ("duration", false, Kind::Unknown),
    ("timestamp", false, Kind::Unknown),
    ("getFullYear", false, Kind::Number),
    ("getMonth", false, Kind::Number),
    ("getDate", false, Kind::Number),
    ("getDayOfMonth", false, Kind::Number),
    ("getDayOfWeek", false, Kind::Number),
    ("getDayOfYear", false, Kind::Number),
    ("getHours", false, Kind::Number),
    ("getMinutes", false, Kind::Number),
    ("getSeconds", false, Kind::Number),
    ("getMilliseconds", false, Kind::Number),
];
