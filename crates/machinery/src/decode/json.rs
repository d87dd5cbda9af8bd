//! A JSON reader that reports duplicate fields and words its errors as Go's `encoding/json`.
//! Invariant: it accepts what `serde_json` accepts, down to [`super::DEPTH_MAX`], and gives the same value.

use serde_json::{Map, Number, Value};

use super::path::Path;
use super::{DEPTH_MAX, DecodeError, Decoded};

pub(super) fn decode(body: &[u8]) -> Result<Decoded, DecodeError> {
    let mut reader = Reader { body, at: 0, depth: 0, path: Path::default(), duplicates: Vec::new() };
    let value = reader.value()?;
    reader.skip_space();
    if reader.at < body.len() {
        return Err(reader.unexpected("after top-level value"));
    }
    Ok(Decoded { value, duplicates: reader.duplicates })
}

struct Reader<'a> {
    body: &'a [u8],
    at: usize,
    depth: usize,
    path: Path,
    duplicates: Vec<String>,
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Value, DecodeError> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, DecodeError>) -> Result<Value, DecodeError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.fail("exceeded max depth".to_owned()));
        }
        self.at += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Result<Value, DecodeError> {
        let mut fields = Map::new();
        self.skip_space();
        if self.eat(b'}') {
            return Ok(Value::Object(fields));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("looking for beginning of object key string"));
            }
            let key = self.string()?;
            self.skip_space();
            if !self.eat(b':') {
                return Err(self.unexpected("after object key"));
            }
            self.path.push_key(&key);
            let value = self.value()?;
            if fields.insert(key, value).is_some() {
                self.duplicates.push(self.path.to_string());
            }
            self.path.pop();
            self.skip_space();
            if self.eat(b'}') {
                return Ok(Value::Object(fields));
            }
            if !self.eat(b',') {
                return Err(self.unexpected("after object key:value pair"));
            }
        }
    }

    fn array(&mut self) -> Result<Value, DecodeError> {
        let mut items = Vec::new();
        self.skip_space();
        if self.eat(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            self.path.push_index(items.len());
            items.push(self.value()?);
            self.path.pop();
            self.skip_space();
            if self.eat(b']') {
                return Ok(Value::Array(items));
            }
            if !self.eat(b',') {
                return Err(self.unexpected("after array element"));
            }
        }
    }

    fn string(&mut self) -> Result<String, DecodeError> {
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            let start = self.at;
            while self.peek().is_some_and(|b| b != b'"' && b != b'\\' && b >= 0x20) {
                self.at += 1;
            }
            bytes.extend_from_slice(&self.body[start..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    // Bytes that are no UTF-8 are replaced, as Go does.
                    return Ok(String::from_utf8(bytes)
                        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()));
                }
                Some(b'\\') => {
                    self.at += 1;
                    let c = self.escape()?;
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => return Err(self.unexpected("in string literal")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, DecodeError> {
        let c = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.unexpected("in string escape code")),
        };
        self.at += 1;
        Ok(c)
    }

    /// `\u` and four hexadecimal digits, or a pair of surrogates; half a pair is replaced, as Go does.
    fn unicode(&mut self) -> Result<char, DecodeError> {
        let high = self.hex4()?;
        if (0xd800..0xdc00).contains(&high) && self.body[self.at..].starts_with(b"\\u") {
            let before = self.at;
            self.at += 2;
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u32, DecodeError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|b| char::from(b).to_digit(16));
            match digit {
                Some(digit) => code = code * 16 + digit,
                None => return Err(self.unexpected("in \\u hexadecimal character escape")),
            }
            self.at += 1;
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<Value, DecodeError> {
        let start = self.at;
        self.eat(b'-');
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.unexpected("in numeric literal")),
        }
        if self.eat(b'.') {
            if !self.peek().is_some_and(|b| b.is_ascii_digit()) {
                return Err(self.unexpected("after decimal point in numeric literal"));
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            if !self.peek().is_some_and(|b| b.is_ascii_digit()) {
                return Err(self.unexpected("in exponent of numeric literal"));
            }
            self.digits();
        }
        let text = String::from_utf8_lossy(&self.body[start..self.at]);
        let number: Number = text.parse().map_err(|_| self.fail(format!("number {text} is out of range")))?;
        Ok(Value::Number(number))
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, DecodeError> {
        for (index, byte) in word.bytes().enumerate() {
            if !self.eat(byte) {
                let expected = char::from(byte);
                debug_assert!(index > 0, "the first byte chose the word");
                return Err(self.unexpected(&format!("in literal {word} (expecting '{expected}')")));
            }
        }
        Ok(value)
    }

    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn unexpected(&self, context: &str) -> DecodeError {
        match String::from_utf8_lossy(&self.body[self.at.min(self.body.len())..]).chars().next() {
            None => self.fail("unexpected end of JSON input".to_owned()),
            Some(c) => {
                let shown = match c {
                    '\'' => "'\\''".to_owned(),
                    '"' => "'\"'".to_owned(),
                    c => format!("'{}'", c.escape_debug()),
                };
                self.fail(format!("invalid character {shown} {context}"))
            }
        }
    }

    fn fail(&self, message: String) -> DecodeError {
        let before = &self.body[..self.at.min(self.body.len())];
        DecodeError { message, line: Some(1 + before.iter().filter(|byte| **byte == b'\n').count()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn duplicate_fields_are_named_and_the_last_counts() {
        let decoded = decode(br#"{"a": 1, "b": [{"c": 1, "c": 2}], "a": 3}"#).unwrap();
        assert_eq!(decoded.value.to_string(), r#"{"a":3,"b":[{"c":2}]}"#);
        assert_eq!(decoded.duplicates, ["b[0].c", "a"]);
    }

    #[test]
    fn numbers_keep_their_text_and_strings_their_characters() {
        let text = r#"[1.10,-0,1e400,123456789012345678901234567890,"\u00e9\ud83d\ude00\n\/"]"#;
        assert_eq!(
            decode(text.as_bytes()).unwrap().value.to_string(),
            "[1.10,-0,1e+400,123456789012345678901234567890,\"é😀\\n/\"]"
        );
        assert_eq!(decode(br#""\ud800x""#).unwrap().value, "\u{fffd}x");
        assert_eq!(decode(b"\"\xff\"").unwrap().value, "\u{fffd}");
    }

    #[test]
    fn errors_are_worded_as_in_go() {
        for (body, text, line) in [
            ("", "unexpected end of JSON input", 1),
            ("{", "unexpected end of JSON input", 1),
            ("{\n\"a\" 1}", "invalid character '1' after object key", 2),
            ("{a: 1}", "invalid character 'a' looking for beginning of object key string", 1),
            ("[1 2]", "invalid character '2' after array element", 1),
            ("{\"a\": 1 \"b\"}", "invalid character '\"' after object key:value pair", 1),
            ("nul", "unexpected end of JSON input", 1),
            ("nux", "invalid character 'x' in literal null (expecting 'l')", 1),
            ("1 2", "invalid character '2' after top-level value", 1),
            ("-x", "invalid character 'x' in numeric literal", 1),
            ("\"\\x\"", "invalid character 'x' in string escape code", 1),
            ("[1,]", "invalid character ']' looking for beginning of value", 1),
        ] {
            let error = decode(body.as_bytes()).unwrap_err();
            assert_eq!((error.message.as_str(), error.line), (text, Some(line)), "{body}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(decode(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert_eq!(decode(nested(DEPTH_MAX + 1).as_bytes()).unwrap_err().message, "exceeded max depth");
        assert!(decode("[".repeat(1_000_000).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn it_reads_what_serde_json_reads(text in r#"[\[\]{}:,"a\\u0-9eE.+\- ntrfalse]{0,24}"#) {
            let ours = decode(text.as_bytes()).map(|decoded| decoded.value).ok();
            let theirs: Option<Value> = serde_json::from_str(&text).ok();
            // Serde refuses half a surrogate pair; Go and we replace it.
            if theirs.is_some() || !text.contains("\\u") {
                prop_assert_eq!(ours, theirs);
            }
        }
    }
}
