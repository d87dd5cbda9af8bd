//! Content negotiation: the `Accept` and `Content-Type` headers to what is answered and how a body is read.
//! Pure. JSON is answered wherever a client takes it; protobuf is not written yet, so a client that asks only
//! for it gets JSON too (client libraries decode by the answer's content type), and CBOR alone is a 406.

/// What of an object is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Projection {
    /// The object itself.
    Object,
    /// A `Table` of `meta.k8s.io/v1`.
    Table,
    /// `PartialObjectMetadata`, or the list of them.
    Metadata,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Encoding {
    /// `application/json`.
    Json,
    /// `application/yaml`.
    Yaml,
}

/// What was agreed for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Negotiated {
    pub(crate) projection: Projection,
    pub(crate) encoding: Encoding,
}

/// The versions of a discovery document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Discovery {
    /// The old documents, one for each group and version.
    Plain,
    /// `APIGroupDiscoveryList` of `apidiscovery.k8s.io/v2`.
    AggregatedV2,
    /// The same of `v2beta1`.
    AggregatedV2Beta1,
}

struct MediaRange<'a> {
    media: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: u32, // thousandths
}

impl MediaRange<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }
}

fn ranges(accept: &str) -> Vec<MediaRange<'_>> {
    let mut all: Vec<MediaRange<'_>> = accept.split(',').filter_map(range).collect();
    all.sort_by_key(|range| std::cmp::Reverse(range.quality)); // stable: equal weights keep their order
    all
}

fn range(text: &str) -> Option<MediaRange<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().filter(|media| !media.is_empty())?;
    let parameters: Vec<(&str, &str)> = parts
        .filter_map(|part| part.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
        .collect();
    let quality = parameters.iter().find(|(key, _)| *key == "q").map_or(1000, |(_, q)| thousandths(q));
    (quality > 0).then_some(MediaRange { media, parameters, quality })
}

fn thousandths(quality: &str) -> u32 {
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u32>().unwrap_or(0).min(1) * 1000 + digits.parse::<u32>().unwrap_or(0)
}

fn encoding(media: &str) -> Option<Encoding> {
    match media {
        "application/json" | "*/*" | "application/*" => Some(Encoding::Json),
        "application/yaml" => Some(Encoding::Yaml),
        _ => None,
    }
}

/// Agrees on an answer of objects; `None` is a 406.
pub(crate) fn objects(accept: Option<&str>) -> Option<Negotiated> {
    let accept = accept.unwrap_or("").trim();
    if accept.is_empty() {
        return Some(Negotiated { projection: Projection::Object, encoding: Encoding::Json });
    }
    let ranges = ranges(accept);
    for range in &ranges {
        let Some(encoding) = encoding(range.media) else { continue };
        let Some(projection) = projection(range) else { continue };
        return Some(Negotiated { projection, encoding });
    }
    let protobuf = ranges.iter().find(|range| range.media == "application/vnd.kubernetes.protobuf")?;
    Some(Negotiated { projection: projection(protobuf)?, encoding: Encoding::Json })
}

fn projection(range: &MediaRange<'_>) -> Option<Projection> {
    let Some(kind) = range.parameter("as") else { return Some(Projection::Object) };
    let meta = range.parameter("g") == Some("meta.k8s.io");
    let version = matches!(range.parameter("v"), Some("v1" | "v1beta1"));
    match kind {
        "Table" if meta && version => Some(Projection::Table),
        "PartialObjectMetadata" | "PartialObjectMetadataList" if meta && version => {
            Some(Projection::Metadata)
        }
        _ => None,
    }
}

/// Whether a client asks for the OpenAPI v2 document as protobuf and nothing else.
pub(crate) fn is_open_api_protobuf(accept: Option<&str>) -> bool {
    let ranges = ranges(accept.unwrap_or(""));
    let is_protobuf = |range: &MediaRange<'_>| {
        let media = range.media;
        media.starts_with("application/com.github.proto-openapi.spec.v2") && media.ends_with("+protobuf")
    };
    ranges.first().is_some_and(is_protobuf) && !ranges.iter().any(|range| encoding(range.media).is_some())
}

