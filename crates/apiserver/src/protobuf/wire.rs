//! The wire format: fields of a message, one after the other, within bounds.

use super::Error;

/// The value of a field as it is on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
}

/// Reads fields.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The number and value of the next field.
    pub(super) fn field(&mut self) -> Result<Option<(u64, Wire<'a>)>, Error> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            2 => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                let (bytes, rest) =
                    self.rest.split_at_checked(length).ok_or(Error::Malformed("it ends within a field"))?;
                self.rest = rest;
                Wire::Bytes(bytes)
            }
            _ => return Err(Error::Malformed("a field has a type that no object has")),
        };
        Ok(Some((tag >> 3, value)))
    }

    fn varint(&mut self) -> Result<u64, Error> {
        let mut value = 0_u64;
        for place in 0..10 {
            let (first, rest) = self.rest.split_first().ok_or(Error::Malformed("it ends within a number"))?;
            self.rest = rest;
            value |= u64::from(first & 0x7f) << (7 * place);
            if first & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Error::Malformed("a number is too long"))
    }
}

/// Bytes as text.
pub(super) fn text(bytes: &[u8]) -> Result<String, Error> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Error::Malformed("a text is no UTF-8"))
}
