//! Stored bytes to served bytes: adds `metadata.resourceVersion` and the annotation `kcp.io/cluster` by
//! inserting text, so that an object need not be parsed to be read.
//! Invariant: stored values are compact JSON objects that this server wrote; neither addition is stored.

use types::Revision;

/// The annotation that names the logical cluster of an object.
pub(crate) const CLUSTER_ANNOTATION: &str = "kcp.io/cluster";

/// Appends the served form of `stored` to `out`.
pub(crate) fn append(out: &mut Vec<u8>, stored: &[u8], revision: Revision, cluster: &str) {
    let Some(metadata) = member(stored, 0, b"metadata") else {
        // Every stored object has metadata; a foreign value is served as it is.
        out.extend_from_slice(stored);
        return;
    };
    let annotations = member(stored, metadata.start, b"annotations");
    let annotations = annotations.filter(|span| stored.get(span.start) == Some(&b'{'));
    out.reserve(stored.len() + 80);
    match annotations {
        Some(span) => {
            out.extend_from_slice(&stored[..=span.start]);
            push_annotation(out, cluster);
            if stored.get(span.start + 1) != Some(&b'}') {
                out.push(b',');
            }
            out.extend_from_slice(&stored[span.start + 1..metadata.end - 1]);
        }
        None => {
            out.extend_from_slice(&stored[..=metadata.start]);
            out.extend_from_slice(b"\"annotations\":{");
            push_annotation(out, cluster);
            out.push(b'}');
            if stored.get(metadata.start + 1) != Some(&b'}') {
                out.push(b',');
            }
            out.extend_from_slice(&stored[metadata.start + 1..metadata.end - 1]);
        }
    }
    out.extend_from_slice(b",\"resourceVersion\":\"");
    out.extend_from_slice(revision.to_string().as_bytes());
    out.extend_from_slice(b"\"");
    out.extend_from_slice(&stored[metadata.end - 1..]);
}

/// The served form of `stored`.
pub(crate) fn object(stored: &[u8], revision: Revision, cluster: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(stored.len() + 96);
    append(&mut out, stored, revision, cluster);
    out
}

fn push_annotation(out: &mut Vec<u8>, cluster: &str) {
    out.extend_from_slice(b"\"kcp.io/cluster\":\"");
    out.extend_from_slice(cluster.as_bytes());
    out.push(b'"');
}

/// Where a value stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The value of the member `name` of the compact JSON object that begins at `object`.
pub(crate) fn member(text: &[u8], object: usize, name: &[u8]) -> Option<Span> {
    if text.get(object) != Some(&b'{') {
        return None;
    }
    let mut at = object + 1;
    while text.get(at) == Some(&b'"') {
        let key_end = string_end(text, at)?;
        let start = key_end + 1; // past the colon
        let end = value_end(text, start)?;
        if &text[at + 1..key_end - 1] == name {
            return Some(Span { start, end });
        }
        if text.get(end) != Some(&b',') {
            return None;
        }
        at = end + 1;
    }
    None
}

/// The index after the closing quote of the string that begins at `start`.
fn string_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match text.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// The index after the value that begins at `start`.
fn value_end(text: &[u8], start: usize) -> Option<usize> {
    match text.get(start)? {
        b'"' => string_end(text, start),
        b'{' | b'[' => {
            let mut depth = 0_usize;
            let mut at = start;
            loop {
                match text.get(at)? {
                    b'"' => {
                        at = string_end(text, at)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return Some(at + 1);
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
        }
        _ => {
            let rest = &text[start..];
            Some(start + rest.iter().position(|b| matches!(b, b',' | b'}' | b']')).unwrap_or(rest.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_additions_land_in_the_objects_own_metadata() {
        for (stored, served) in [
            (
                r#"{"kind":"A","metadata":{"name":"x"}}"#,
                r#"{"kind":"A","metadata":{"annotations":{"kcp.io/cluster":"c"},"name":"x","resourceVersion":"7"}}"#,
            ),
            (
                r#"{"metadata":{"annotations":{"a":"b"},"name":"x"},"z":1}"#,
                r#"{"metadata":{"annotations":{"kcp.io/cluster":"c","a":"b"},"name":"x","resourceVersion":"7"},"z":1}"#,
            ),
            (
                r#"{"metadata":{"annotations":{},"name":"x"}}"#,
                r#"{"metadata":{"annotations":{"kcp.io/cluster":"c"},"name":"x","resourceVersion":"7"}}"#,
            ),
            (
                r#"{"data":{"metadata":"{\"metadata\":{","n":[1,{"metadata":{}}],"t":true},"metadata":{"labels":{"annotations":"}"},"name":"x"}}"#,
                r#"{"data":{"metadata":"{\"metadata\":{","n":[1,{"metadata":{}}],"t":true},"metadata":{"annotations":{"kcp.io/cluster":"c"},"labels":{"annotations":"}"},"name":"x","resourceVersion":"7"}}"#,
            ),
        ] {
            let got = object(stored.as_bytes(), Revision(7), "c");
            assert_eq!(String::from_utf8(got).unwrap(), served);
        }
    }

    #[test]
    fn text_that_is_no_object_is_left_alone() {
        for text in ["", "7", "{", "{\"a\"", "{\"metadata\":{\"a\":\"", "[]"] {
            assert_eq!(object(text.as_bytes(), Revision(7), "c"), text.as_bytes());
        }
    }
}
