//! Invariants of the source tree that no compiler checks: file sizes, where `unsafe`, the
//! environment, the clock and Parquet may be used, names of package registries, and reference
//! pages that match their tables.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::docs;

/// Lines that a source file may have. Tables are excepted by name, with the reason.
const LINES_MAX: usize = 500;
const TABLES: &[(&str, &str)] = &[
    ("crates/weir-model/src/columns.rs", "the column table"),
    ("crates/weir-registry/src/generated.rs", "generated from registry data"),
    ("crates/weir-registry/src/table.rs", "generated from registry data"),
];

/// A word that may stand only in files whose path starts with one of the prefixes.
struct Rule {
    word: &'static str,
    allowed: &'static [&'static str],
    why: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        word: "unsafe {",
        allowed: &[
            "crates/weir-ingest/src/sys",
            "crates/weir-meter/src/bpf/sys",
            "crates/weir-meter/src/sys",
            "bench/src/sys",
            "bench/peers/src/sys",
        ],
        why: "unsafe code lives in the sys modules only",
    },
    Rule {
        word: "env::var",
        allowed: &[
            "crates/weir/",
            "crates/weir-testkit/",
            // A build script is told everything by its environment.
            "crates/weir-meter/build.rs",
            "bench/",
            "xtask/",
        ],
        why: "only the binary reads the environment",
    },
    Rule {
        word: "SystemTime::now",
        allowed: &["crates/weir-model/src/clock.rs", "bench/"],
        why: "time comes through an injected Clock",
    },
    Rule {
        word: "use parquet::",
        allowed: &["crates/weir-sink/src/parquet"],
        why: "Parquet is known to one module",
    },
];

/// Hosts of package registries: which one is asked is a matter of the machine, not of the project.
/// In two parts, so that this file names none either.
const REGISTRIES: &[(&str, &str)] = &[
    ("registry", "npmjs.org"),
    ("registry", "yarnpkg.com"),
    ("registry", "npmmirror.com"),
    ("index", "crates.io"),
];

/// Fails with every violation found.
pub fn run() -> Result<()> {
    let mut found = Vec::new();
    let mut files = Vec::new();
    for root in ["crates", "bench", "xtask", "fuzz"] {
        collect(Path::new(root), &mut files)?;
    }
    files.sort();
    for path in &files {
        let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
        let name = path.to_string_lossy().into_owned();
        let lines = text.lines().count();
        if lines > LINES_MAX && !TABLES.iter().any(|(table, _)| *table == name) && !is_test(&name) {
            found.push(format!(
                "{name}: {lines} lines, {LINES_MAX} are allowed: split it by subject"
            ));
        }
        check_words(&name, &text, &mut found);
    }
    docs::check(&mut found)?;
    check_registries(&mut found)?;
    for line in &found {
        eprintln_line(line);
    }
    ensure!(found.is_empty(), "{} invariants are broken", found.len());
    Ok(())
}

fn check_words(name: &str, text: &str, found: &mut Vec<String>) {
    // Tests and examples may do what they need; this file names the words.
    if is_test(name) || name.ends_with("xtask/src/check.rs") || name.contains("/examples/") {
        return;
    }
    for rule in RULES.iter().filter(|rule| !rule.allowed.iter().any(|a| name.starts_with(a))) {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (i, line) in code.lines().enumerate() {
            if line.contains(rule.word) && !line.trim_start().starts_with("//") {
                found.push(format!("{name}:{}: `{}`: {}", i + 1, rule.word, rule.why));
            }
        }
    }
}

/// No tracked file but `Cargo.lock` names a registry's host, and `package-lock.json` no address at
/// all. Without git there are no tracked files to look at, and that is said.
fn check_registries(found: &mut Vec<String>) -> Result<()> {
    let listed = Command::new("git").args(["ls-files", "-z"]).output();
    let Some(listed) = listed.ok().filter(|listed| listed.status.success()) else {
        eprintln_line("SKIPPED names of registries: git lists no files here");
        return Ok(());
    };
    let hosts: Vec<String> = REGISTRIES.iter().map(|(of, site)| format!("{of}.{site}")).collect();
    for name in String::from_utf8_lossy(&listed.stdout).split('\0') {
        // What is no text, or deleted and not committed, names none.
        if matches!(name, "" | "Cargo.lock") {
            continue;
        }
        let Ok(text) = fs::read_to_string(name) else { continue };
        let is_lock = name.ends_with("package-lock.json");
        for (i, line) in text.lines().enumerate() {
            let host = hosts.iter().find(|host| line.contains(*host));
            if let Some(host) = host {
                found.push(format!("{name}:{}: `{host}`: no registry is named", i + 1));
            } else if is_lock && line.contains("\"resolved\": \"http") {
                found.push(format!(
                    "{name}:{}: an address: `npm install` with ui/.npmrc writes none",
                    i + 1
                ));
            }
        }
    }
    Ok(())
}

fn is_test(name: &str) -> bool {
    name.ends_with("tests.rs") || name.contains("/tests/") || name.contains("/fixtures/")
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|end| end == "rs" || end == "c" || end == "h") {
            files.push(path);
        }
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "a command's findings go to its terminal")]
fn eprintln_line(line: &str) {
    eprintln!("{line}");
}
