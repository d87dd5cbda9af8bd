//! One line of a log on disk: `<RFC 3339 time> <stream> <tag> <text>`, the form of Kubernetes' CRI logs.
//! The last record of a finished log has the stream `end`; a reader that follows stops there.
//! Invariant: the text holds no line feed, so a log file can be cut at any line.

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// One parsed line of a log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The time of arrival, RFC 3339 with nanoseconds.
    pub time: &'a str,
    /// What the line says.
    pub content: Content<'a>,
}

/// What a line of a log file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// Output; `full` tells whether a line feed followed the text.
    Output {
        /// The text without its line feed.
        text: &'a [u8],
        /// Whether the line ends here.
        full: bool,
    },
    /// Nothing follows: the process has ended.
    End,
}

/// Parses a line without its line feed; `None` when it has another form.
#[must_use]
pub fn parse(line: &[u8]) -> Option<Record<'_>> {
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let time = std::str::from_utf8(parts.next()?).ok()?;
    let stream = parts.next()?;
    let tag = parts.next()?;
    if stream == b"end" {
        return Some(Record { time, content: Content::End });
    }
    let text = parts.next()?;
    Some(Record { time, content: Content::Output { text, full: tag == b"F" } })
}

/// Appends one record, with its line feed, to `out`.
pub(crate) fn push(out: &mut Vec<u8>, at: jiff::Timestamp, stream: Stream, text: &[u8], full: bool) {
    push_head(out, at, stream.as_str());
    out.extend_from_slice(if full { b"F " } else { b"P " });
    out.extend_from_slice(text);
    out.push(b'\n');
}

/// Appends the record that ends a log.
pub(crate) fn push_end(out: &mut Vec<u8>, at: jiff::Timestamp) {
    push_head(out, at, "end");
    out.extend_from_slice(b"F\n");
}

fn push_head(out: &mut Vec<u8>, at: jiff::Timestamp, stream: &str) {
    out.extend_from_slice(format!("{at:.9} {stream} ").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let at: jiff::Timestamp = "2026-01-02T03:04:05.000000006Z".parse().unwrap();
        let mut out = Vec::new();
        push(&mut out, at, Stream::Stdout, b"hello  world", true);
        push(&mut out, at, Stream::Stderr, b"", false);
        push_end(&mut out, at);
        let lines: Vec<_> = out.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(parse).collect();
        let time = "2026-01-02T03:04:05.000000006Z";
        let output =
            |text: &'static [u8], full| Some(Record { time, content: Content::Output { text, full } });
        let end = Some(Record { time, content: Content::End });
        assert_eq!(lines, [output(b"hello  world", true), output(b"", false), end]);
    }
}
