//! `$(NAME)` in commands, arguments and environment values, as the kubelet expands it.
//! It is not Tekton's substitution, which has happened before; references that no variable answers stay as they are.
//! Source: the documentation of `Container.command` in the Kubernetes API and the kubelet's behaviour.

/// Expands `$(NAME)` with `lookup`; `$$` becomes `$`, so `$$(NAME)` becomes the text `$(NAME)`.
///
/// A reference that `lookup` does not know, and one that is never closed, stay as they are.
#[must_use]
pub fn expand<'a>(text: &str, lookup: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(next) = after.strip_prefix('$') {
            out.push('$');
            rest = next;
        } else if let Some((name, next)) = after.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match lookup(name) {
                Some(value) => out.push_str(value),
                None => {
                    out.push_str("$(");
                    out.push_str(name);
                    out.push(')');
                }
            }
            rest = next;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn references_expand_as_the_kubelet_does() {
        let lookup = |name: &str| match name {
            "A" => Some("a"),
            "EMPTY" => Some(""),
            "NEST" => Some("$(A)"),
            _ => None,
        };
        for (input, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("$(A)", "a"),
            ("x$(A)y$(A)", "xaya"),
            ("$(EMPTY)", ""),
            ("$(NEST)", "$(A)"),
            ("$(MISSING)", "$(MISSING)"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$a"),
            ("$$$$(A)", "$$(A)"),
            ("$", "$"),
            ("$$", "$"),
            ("a$", "a$"),
            ("$A ${A} $1", "$A ${A} $1"),
            ("$(A", "$(A"),
            ("$(A$(A)", "$(A$(A)"),
            ("$()", "$()"),
            ("$(steps.x.results.y)", "$(steps.x.results.y)"),
            ("$ (A)", "$ (A)"),
            ("é$é$(A)é", "é$éaé"),
        ] {
            assert_eq!(expand(input, lookup), expected, "{input}");
        }
    }
}
