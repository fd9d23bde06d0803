//! The layers of the configuration: defaults, then one file, then the environment, then `--set`.
//! Later layers win key by key. Every problem is reported, with the place it came from.

use std::fmt;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::words::nearest;
use super::{Config, SECTIONS};

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Line of a file, from 1.
    File { path: String, line: usize },
    /// Environment variable.
    Environment(String),
    /// A `--set` or another flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, line } => write!(f, "{path}:{line}"),
            Origin::Environment(name) => write!(f, "environment {name}"),
            Origin::Flag(text) => write!(f, "{text}"),
        }
    }
}

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it was given.
    pub origin: Origin,
    /// What is wrong and what to write instead.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.text)
    }
}

/// All that is wrong with the configuration, one problem a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// Collects the layers; [`Layers::finish`] gives the configuration or everything wrong with it.
#[derive(Debug, Default)]
pub struct Layers {
    config: Config,
    origins: Vec<(String, Origin)>,
    problems: Vec<Problem>,
}

impl Layers {
    /// Adds a TOML file's text. `path` is only for messages.
    pub fn file(&mut self, path: &Path, text: &str) {
        let origin = |offset: usize| Origin::File {
            path: path.display().to_string(),
            line: 1 + text.bytes().take(offset).filter(|&octet| octet == b'\n').count(),
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            self.problem(origin(at), error.message().to_owned());
        }
        if !errors.is_empty() {
            return;
        }
        for (section, keys) in table.get_ref() {
            let at = origin(section.span().start);
            let section = section.get_ref().as_ref();
            let DeValue::Table(keys) = keys.get_ref() else {
                self.problem(at, not_a_section(section));
                continue;
            };
            if !SECTIONS.iter().any(|known| known.name == section) {
                self.problem(at, unknown_section(section));
                continue;
            }
            for (key, value) in keys {
                let at = origin(key.span().start);
                let path = format!("{section}.{}", key.get_ref());
                match plain(value.get_ref()) {
                    Some(value) => self.set(&path, value, at, false),
                    None => self.problem(at, format!("{path}: a table cannot stand here")),
                }
            }
        }
    }

    /// Adds environment variables: those whose name is `WEIR_SECTION__KEY`.
    pub fn environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        let mut ours: Vec<_> = variables
            .filter_map(|(name, value)| {
                let (section, key) = name.strip_prefix("WEIR_")?.split_once("__")?;
                let path = format!("{section}.{key}").to_lowercase();
                Some((path, value, name))
            })
            .collect();
        ours.sort();
        for (path, value, name) in ours {
            self.set(&path, toml::Value::String(value), Origin::Environment(name), true);
        }
    }

    /// Adds one `section.key=value` of `--set`.
    pub fn assignment(&mut self, text: &str) {
        let origin = Origin::Flag(format!("--set {text}"));
        match text.split_once('=') {
            Some((path, value)) => {
                self.set(path.trim(), toml::Value::String(value.trim().to_owned()), origin, true);
            }
            None => self.problem(origin, "expected section.key=value".to_owned()),
        }
    }

    /// Adds what a flag of its own says about `path`, such as `--http` about `http.listen`.
    pub fn flag(&mut self, flag: &str, path: &str, value: &str) {
        let origin = Origin::Flag(format!("{flag} {value}"));
        self.set(path, toml::Value::String(value.to_owned()), origin, true);
    }

    /// Where the value of `path` came from; `None` for a default.
    pub fn origin(&self, path: &str) -> Option<&Origin> {
        self.origins.iter().rev().find(|(known, _)| known == path).map(|(_, origin)| origin)
    }

    /// Notes a problem that only the meaning of `path` shows, at the place that set it.
    pub fn refuse(&mut self, path: &str, text: String) {
        let origin = self.origin(path).cloned();
        let origin = origin.unwrap_or_else(|| Origin::Flag(format!("default of {path}")));
        self.problem(origin, format!("{path}: {text}"));
    }

    /// What the layers say so far.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The merged configuration.
    pub fn finish(self) -> Result<Config, Problems> {
        if self.problems.is_empty() { Ok(self.config) } else { Err(Problems(self.problems)) }
    }

    fn set(&mut self, path: &str, value: toml::Value, origin: Origin, is_text: bool) {
        match self.config.set(path, value, is_text) {
            Ok(true) => self.origins.push((path.to_owned(), origin)),
            Ok(false) => self.problem(origin, unknown_key(path)),
            Err(text) => self.problem(origin, format!("{path}: {text}")),
        }
    }

    fn problem(&mut self, origin: Origin, text: String) {
        self.problems.push(Problem { origin, text });
    }
}

fn plain(value: &DeValue<'_>) -> Option<toml::Value> {
    Some(match value {
        DeValue::String(text) => toml::Value::String(text.as_ref().to_owned()),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            parsed.map_or_else(|_| toml::Value::String(number.to_string()), toml::Value::Integer)
        }
        DeValue::Float(number) => toml::Value::Float(number.as_str().parse().ok()?),
        DeValue::Boolean(flag) => toml::Value::Boolean(*flag),
        DeValue::Datetime(time) => toml::Value::Datetime(*time),
        DeValue::Array(array) => toml::Value::Array(
            array.iter().map(|value| plain(value.get_ref())).collect::<Option<_>>()?,
        ),
        DeValue::Table(_) => return None,
    })
}

fn not_a_section(name: &str) -> String {
    let keys = SECTIONS.iter().flat_map(|section| section.keys);
    match keys.map(|key| key.path).find(|path| path.ends_with(&format!(".{name}"))) {
        Some(path) => format!("`{name}` stands outside of a section; it is `{path}`"),
        None => format!("unknown key `{name}` outside of a section"),
    }
}

fn unknown_section(name: &str) -> String {
    match nearest(name, SECTIONS.iter().map(|section| section.name)) {
        Some(near) => format!("unknown section `[{name}]`; did you mean `[{near}]`?"),
        None => {
            let known: Vec<_> = SECTIONS.iter().map(|section| section.name).collect();
            format!("unknown section `[{name}]`; there are {}", known.join(", "))
        }
    }
}

fn unknown_key(path: &str) -> String {
    let keys = || SECTIONS.iter().flat_map(|section| section.keys);
    if let Some(near) = nearest(path, keys().map(|key| key.path)) {
        return format!("unknown key `{path}`; did you mean `{near}`?");
    }
    let prefix = path.split('.').next().unwrap_or_default();
    let known: Vec<_> = SECTIONS
        .iter()
        .filter(|section| section.name == prefix)
        .flat_map(|section| section.keys)
        .map(|key| key.path)
        .collect();
    match known.is_empty() {
        true => format!("unknown key `{path}`; `weir config print-default` shows every key"),
        false => format!("unknown key `{path}`; there are {}", known.join(", ")),
    }
}