/// Agrees on the form of a discovery document; `None` is a 406.
pub(crate) fn discovery(accept: Option<&str>) -> Option<Discovery> {
    let accept = accept.unwrap_or("").trim();
    if accept.is_empty() {
        return Some(Discovery::Plain);
    }
    let ranges = ranges(accept);
    for range in ranges.iter().filter(|range| encoding(range.media) == Some(Encoding::Json)) {
        match (range.parameter("as"), range.parameter("g"), range.parameter("v")) {
            (None, ..) => return Some(Discovery::Plain),
            (Some("APIGroupDiscoveryList"), Some("apidiscovery.k8s.io"), Some("v2")) => {
                return Some(Discovery::AggregatedV2);
            }
            (Some("APIGroupDiscoveryList"), Some("apidiscovery.k8s.io"), Some("v2beta1")) => {
                return Some(Discovery::AggregatedV2Beta1);
            }
            _ => {}
        }
    }
    ranges.iter().any(|range| range.media != "application/cbor").then_some(Discovery::Plain)
}

/// How the body of a write is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFormat {
    /// JSON text.
    Json,
    /// YAML text (of which JSON is a part).
    Yaml,
    /// Kubernetes' protobuf, which typed clients send for built-in kinds.
    Protobuf,
}

/// The kind of a PATCH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchFormat {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Kubernetes' strategic merge patch.
    Strategic,
    /// Server-side apply.
    Apply,
}

/// The format of a body by its `Content-Type`; an absent header means JSON. `None` is a 415.
pub(crate) fn body(content_type: Option<&str>) -> Option<BodyFormat> {
    match media(content_type) {
        "" | "application/json" | "*/*" => Some(BodyFormat::Json),
        "application/yaml" | "text/yaml" | "application/x-yaml" => Some(BodyFormat::Yaml),
        "application/vnd.kubernetes.protobuf" => Some(BodyFormat::Protobuf),
        _ => None,
    }
}

/// The format of a PATCH by its `Content-Type`. `None` is a 415.
pub(crate) fn patch(content_type: Option<&str>) -> Option<PatchFormat> {
    match media(content_type) {
        "application/json-patch+json" => Some(PatchFormat::Json),
        "application/merge-patch+json" => Some(PatchFormat::Merge),
        "application/strategic-merge-patch+json" => Some(PatchFormat::Strategic),
        "application/apply-patch+yaml" => Some(PatchFormat::Apply),
        _ => None,
    }
}

fn media(content_type: Option<&str>) -> &str {
    content_type.unwrap_or("").split(';').next().unwrap_or("").trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_can_be_served_wins() {
        const KUBECTL: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,\
             application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        for (accept, expected) in [
            (None, "Object Json"),
            (Some("*/*"), "Object Json"),
            (Some("application/json"), "Object Json"),
            (Some("application/yaml"), "Object Yaml"),
            (Some(KUBECTL), "Table Json"),
            (Some("application/json;as=Table;v=v9;g=meta.k8s.io,application/json"), "Object Json"),
            (Some("application/json;q=0.1,application/yaml;q=0.9"), "Object Yaml"),
            (Some("application/json;q=0,application/yaml;q=0.1"), "Object Yaml"),
            (Some("application/vnd.kubernetes.protobuf,application/json"), "Object Json"),
            (Some("application/vnd.kubernetes.protobuf"), "Object Json"),
            (
                Some("application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"),
                "Metadata Json",
            ),
            (Some("application/cbor"), "none"),
            (Some("application/json;as=Nothing;v=v1;g=meta.k8s.io"), "none"),
        ] {
            let got =
                objects(accept).map_or("none".to_owned(), |n| format!("{:?} {:?}", n.projection, n.encoding));
            assert_eq!(got, expected, "{accept:?}");
        }
    }

    #[test]
    fn discovery_is_aggregated_where_the_client_knows_it() {
        const V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        let all = format!("{V2},{},application/json", V2.replace("v=v2", "v=v2beta1"));
        let profile = format!("{V2};profile=nopeer,{all}");
        for (accept, expected) in [
            (None, Some(Discovery::Plain)),
            (Some("application/json"), Some(Discovery::Plain)),
            (Some(all.as_str()), Some(Discovery::AggregatedV2)),
            (Some(profile.as_str()), Some(Discovery::AggregatedV2)),
            (Some("application/cbor"), None),
        ] {
            assert_eq!(discovery(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn bodies_and_patches_are_known_by_content_type() {
        assert_eq!(body(None), Some(BodyFormat::Json));
        assert_eq!(body(Some("application/json; charset=utf-8")), Some(BodyFormat::Json));
        assert_eq!(body(Some("application/yaml")), Some(BodyFormat::Yaml));
        assert_eq!(body(Some("application/vnd.kubernetes.protobuf")), Some(BodyFormat::Protobuf));
        assert_eq!(body(Some("application/cbor")), None);
        assert_eq!(patch(Some("application/apply-patch+yaml")), Some(PatchFormat::Apply));
        assert_eq!(patch(Some("application/json")), None);
    }
}
