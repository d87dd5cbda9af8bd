//! Answers: objects, errors, warnings and compression, as HTTP responses.

use std::io::Write;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, VARY,
};
use http::{HeaderMap, Response, StatusCode};
use machinery::status::StatusError;
use serde_json::Value;

use crate::body::Body;
use crate::negotiate::Encoding;

/// Bodies larger than this are compressed for clients that ask for it; smaller ones are not worth the time.
const GZIP_BYTES_MIN: usize = 128 * 1024;
/// All warnings of one answer, in bytes; past it each is cut to [`WARNING_CHARS_MAX`].
const WARNINGS_BYTES_MAX: usize = 4 * 1024;
const WARNING_CHARS_MAX: usize = 256;
const WARNING: HeaderName = HeaderName::from_static("warning");

/// Why a request is not done.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// An error that clients branch on.
    Status(Box<StatusError>),
    /// The same for a list whose snapshot is gone, with a token that goes on at the newest revision.
    Resumable(Box<StatusError>, String),
    /// A path that does not exist; unlike an object that does not exist, it is plain text.
    PageNotFound,
}

impl From<StatusError> for Refusal {
    fn from(error: StatusError) -> Self {
        Self::Status(Box::new(error))
    }
}

impl Refusal {
    pub(crate) fn into_response(self) -> Response<Body> {
        match self {
            Self::PageNotFound => plain(StatusCode::NOT_FOUND, "404 page not found\n"),
            Self::Resumable(error, token) => {
                let mut status = error.to_value();
                status["metadata"]["continue"] = token.into();
                json(StatusCode::GONE, status.to_string())
            }
            Self::Status(error) => {
                let code = StatusCode::from_u16(error.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let mut response = json(code, error.to_value().to_string());
                let retry = error.details.as_ref().and_then(|details| details.retry_after_seconds);
                if let Some(value) = retry.and_then(|seconds| HeaderValue::try_from(seconds.to_string()).ok())
                {
                    response.headers_mut().insert(http::header::RETRY_AFTER, value);
                }
                response
            }
        }
    }
}

/// JSON text.
pub(crate) fn json(code: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    with_type(code, "application/json", text.into())
}

/// Plain text.
pub(crate) fn plain(code: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    with_type(code, "text/plain; charset=utf-8", text.into())
}

/// A body of a type.
pub(crate) fn with_type(code: StatusCode, content_type: &str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::Full(body));
    *response.status_mut() = code;
    let value = HeaderValue::try_from(content_type).unwrap_or(HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CONTENT_TYPE, value);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

/// JSON text that a client wants in some encoding.
pub(crate) fn encoded(code: StatusCode, json_text: Vec<u8>, encoding: Encoding) -> Response<Body> {
    match encoding {
        Encoding::Json => json(code, json_text),
        Encoding::Yaml => {
            let value = serde_json::from_slice::<Value>(&json_text).unwrap_or(Value::Null);
            match serde_saphyr::to_string(&value) {
                Ok(text) => with_type(code, "application/yaml", text.into()),
                Err(_) => json(code, json_text),
            }
        }
    }
}

/// Compresses a large body for a client that asks for it.
pub(crate) fn compress(request: &HeaderMap, mut response: Response<Body>) -> Response<Body> {
    let asked = request.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        value.split(',').any(|part| part.split(';').next().unwrap_or("").trim() == "gzip")
    });
    let Body::Full(bytes) = response.body() else { return response };
    if !asked || bytes.len() < GZIP_BYTES_MIN {
        return response;
    }
    let mut encoder =
        flate2::write::GzEncoder::new(Vec::with_capacity(bytes.len() / 4), flate2::Compression::fast());
    let Ok(compressed) = encoder.write_all(bytes).and_then(|()| encoder.finish()) else { return response };
    *response.body_mut() = Body::Full(compressed.into());
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response.headers_mut().append(VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}

/// Adds `Warning` headers: each text once, the whole bounded.
pub(crate) fn warn(response: &mut Response<Body>, warnings: &[String]) {
    let total: usize = warnings.iter().map(String::len).sum();
    let mut seen: Vec<&str> = Vec::new();
    let mut bytes = 0;
    for warning in warnings {
        if seen.contains(&warning.as_str()) {
            continue;
        }
        seen.push(warning);
        let text: String = if total > WARNINGS_BYTES_MAX {
            warning.chars().take(WARNING_CHARS_MAX).collect()
        } else {
            warning.clone()
        };
        bytes += text.len();
        if bytes > WARNINGS_BYTES_MAX {
            return;
        }
        let quoted: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .flat_map(|c| matches!(c, '"' | '\\').then_some('\\').into_iter().chain([c]))
            .collect();
        if let Ok(value) = HeaderValue::from_bytes(format!("299 - \"{quoted}\"").as_bytes()) {
            response.headers_mut().append(WARNING, value);
        }
    }
}
