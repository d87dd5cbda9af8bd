//! Files of objects: reading them, and telling where in a file the server's complaint belongs.
//! The server decides what is valid; this module only finds the line and suggests what to write.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;

use machinery::decode;
use serde_json::Value;

use crate::hint;

/// One object of a file.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    /// The file as it was named.
    pub(crate) file: String,
    /// Where the object begins, from 1.
    pub(crate) line: usize,
    /// The object.
    pub(crate) value: Value,
    lines: BTreeMap<String, usize>,
}

/// A file or an object that cannot be used.
#[derive(Debug)]
pub(crate) struct Invalid {
    file: String,
    line: Option<usize>,
    what: String,
    hint: Option<String>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.what)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Invalid {}

/// Reads all objects of all files, in order; lists are taken apart. `-` is standard input.
pub(crate) fn read(files: &[String]) -> Result<Vec<Manifest>, Invalid> {
    let mut manifests = Vec::new();
    for file in files {
        let text = text(file)?;
        let documents = decode::yaml_documents(&text).map_err(|error| Invalid {
            file: file.clone(),
            line: error.line,
            what: error.message,
            hint: None,
        })?;
        for document in documents {
            let manifest = Manifest {
                file: file.clone(),
                line: document.line,
                value: document.value,
                lines: document.lines,
            };
            if let Some(path) = document.duplicates.first() {
                let hint = Some("keep one of them".to_owned());
                let what = format!("{path}: this field is there twice");
                return Err(Invalid { line: manifest.line_of(path), file: file.clone(), what, hint });
            }
            manifest.checked()?.take_apart(&mut manifests)?;
        }
    }
    Ok(manifests)
}

fn text(file: &str) -> Result<String, Invalid> {
    let mut text = String::new();
    let read = if file == "-" {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|content| text = content)
    };
    let invalid = |error: std::io::Error| Invalid {
        file: file.to_owned(),
        line: None,
        what: format!("it cannot be read: {error}"),
        hint: None,
    };
    read.map_err(invalid).map(|()| text)
}

impl Manifest {
    /// Refuses what is not an object of the API at all.
    fn checked(self) -> Result<Self, Invalid> {
        for field in ["apiVersion", "kind"] {
            if self.value[field].as_str().is_none_or(str::is_empty) {
                let hint = format!("begin with `{field}: {}`", example_of(field));
                return Err(self.invalid(format!("{field}: it is missing"), Some(field), Some(hint)));
            }
        }
        Ok(self)
    }

    fn take_apart(self, into: &mut Vec<Self>) -> Result<(), Invalid> {
        if self.value["kind"] != "List" {
            into.push(self);
            return Ok(());
        }
        for (index, item) in self.value["items"].as_array().into_iter().flatten().enumerate() {
            let path = format!("items[{index}]");
            let lines = self.lines.iter();
            let lines = lines
                .filter_map(|(at, line)| Some((at.strip_prefix(&format!("{path}."))?.to_owned(), *line)));
            let line = self.line_of(&path).unwrap_or(self.line);
            let manifest =
                Self { file: self.file.clone(), line, value: item.clone(), lines: lines.collect() };
            into.push(manifest.checked()?);
        }
        Ok(())
    }

    /// Names the object: `PipelineRun hello`.
    pub(crate) fn title(&self) -> String {
        let metadata = &self.value["metadata"];
        let name =
            metadata["name"].as_str().or_else(|| metadata["generateName"].as_str()).unwrap_or_default();
        format!("{} {name}", self.value["kind"].as_str().unwrap_or_default())
    }

    /// Turns the server's words about this object into a complaint about a line of the file.
    pub(crate) fn refused(&self, message: &str) -> Invalid {
        let message = without_envelope(message);
        let field = hint::fields(message).into_iter().find(|field| self.line_of(field).is_some());
        let hint = hint::for_message(message, &self.value);
        self.invalid(format!("{}: {message}", self.title()), field.as_deref(), hint)
    }

    fn invalid(&self, what: String, field: Option<&str>, hint: Option<String>) -> Invalid {
        let line = field.and_then(|field| self.line_of(field)).unwrap_or(self.line);
        Invalid { file: self.file.clone(), line: Some(line), what, hint }
    }

    /// The line of a field, or of the nearest thing around it that stands in the file.
    fn line_of(&self, path: &str) -> Option<usize> {
        let path = hint::indexed(path, &self.value);
        let mut path = path.as_str();
        loop {
            if let Some(line) = self.lines.get(path) {
                return Some(*line);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}

fn example_of(field: &str) -> &'static str {
    if field == "kind" { "PipelineRun" } else { "tekton.dev/v1" }
}

/// The part of a webhook's refusal that concerns the user.
fn without_envelope(message: &str) -> &str {
    message.split_once("denied the request: ").map_or(message, |(_, rest)| {
        let rest = rest.strip_prefix("validation failed: ").unwrap_or(rest);
        rest.strip_prefix("mutation failed: ").unwrap_or(rest)
    })
}
