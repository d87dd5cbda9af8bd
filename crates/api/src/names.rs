//! The rules for names that Kubernetes and Tekton share, with the words in which they are explained.
//! Source: `k8s.io/apimachinery/pkg/util/validation`.

/// The longest DNS label, in bytes.
pub(crate) const LABEL_LEN_MAX: usize = 63;
/// The longest DNS subdomain, in bytes.
pub(crate) const SUBDOMAIN_LEN_MAX: usize = 253;

/// What is wrong with a DNS-1123 label (`build-1`), if anything.
pub(crate) fn dns_label_problem(name: &str) -> Option<String> {
    if name.len() > LABEL_LEN_MAX {
        return Some(format!("must be no more than {LABEL_LEN_MAX} bytes"));
    }
    if is_label(name) {
        return None;
    }
    Some(
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end \
         with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
         '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
            .to_owned(),
    )
}

/// What is wrong with a DNS-1123 subdomain (`a.b-1`), if anything.
pub(crate) fn dns_subdomain_problem(name: &str) -> Option<String> {
    if name.len() > SUBDOMAIN_LEN_MAX {
        return Some(format!("must be no more than {SUBDOMAIN_LEN_MAX} bytes"));
    }
    if name.split('.').all(is_label) {
        return None;
    }
    Some(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start \
         and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
         '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            .to_owned(),
    )
}

/// What is wrong with a key of a ConfigMap or Secret, if anything.
pub(crate) fn config_key_problem(key: &str) -> Option<String> {
    if key.len() > SUBDOMAIN_LEN_MAX {
        return Some(format!("must be no more than {SUBDOMAIN_LEN_MAX} bytes"));
    }
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
        return Some(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
             'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
                .to_owned(),
        );
    }
    match key {
        "." => Some("must not be '.'".to_owned()),
        ".." => Some("must not be '..'".to_owned()),
        _ if key.starts_with("..") => Some("must not start with '..'".to_owned()),
        _ => None,
    }
}

/// What is wrong with a qualified name (`example.com/Name_1`), if anything.
pub(crate) fn qualified_name_problems(name: &str) -> Vec<String> {
    let (prefix, own) = match name.split('/').collect::<Vec<_>>().as_slice() {
        [own] => (None, (*own).to_owned()),
        [prefix, own] => (Some((*prefix).to_owned()), (*own).to_owned()),
        _ => {
            return vec![format!(
                "a qualified name {QUALIFIED_NAME} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    let mut problems = Vec::new();
    match prefix.as_deref() {
        Some("") => problems.push("prefix part must be non-empty".to_owned()),
        Some(prefix) => {
            problems.extend(dns_subdomain_problem(prefix).map(|problem| format!("prefix part {problem}")))
        }
        None => {}
    }
    if own.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else if own.len() > LABEL_LEN_MAX {
        problems.push(format!("name part must be no more than {LABEL_LEN_MAX} bytes"));
    }
    if !is_name_part(&own) {
        problems.push(format!("name part {QUALIFIED_NAME}"));
    }
    problems
}

const QUALIFIED_NAME: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                              alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for \
                              validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// Whether the text is letters and digits, with `-`, `_` and `.` inside; also the form of names of results.
pub(crate) fn is_name_part(name: &str) -> bool {
    let bytes = name.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    ends.iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_label(name: &str) -> bool {
    let bytes = name.as_bytes();
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}
