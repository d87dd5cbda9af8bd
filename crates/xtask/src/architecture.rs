//! What the compiler does not check: crates depend on lower layers only, cores are pure, files are headed
//! and of a size that a reader can hold.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::run::{output, root};

/// The layer of every crate; a crate may depend on crates of lower layers, and on those of its own layer
/// that stand in [`SAME_LAYER`]. The development crates may depend on everything.
const LAYERS: &[(&str, u8)] = &[
    ("types", 0),
    ("api", 0),
    ("machinery", 1),
    ("policy", 1),
    ("pipeline", 1),
    ("sandbox", 1),
    ("store", 2),
    ("client", 2),
    ("archive", 2),
    ("registry", 2),
    ("linux", 2),
    ("apiserver", 3),
    ("controllers", 3),
    ("node", 3),
    ("psvc", 4),
    ("bench", 9),
    ("testkit", 9),
    ("xtask", 9),
];

/// Arrows within one layer, each with a reason.
const SAME_LAYER: &[(&str, &str, &str)] = &[("api", "types", "objects are made of the words in `types`")];

/// Crates without I/O, clock, randomness and async.
const PURE: &[&str] = &["types", "api", "machinery", "policy", "pipeline", "sandbox"];

/// What a pure crate may not mention, and what to do instead.
const IMPURE: &[(&str, &str)] = &[
    ("async fn", "cores are synchronous; move it to a shell"),
    ("std::fs", "give the content as an argument"),
    ("TcpStream", "cores do not open connections"),
    ("UdpSocket", "cores do not open connections"),
    ("ToSocketAddrs", "cores do not resolve names"),
    ("std::process", "cores do not start programs"),
    ("std::env", "give the setting as an argument"),
    ("std::thread", "cores do not start threads"),
    ("SystemTime::now", "give the time as an argument"),
    ("Instant::now", "give the time as an argument"),
    ("Timestamp::now", "give the time as an argument"),
    ("Zoned::now", "give the time as an argument"),
    ("fastrand::", "give the randomness as an argument"),
    ("Uuid::new_v4", "give the id as an argument"),
    ("tokio::", "cores are synchronous; move it to a shell"),
];

const LINES_MAX: usize = 1_000;

/// Checks all of it; the error lists every violation.
pub(crate) fn check() -> Result<(), String> {
    let mut violations = Vec::new();
    violations.extend(direction()?);
    violations.extend(purity()?);
    violations.extend(sources()?);
    if violations.is_empty() { Ok(()) } else { Err(format!("architecture:\n  {}", violations.join("\n  "))) }
}

fn direction() -> Result<Vec<String>, String> {
    let metadata = output("cargo", &["metadata", "--format-version", "1", "--no-deps"])?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let layers: BTreeMap<&str, u8> = LAYERS.iter().copied().collect();
    let mut violations = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(layer) = layers.get(name) else {
            violations.push(format!("crate `{name}` has no layer: add it to the table in xtask"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let target = dependency["name"].as_str().unwrap_or_default();
            // A development dependency is no arrow of the product.
            let (true, Some(below)) = (dependency["kind"].is_null(), layers.get(target)) else { continue };
            let listed = SAME_LAYER.iter().any(|(from, to, _)| *from == name && *to == target);
            if *layer < 9 && below >= layer && !listed {
                violations.push(format!("`{name}` (layer {layer}) depends on `{target}` (layer {below})"));
            }
        }
    }
    Ok(violations)
}

fn purity() -> Result<Vec<String>, String> {
    let mut violations = Vec::new();
    for name in PURE {
        let tree = output("cargo", &["tree", "--package", name, "--edges", "normal", "--prefix", "none"])?;
        if let Some(line) = tree.lines().find(|line| line.starts_with("tokio v")) {
            violations.push(format!("pure crate `{name}` depends on {line}"));
        }
        for path in rust_files(&root().join("crates").join(name).join("src"))? {
            let text = read(&path)?;
            // Unit tests stand at the end of a file and may do as they like.
            let product = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in product.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                for (word, instead) in IMPURE.iter().filter(|(word, _)| code.contains(word)) {
                    violations.push(format!("{}:{}: `{word}`: {instead}", shown(&path), number + 1));
                }
            }
        }
    }
    Ok(violations)
}

fn sources() -> Result<Vec<String>, String> {
    let mut violations = Vec::new();
    for path in rust_files(&root().join("crates"))? {
        let text = read(&path)?;
        if !text.starts_with("//!") {
            violations.push(format!("{}: begin with a `//!` header", shown(&path)));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            violations.push(format!("{}: {lines} lines; split it below {LINES_MAX}", shown(&path)));
        }
        let crate_is_linux = path.starts_with(root().join("crates/linux"));
        if !crate_is_linux && text.contains(concat!("unsafe", " {")) {
            violations.push(format!("{}: `unsafe` belongs in crate `linux`", shown(&path)));
        }
    }
    Ok(violations)
}

fn rust_files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_path_buf()];
    while let Some(directory) = waiting.pop() {
        let entries =
            std::fs::read_dir(&directory).map_err(|e| format!("read {}: {e}", shown(&directory)))?;
        for entry in entries {
            let path = entry.map_err(|e| format!("read {}: {e}", shown(&directory)))?.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("read {}: {error}", shown(path)))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
