//! What names, label keys and label values may be, and the suffix of generated names.
//! Only the grammar: whether a name is taken is the store's to say.
//! Invariant: each check returns all that is wrong, in Kubernetes' words; no words mean valid.
//! Source: `k8s.io/apimachinery` `util/validation` and `k8s.io/apiserver` `storage/names`.

/// What the names of a resource must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// A DNS-1123 subdomain: most kinds.
    Subdomain,
    /// A DNS-1123 label: Namespaces, Services.
    Label,
    /// Anything that can be one segment of a path: Roles and other RBAC kinds.
    PathSegment,
}

impl NameRule {
    /// All that is wrong with a name; empty if it is valid. With `prefix`, the text is a `generateName`.
    #[must_use]
    pub fn check(self, name: &str, prefix: bool) -> Vec<String> {
        let masked = if prefix { mask_trailing_dash(name) } else { name.to_owned() };
        match self {
            NameRule::Subdomain => dns1123_subdomain(&masked),
            NameRule::Label => dns1123_label(&masked),
            NameRule::PathSegment => path_segment(name, prefix),
        }
    }
}

/// Characters of a generated suffix.
pub const GENERATED_SUFFIX_LEN: usize = 5;
const GENERATED_ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
const GENERATED_BASE_LEN_MAX: usize = 63 - GENERATED_SUFFIX_LEN;

/// The name for a `generateName` prefix: the prefix, cut to 58 characters, and five characters that cannot
/// make a word. The random bytes are the caller's.
#[must_use]
pub fn generated_name(prefix: &str, random: [u8; GENERATED_SUFFIX_LEN]) -> String {
    let mut name: String = prefix.chars().take(GENERATED_BASE_LEN_MAX).collect();
    name.extend(random.iter().map(|byte| char::from(GENERATED_ALPHABET[usize::from(*byte) % 27])));
    name
}

/// All that is wrong with a DNS-1123 label.
#[must_use]
pub fn dns1123_label(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > 63 {
        wrong.push("must be no more than 63 characters".to_owned());
    }
    if !is_label(text) {
        wrong.push(if is_subdomain(text) {
            "must not contain dots".to_owned()
        } else {
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and \
             end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
                .to_owned()
        });
    }
    wrong
}

/// All that is wrong with a DNS-1123 subdomain.
#[must_use]
pub fn dns1123_subdomain(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > 253 {
        wrong.push("must be no more than 253 characters".to_owned());
    }
    if !is_subdomain(text) {
        wrong.push(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
             start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                .to_owned(),
        );
    }
    wrong
}

/// All that is wrong with a label or annotation key: an optional DNS prefix, a slash, a name.
#[must_use]
pub fn qualified_name(key: &str) -> Vec<String> {
    const WORDS: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                         alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for \
                         validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    let parts: Vec<&str> = key.split('/').collect();
    let mut wrong = Vec::new();
    let name = match parts.as_slice() {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else {
                wrong.extend(dns1123_subdomain(prefix).into_iter().map(|text| format!("prefix part {text}")));
            }
            name
        }
        _ => {
            return vec![format!(
                "a qualified name {WORDS} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        wrong.push("name part must be no more than 63 characters".to_owned());
    }
    if !is_label_text(name) || name.is_empty() {
        wrong.push(format!("name part {WORDS}"));
    }
    wrong
}

/// All that is wrong with a label value.
#[must_use]
pub fn label_value(value: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if value.len() > 63 {
        wrong.push("must be no more than 63 characters".to_owned());
    }
    if !is_label_text(value) {
        wrong.push(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
             for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
                .to_owned(),
        );
    }
    wrong
}

fn path_segment(name: &str, prefix: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    if !prefix && (name == "." || name == "..") {
        wrong.push(format!("may not be '{name}'"));
    }
    wrong.extend(["/", "%"].iter().filter(|c| name.contains(**c)).map(|c| format!("may not contain '{c}'")));
    wrong
}

fn mask_trailing_dash(name: &str) -> String {
    match name.strip_suffix('-') {
        Some(stem) if !stem.is_empty() => format!("{stem}a"),
        _ => name.to_owned(),
    }
}

fn is_label(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) => {
            plain(*first) && plain(*last) && bytes.iter().all(|b| plain(*b) || *b == b'-')
        }
        _ => false,
    }
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

/// Empty, or alphanumeric at both ends with `-`, `_`, `.` between.
fn is_label_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) => {
            first.is_ascii_alphanumeric()
                && last.is_ascii_alphanumeric()
                && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid_as_in_kubernetes() {
        for (rule, name, prefix, valid) in [
            (NameRule::Subdomain, "a", false, true),
            (NameRule::Subdomain, "a.b-c.d1", false, true),
            (NameRule::Subdomain, "a..b", false, false),
            (NameRule::Subdomain, "A", false, false),
            (NameRule::Subdomain, "", false, false),
            (NameRule::Subdomain, "-a", false, false),
            (NameRule::Subdomain, "a-", false, false),
            (NameRule::Subdomain, "a-", true, true),
            (NameRule::Subdomain, "-", true, false),
            (NameRule::Label, "a.b", false, false),
            (NameRule::Label, "a-b", false, true),
            (NameRule::PathSegment, "system:node", false, true),
            (NameRule::PathSegment, "a/b", false, false),
            (NameRule::PathSegment, "..", false, false),
        ] {
            assert_eq!(rule.check(name, prefix).is_empty(), valid, "{rule:?} {name:?} prefix={prefix}");
        }
        assert_eq!(
            NameRule::Subdomain.check(&"a".repeat(254), false),
            ["must be no more than 253 characters"]
        );
        assert_eq!(dns1123_label("a.b"), ["must not contain dots"]);
    }

    #[test]
    fn label_keys_and_values_are_valid_as_in_kubernetes() {
        for (key, valid) in [
            ("app", true),
            ("app.kubernetes.io/name", true),
            ("App_1", true),
            ("", false),
            ("/a", false),
            ("a/", false),
            ("a/b/c", false),
            ("-a", false),
            ("UP.example/x", false),
        ] {
            assert_eq!(qualified_name(key).is_empty(), valid, "{key:?}: {:?}", qualified_name(key));
        }
        for (value, valid) in [("", true), ("a", true), ("a_B.9", true), ("a ", false), ("-", false)] {
            assert_eq!(label_value(value).is_empty(), valid, "{value:?}");
        }
    }

    #[test]
    fn a_generated_name_is_its_prefix_and_five_safe_characters() {
        assert_eq!(generated_name("run-", [0, 1, 26, 27, 255]), "run-bc9bq");
        assert_eq!(generated_name(&"p".repeat(80), [0; 5]).len(), 63);
    }
}
