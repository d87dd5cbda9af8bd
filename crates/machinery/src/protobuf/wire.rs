//! The wire form of protobuf: a message is a row of numbered fields, each a number or bytes.
//! What a field means is [`super::message`]'s affair.
//! Invariant: every read moves forward or fails, and nothing is copied.

use super::message::Fault;

/// The most bytes of a number: 64 bits, 7 in each byte.
const VARINT_BYTES_MAX: usize = 10;

/// The value of a field as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire<'a> {
    /// A number: integers, booleans.
    Varint(u64),
    /// Text, bytes, messages, entries of maps, packed numbers.
    Bytes(&'a [u8]),
    /// Eight or four bytes: floating point, of which Kubernetes' served kinds have none.
    Fixed,
}

/// Reads the fields of one message in order.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next field's number and value; `None` at the end.
    pub(super) fn field(&mut self) -> Result<Option<(u32, Wire<'a>)>, Fault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| Fault::new("a field has an impossible number"))?;
        let wire = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => self.take(8).map(|_| Wire::Fixed)?,
            2 => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                Wire::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Wire::Fixed)?,
            other => {
                return Err(Fault::new(format!("field number {number} has the unknown wire type {other}")));
            }
        };
        Ok(Some((number, wire)))
    }

    /// The next bare number of packed ones; `None` at the end.
    pub(super) fn packed(&mut self) -> Result<Option<u64>, Fault> {
        if self.rest.is_empty() { Ok(None) } else { self.varint().map(Some) }
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0_u64;
        for (index, byte) in self.rest.iter().enumerate().take(VARINT_BYTES_MAX) {
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for the 64th bit only.
            if index == VARINT_BYTES_MAX - 1 && bits > 1 {
                break;
            }
            value |= bits << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = self.rest.get(index + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        let cut = self.rest.len() < VARINT_BYTES_MAX;
        Err(Fault::new(if cut { "it ends within a number" } else { "a number has more than 64 bits" }))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or_else(|| Fault::new("it ends within a field"))?;
        self.rest = rest;
        Ok(taken)
    }
}
