//! The body of an answer: bytes that are there, or parts that arrive later (watches, followed logs).

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use client::TransportError;
use http_body::{Frame, SizeHint};

/// The body of an answer.
pub enum Body {
    /// All of it.
    Full(Bytes),
    /// Parts; a watch sends one for each batch of events.
    Stream(client::Body),
}

impl Body {
    pub(crate) fn empty() -> Self {
        Self::Full(Bytes::new())
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        match self.get_mut() {
            Self::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(parts) => parts.as_mut().poll_next(cx).map(|part| part.map(|p| p.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

impl From<Body> for client::Body {
    fn from(body: Body) -> Self {
        match body {
            Body::Full(bytes) => {
                Box::pin(futures_util::stream::iter((!bytes.is_empty()).then_some(Ok(bytes))))
            }
            Body::Stream(parts) => parts,
        }
    }
}
